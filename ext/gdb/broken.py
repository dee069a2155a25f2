"""The broken modules of other folders, compiled and imported, for the small programs of this one."""

from pathlib import Path
from types import ModuleType

import racelab as rl
from racelab.build import compiler_version, load

EXT = Path(__file__).resolve().parent.parent
#: gcc puts what is rarely run elsewhere; up to LLVM 20, lldb loses its way in such a function.
WHOLE = "" if "clang" in compiler_version() else "-fno-reorder-blocks-and-partition"


def module(slug: str) -> ModuleType:
    """The variant `broken` of a folder of ext/."""
    return load(rl.compile(EXT / slug / f"{slug}_broken.c", flags=WHOLE))
