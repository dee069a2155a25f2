"""Records the stacks in tests/reports/stacks/: what gdb and lldb print of bugs in C, C++ and Cython.

Run  python tests/record_stacks.py    with gdb, lldb and this environment's interpreter
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from test_debuggers import LAB, POKE, POKE_CPP, POKE_PYX, STACKS

from racelab import outside, toolbox
from racelab.debuggers import post_mortem

ROOT = Path(__file__).resolve().parent.parent


def cleaned(text: str) -> str:
    """The same without what is of this machine: as `outside.clean`, but with addresses that still are numbers."""
    names: dict[int, str] = {}

    def address(found: re.Match[str]) -> str:
        value = int(found[0], 16)
        return names.setdefault(value, f"{0x1001 + len(names):#x}") if value > 0xFFFF else found[0]

    text = re.sub(r"\b0x[0-9a-f]{5,16}\b", address, text)
    return outside.clean(text.replace(str(ROOT), "/build"))


def record(folder: Path) -> None:
    """Make each bug under each debugger."""
    (folder / "poker.c").write_text(POKE)
    (folder / "poker.py").write_text(LAB.format(file="poker.c"))
    (folder / "poker.cpp").write_text(POKE_CPP)
    (folder / "poker_cpp.py").write_text(LAB.format(file="poker.cpp"))
    (folder / "poker.pyx").write_text(POKE_PYX)
    (folder / "poker_pyx.py").write_text(LAB.format(file="poker.pyx"))
    labs: dict[str, str | Path] = {
        "c-crash": folder / "poker.py",
        "cpp-crash": folder / "poker_cpp.py",
        "cython-crash": folder / "poker_pyx.py",
        "c-hang": "hang",
    }
    for tool in ("gdb", "lldb"):
        for name, lab in labs.items():
            seen = post_mortem(lab, debugger=tool, seconds=20)
            assert seen.ending == ("hang" if "hang" in name else "crash(SIGSEGV)"), seen
            version = toolbox.number(tool)
            text = f"{tool} {version}: {seen.title}\n\n{cleaned(seen.output).strip()}\n"
            (STACKS / f"{tool}{version.partition('.')[0]}-{name}.txt").write_text(text)
            print(seen, end="\n\n")


if __name__ == "__main__":
    STACKS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        record(Path(temporary))
