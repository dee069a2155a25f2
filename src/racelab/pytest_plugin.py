"""pytest: a `race` fixture that races native code in child processes.

    def test_two_bumps(race):
        race("bump", "bump", setup=mymodule.Counter, check=lambda counter: counter.value == 2)

The test fails if the check fails in any round, if a call raises, and if a child crashes or hangs; it
is skipped as inconclusive where not even the built-in known race shows. pytest itself never runs the
racing calls. Works beside pytest-repeat (whose --count repeats the whole test in one process),
pytest-run-parallel, pytest-xdist and pytest-timeout.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from racelab.build import BuildError

if TYPE_CHECKING:
    from racelab.build import Built
    from racelab.lab import Actor, Grade, Lab
    from racelab.result import Result

__all__ = ["Racer", "race"]

Body = "str | Callable[..., object] | Actor"

_races = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """--race-count, --race-seconds, --race-threads, --race-save."""
    group = parser.getgroup("racelab", "races in child processes")
    group.addoption("--race-count", type=int, metavar="N", help="repetitions (processes) per race")
    group.addoption("--race-seconds", type=float, metavar="S", help="seconds per race; default 2")
    group.addoption(
        "--race-threads", type=int, metavar="T", help="threads per race; default: its actors"
    )
    group.addoption(
        "--race-save",
        metavar="DIR",
        help="write a stand-alone script, race_<test>.py, for each race that fails",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Where the summary's lines are gathered."""
    config.stash[_races] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line for each race: what was seen, and how sure that is."""
    lines = config.stash.get(_races, [])
    if lines:
        terminalreporter.section("races")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A source that does not compile, in a file's own lines: the compiler's words, not our stack."""
    report = yield
    call = getattr(report, "call", None)
    if report.failed and call is not None and call.excinfo is not None:
        report.longrepr = _in_our_words(call.excinfo) or report.longrepr
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The same in a test or a fixture, and of arguments that `race` refuses."""
    report = yield
    if report.failed and call.excinfo is not None:
        report.longrepr = _in_our_words(call.excinfo) or report.longrepr
    return report


def _in_our_words(caught: pytest.ExceptionInfo[BaseException]) -> str | None:
    """Where the user's line is, and our message; None for what is no message of ours."""
    from racelab.racing import RaceError

    ours = Path(__file__).parent
    frames = [entry for entry in caught.traceback if ours not in Path(entry.path).parents]
    raised_by_us = ours in Path(caught.traceback[-1].path).parents
    said = (BuildError, RaceError, FileNotFoundError, ValueError)
    if not (raised_by_us and isinstance(caught.value, said) and frames):
        return None
    last = frames[-1]
    return f"{last.path}:{last.lineno + 1}: {type(caught.value).__name__}\n{caught.value}"


@pytest.fixture
def race(request: pytest.FixtureRequest) -> Racer:
    """Race callables against each other in child processes; see `Racer`."""
    return Racer(request)


class Racer:
    """What the `race` fixture gives to a test: call it with the actors."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request

    def __call__(
        self,
        *actors: str | Callable[..., object] | Actor,
        setup: str | Callable[..., object] | None = None,
        check: Callable[..., object] | None = None,
        outcomes: Mapping[str, Grade] | None = None,
        observe: Any = None,
        allow: Sequence[str] = (),
        threads: int | None = None,
        count: int | None = None,
        seconds: float | None = None,
        rounds: int | None = None,
        modules: Iterable[Built | str | Path] = (),
        **options: Any,
    ) -> Result:
        """Race the actors and fail the test if something forbidden was seen.

        Args:
            actors: one per thread: method names of the state, callables that get it, or `Actor`s.
                Without `setup`: callables without arguments.
            setup: makes the fresh state of a round; a class, usually.
            check: says whether all is well after a round, by its answer or by `assert`; gets the
                state, and if it wants them the returned values and the number of threads.
            outcomes, observe: instead of `check`, as in `racelab.Lab`.
            allow: outcomes that are fine although they would not be, e.g. "error(KeyError)".
            threads: how many threads; default --race-threads, else one per actor.
            count, seconds, rounds: as for `racelab.race`; default from the options.
            modules: shared libraries that the child can import by name.
            options: further arguments of `racelab.race`.

        Returns:
            Result: for tests that want to say more about it.
        """
        from racelab.racing import race as run

        config = self.request.config
        modules = tuple(modules)
        team = threads or config.getoption("--race-threads") or len(actors)
        lab = self._lab(actors, setup, check, outcomes, observe, allow, max(team, len(actors)))
        result = run(
            lab,
            count=count or config.getoption("--race-count"),
            seconds=seconds or config.getoption("--race-seconds"),
            rounds=rounds,
            modules=modules,
            progress=False,
            **options,
        )
        self._report(lab, result, modules)
        return result

    def _lab(
        self,
        actors: Sequence[Any],
        setup: Any,
        check: Any,
        outcomes: Mapping[str, Grade] | None,
        observe: Any,
        allow: Sequence[str],
        team: int,
    ) -> Lab:
        from racelab.lab import ACCEPTABLE, FORBIDDEN, Invariant, Lab

        if check is not None and (outcomes is not None or observe is not None):
            raise ValueError("race(): give check=, or observe= and outcomes=, not both.")
        if outcomes is None:
            outcomes = {
                Invariant.HOLDS: ACCEPTABLE,
                f"{Invariant.FAILED}*": FORBIDDEN("the check said no"),
                "error(*)": FORBIDDEN("a call raised"),
            }
            observe = observe or Invariant(check)
        graded = {**{label: ACCEPTABLE("allowed by the test") for label in allow}, **outcomes}
        name = re.sub(r"\W", "_", self.request.node.name)
        return Lab(
            name if name[0].isalpha() else f"race_{name}",
            actors=actors,
            setup=setup,
            observe=observe,
            outcomes=graded,
            threads=[team],
        )

    def _report(self, lab: Lab, result: Result, modules: Sequence[Built | str | Path]) -> None:
        node = self.request.node
        node.add_report_section("call", "racelab", str(result))
        node.user_properties.append(("racelab", json.dumps(result.as_json())))
        self.request.config.stash[_races].append(f"{node.nodeid}: {_rate(result)}")
        if result.exit_status == 1:
            pytest.fail(
                f"{_first_words(result)}\n\n{result}{self._saved(lab, result, modules)}",
                pytrace=False,
            )
        if result.exit_status == 2:
            pytest.fail(f"the race could not be run\n\n{result}", pytrace=False)
        if result.exit_status == 3:
            pytest.skip("inconclusive: the built-in known race shows nothing here either")

    def _saved(self, lab: Lab, result: Result, modules: Sequence[Built | str | Path]) -> str:
        folder = self.request.config.getoption("--race-save")
        if not folder:
            return "\n\nFor a stand-alone script: --race-save=races"
        from racelab.repro import give_back, interpreter_of, save

        mine = self.request.node.nodeid
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            target = self._place(Path(folder), lab.name)
            try:
                save(target, lab, result, modules, of=mine)
            finally:
                give_back(target, mine)
            run = shlex.join([interpreter_of(result), str(target)])
        except (OSError, ValueError, BuildError) as error:
            return f"\n\nNo stand-alone script: {error}"
        return f"\n\nStand-alone script: {target}\nRun it with: {run}"

    def _place(self, folder: Path, name: str) -> Path:
        """Where this test's script goes: a name that pytest does not collect, and no other test's."""
        from racelab.repro import reserve

        plain = re.sub(r"(_test)+$", "", name.removeprefix("test_")) or name
        mine = self.request.node.nodeid
        ends = itertools.chain([""], (f"_{number}" for number in itertools.count(2)))
        places = (folder / f"race_{plain}{end}.py" for end in ends)
        return next(place for place in places if reserve(place, mine))


def _rate(result: Result) -> str:
    """How often it failed, in the words of the table below the outcomes."""
    for sentence in result.sentences():
        unit, _, words = sentence.partition("  ")
        if unit in ("per round", "per repetition"):
            return words.strip()
    return "could not run"


def _first_words(result: Result) -> str:
    seen = ", ".join(f"{label} ({count:,})" for label, count in result.forbidden.items())
    return f"forbidden outcomes: {seen}"
