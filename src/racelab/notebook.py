"""IPython: %%c, %%cpp, %%cython, %race and %%race.

A cell that does not compile shows the compiler's message at the cell's own line. A module that would
turn the GIL on in this kernel is not imported unless that is asked for: it would stay on till restart.
"""

from __future__ import annotations

import argparse
import builtins
import importlib.util
import re
import shlex
import sys
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

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


def _parsed(parser: _Arguments, line: str) -> argparse.Namespace:
    try:
        words = shlex.split(line)
        # argparse takes "-O3" after --flags for an option of its own.
        while "--flags" in words[:-1]:
            at = words.index("--flags")
            words[at : at + 2] = [f"--flags={words[at + 1]}"]
        return parser.parse_args(words)
    except ValueError as error:
        raise UsageError(f"{parser.prog}: {error} in {line!r}.") from error


def _compile_cell(
    magic: str, language: str, line: str, cell: str
) -> tuple[Built, argparse.Namespace]:
    options = _parsed(_parser(magic), line)
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


def _race_parser(magic: str, first: str) -> _Arguments:
    parser = _Arguments(prog=magic, add_help=False)
    parser.add_argument("target", help=first)
    parser.add_argument("variant", nargs="?", help="broken, fixed, ...")
    for name in ("threads", "rounds", "count", "stride"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("seconds", "timeout"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--mode", choices=["rounds", "cold", "hang"])
    parser.add_argument("--release", choices=["barrier", "tsc"])
    parser.add_argument("--gil", choices=["auto", "0", "1"], default="auto")
    for name in ("widen", "search", "allow-gil", "stop"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser


def _race_options(options: argparse.Namespace) -> dict[str, Any]:
    """Options of a magic as arguments of `race`; what was not given is left to it."""
    names = {"timeout": "timeout_s", "stop": "stop_at_first"}
    given = {
        k: v for k, v in vars(options).items() if v is not None and k not in ("target", "variant")
    }
    given["gil"] = given["gil"] if given["gil"] == "auto" else int(given["gil"])
    return {names.get(name, name): value for name, value in given.items()}


class _CheckArguments(_Arguments):
    """Those of %%check."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"%%check: {message}. Name one exercise and, for more time than usual, the seconds: "
            "%%check two_counters --seconds 60. rl.exercises() lists them."
        )


def _check_parser() -> _Arguments:
    from racelab.checking import SECONDS
    from racelab.cli import _seconds

    parser = _CheckArguments(prog="%%check", add_help=False)
    parser.add_argument("exercise")
    parser.add_argument("--seconds", type=_seconds, default=SECONDS)
    return parser


#: What a %%race cell may define: the fields of a lab.
_LAB_FIELDS = (
    "question",
    "setup",
    "actors",
    "observe",
    "observe_key",
    "outcomes",
    "stall_s",
    "check",
)


def _lab_of_cell(module: str, cell: str, user_ns: dict[str, Any], threads: int | None) -> Any:
    """The lab that a cell declares by plain assignments, about a module compiled before."""
    from racelab import lab as labs

    space: dict[str, Any] = {**user_ns, "__name__": "__main__"}
    space.update(
        {name: getattr(labs, name) for name in ("ACCEPTABLE", "INTERESTING", "FORBIDDEN", "Actor")}
    )
    for name in _LAB_FIELDS:
        space.pop(name, None)  # what an earlier cell called so is not meant here
    exec(_compile_python(cell), space)
    fields = {name: space[name] for name in _LAB_FIELDS if name in space}
    if "actors" not in fields:
        raise UsageError(
            "%%race: the cell defines no actors; write e.g. actors = ['bump', 'bump']."
        )
    check = fields.pop("check", None)
    if "outcomes" not in fields:
        fields.setdefault("observe", labs.Invariant(check))
        fields["outcomes"] = {
            labs.Invariant.HOLDS: labs.ACCEPTABLE,
            f"{labs.Invariant.FAILED}*": labs.FORBIDDEN("the check said no"),
        }
    return labs.Lab(module, modules=[module], threads=[threads or len(fields["actors"])], **fields)


def _compile_python(cell: str) -> Any:
    import linecache

    name = f"<race cell {abs(hash(cell)):x}>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    return builtins.compile(cell, name, "exec")


@magics_class
class RacelabMagics(Magics):
    """%%c and %%cpp: compile the cell, and import the module or keep it for children."""

    shell: Any

    @line_magic("race")  # type: ignore[arg-type, unused-ignore]  # IPython types it without a name
    def race_line(self, line: str) -> Any:
        """%race LAB [VARIANT] [--threads T] [--rounds N] [--count N] [--seconds S] [--widen] ...: race a lab."""
        from racelab.racing import race

        options = _parsed(_race_parser("%race", "a lab of the book, or a .py file"), line)
        target: Any = self.shell.user_ns.get(options.target, options.target)
        return race(
            target if type(target).__name__ == "Lab" else options.target,
            options.variant,
            **_race_options(options),
        )

    @cell_magic("race")  # type: ignore[arg-type, unused-ignore]
    def race_cell(self, line: str, cell: str) -> Any:
        """%%race MODULE [options]: race a module of an earlier cell; this cell is the lab.

        It assigns what a lab declares: actors, and if wanted setup, observe, observe_key, outcomes, or
        check, which says whether all is well after a round.
        """
        from racelab.racing import race

        options = _parsed(_race_parser("%%race", "a module of an earlier cell"), line)
        user_ns = self.shell.user_ns
        known = options.target in _compiled
        if not known and importlib.util.find_spec(options.target) is None:
            raise UsageError(
                f"%%race: there is no module {options.target!r}; compile it with %%c first."
            )
        lab = _lab_of_cell(options.target, cell, user_ns, options.threads)
        return race(lab, options.variant, **_race_options(options))

    @cell_magic
    def check(self, line: str, cell: str) -> Any:
        """%%check EXERCISE [--seconds S]: judge the cell's text as an answer; nothing is imported here.

        The verdict counts for the course as that on the learner's copy does.
        """
        from racelab.exercise import ExerciseError, find_exercise
        from racelab.practice import judged

        options = _parsed(_check_parser(), line)
        try:
            # The magic is line 1 of the cell: a compiler's lines are those of the cell.
            return judged(
                find_exercise(options.exercise), "\n" + cell, seconds=options.seconds, counts=True
            )
        except ExerciseError as error:
            raise UsageError(f"%%check: {error}") from None

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
