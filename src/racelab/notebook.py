"""IPython: %%c, %%cpp and %%cython.

A cell that does not compile shows the compiler's message at the cell's own line. A module that would
turn the GIL on in this kernel is not imported unless that is asked for: it would stay on till restart.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class

from racelab.build import Built, compile, load

__all__ = ["RacelabMagics", "built_modules", "register"]

#: Modules compiled in cells of this kernel, by name: a race takes them into its children.
_compiled: dict[str, Built] = {}

_DECLARES_GIL = re.compile(r"\bPy_MOD_GIL_NOT_USED\b|\bmod_gil_not_used\b")
_INIT = re.compile(r"\bPyInit_(\w+)")


def built_modules() -> dict[str, Built]:
    """What was compiled in cells of this kernel so far, by name; the latest of each."""
    return dict(_compiled)


class _Arguments(argparse.ArgumentParser):
    """Arguments of a magic; a mistake is one sentence, not an exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}. {self.format_usage().strip()}")


def _parser(magic: str) -> _Arguments:
    parser = _Arguments(prog=f"%%{magic}", add_help=False)
    parser.add_argument("name", nargs="?", help="module name; default: from PyInit_<name>")
    parser.add_argument("--child-only", action="store_true", help="do not import it here")
    parser.add_argument(
        "--allow-gil", action="store_true", help="import it though it enables the GIL"
    )
    parser.add_argument("--flags", default="", help="more compiler flags, as one string")
    parser.add_argument("--show", action="store_true", help="print what was done")
    return parser


def _compile_cell(
    magic: str, language: str, line: str, cell: str
) -> tuple[Built, argparse.Namespace]:
    try:
        options = _parser(magic).parse_args(shlex.split(line))
    except ValueError as error:
        raise UsageError(f"%%{magic}: {error} in {line!r}.") from error
    name = options.name or _name_in(magic, cell)
    built = compile(
        cell,
        name=name,
        language=language,
        flags=options.flags,
        origin=f"cell {name}",
        first_line=2,  # the magic is line 1 of the cell
    )
    return built, options


def _name_in(magic: str, cell: str) -> str:
    found = _INIT.search(cell)
    if found is None:
        raise UsageError(
            f"%%{magic}: the cell has no PyInit_<name> function, so it makes no module."
        )
    return found.group(1)


@magics_class
class RacelabMagics(Magics):
    """%%c and %%cpp: compile the cell, and import the module or keep it for children."""

    @cell_magic
    def c(self, line: str, cell: str) -> None:
        """%%c [NAME] [--child-only] [--allow-gil] [--flags "..."] [--show]: compile a C cell.

        Binds NAME to the imported module; with --child-only to a `Built`, for rl.run_child(modules=...).
        """
        self._bind(*_compile_cell("c", "c", line, cell), cell)

    @cell_magic
    def cpp(self, line: str, cell: str) -> None:
        """%%cpp: the same as %%c for C++17."""
        self._bind(*_compile_cell("cpp", "c++", line, cell), cell)

    def _bind(self, built: Built, options: argparse.Namespace, cell: str) -> None:
        if built.log.strip():
            print(built.log.rstrip(), file=sys.stderr)
        if options.show:
            print(str(built).partition("\n")[0])
        _compiled[built.name] = built
        value: Any = built
        if not options.child_only:
            if not (options.allow_gil or _DECLARES_GIL.search(cell)):
                raise UsageError(
                    f"importing {built.name} would turn the GIL on in this kernel: it does not declare "
                    "Py_MOD_GIL_NOT_USED. Use --child-only, or --allow-gil if you mean it."
                )
            value = load(built)
        self.shell.user_ns[built.name] = value


def register(shell: Any) -> None:
    """Register the magics in an IPython shell. %%cython is Cython's own, loaded when first used."""
    shell.register_magics(RacelabMagics)
    if shell.find_cell_magic("cython") is None:
        shell.register_magic_function(_cython, "cell", "cython")


def _cython(line: str, cell: str) -> Any:
    """%%cython: replaces itself by Cython's own magic, which takes a while to import."""
    from IPython.core.getipython import get_ipython

    try:
        import Cython  # noqa: F401
    except ImportError:
        raise UsageError(
            f"%%cython needs Cython, which {sys.executable} does not have: pip install cython."
        ) from None
    shell: Any = get_ipython()  # type: ignore[no-untyped-call, unused-ignore]
    shell.extension_manager.load_extension("Cython")
    return shell.run_cell_magic("cython", line, cell)
