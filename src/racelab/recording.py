"""Long runs, recorded: made by `racelab record`, kept in the book's `notebooks/recorded/`, drawn beside today's.

A line of ``notebooks/recorded/<slug>.jsonl`` is either a race (`Result.to_json_line`) or a measurement:

    {"measurement": "cost", "rows": [{...}, ...], "sources_sha256": "...", "python": "...", "machine": "...",
     "date": "...", "wall_s": 12.3}

What is recorded is said by ``ext/<slug>/measure.py``, where there is one: ``RACES``, a list of arguments of
`race`, and ``MEASUREMENTS``, names of functions that return rows. A race may also have ``"flags"``, compiler flags
for those of its lab, and ``"python": "debug"`` for the interpreter that `make debug` builds. ``ext/<slug>/sessions.py`` adds sessions with
outside tools (see `sessions`), each a measurement of one row. A measurement that depends on other folders
of `ext` names them in ``DEPENDS``, and the cells of chapters it uses in ``CELLS``, e.g. ("03_green", "%%c slow_counter"). Without that file, every variant of the folder's lab is raced once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from racelab.files import write_whole
from racelab.result import Result, cores_words
from racelab.show import find_ext

__all__ = [
    "Measurement",
    "Recorded",
    "Recording",
    "drift",
    "load_plan",
    "record",
    "recorded",
    "usual_races",
]

#: What is raced where measure.py says nothing: enough for an interval, and over in a cup of tea for all labs.
DEFAULT_RACE = {"count": 30, "seconds": 6.0}
Rows = list[dict[str, Any]]
#: How a plan names the debug interpreter, and what its version says.
DEBUG = "debug"


@dataclass(frozen=True)
class Measurement:
    """Rows that a function of ``measure.py`` returned, with where and when.

    Attributes:
        name: of the measurement.
        rows: flat dictionaries, as they were returned.
        sources_sha256: of all files that it depends on, see `sources_digest`.
        python, machine, date: where and when it was made.
        wall_s: how long it took, s.
    """

    name: str
    rows: Rows
    sources_sha256: str
    python: str
    machine: str
    date: str
    wall_s: float = 0.0

    def to_json_line(self) -> str:
        """Everything on one line."""
        everything = {"measurement": self.name, **vars(self)}
        del everything["name"]
        return json.dumps(everything, separators=(",", ":"))


@dataclass(frozen=True)
class Recorded:
    """What was recorded for one slug.

    Attributes:
        slug: the folder in `ext` that it was made from.
        races: results, in the order in which they were recorded.
        measurements: name to measurement.
        path: the file.
    """

    slug: str
    races: tuple[Result, ...]
    measurements: Mapping[str, Measurement]
    path: Path

    def result(self, variant: str, **wanted: Any) -> Result:
        """The recorded race of a variant: the first that agrees with everything wanted.

        Args:
            variant: e.g. "broken".
            wanted: attributes of the `Result`, e.g. ``threads=2``, ``widened=True``, ``gil=True``,
                ``lab="other"``. Not widened unless asked for.

        Raises:
            LookupError: there is none; the message names those that are there.
        """
        wanted = {"widened": False, **wanted}
        for race in self.races:
            if race.variant == variant and all(getattr(race, k) == v for k, v in wanted.items()):
                return race
        known = "; ".join(
            f"{r.variant}, threads={r.threads}" + (", widened" if r.widened else "")
            for r in self.races
        )
        raise LookupError(
            f"{self.path.name} has no race of {variant!r} with {wanted}; it has: {known or 'none'}."
        )

    def results(self, **wanted: Any) -> dict[str, Result]:
        """Variant to its first recorded race that agrees with everything wanted, as for `result`."""
        wanted = {"widened": False, **wanted}
        found: dict[str, Result] = {}
        for race in self.races:
            if all(getattr(race, key) == value for key, value in wanted.items()):
                found.setdefault(race.variant or "", race)
        return found

    def rows(self, name: str) -> Rows:
        """The rows of a measurement.

        Raises:
            LookupError: there is none of that name; the message names those that are there.
        """
        if name not in self.measurements:
            known = ", ".join(self.measurements) or "none"
            raise LookupError(f"{self.path.name} has no measurement {name!r}; it has: {known}.")
        return self.measurements[name].rows

    @property
    def about(self) -> About:
        """Where and when, as a sentence for a caption."""
        days: dict[tuple[str, str], set[str]] = {}
        for race in self.races:
            place = f"{race.machine}, {cores_words(race.cores)}", race.python
            days.setdefault(place, set()).add(race.date[:10])
        for one in self.measurements.values():
            days.setdefault((one.machine, one.python), set()).add(one.date[:10])
        said = [
            f"{machine}, Python {python}, {' and '.join(sorted(dates))}"
            for (machine, python), dates in sorted(days.items())
        ]
        return About("Recorded on " + "; ".join(said) + ".")


class About(str):
    """A sentence that shows itself without quotes."""

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))

    def _repr_markdown_(self) -> str:
        return str(self)


def recorded(slug: str) -> Recorded:
    """The recording of a slug.

    Args:
        slug: a folder of `ext`, e.g. "lost_update".

    Raises:
        FileNotFoundError: nothing was recorded; the message says what to run.
        ValueError: a line of the file is damaged; the message says which.
    """
    path = _file(slug)
    if not path.is_file():
        raise FileNotFoundError(
            f"nothing is recorded for {slug!r} ({path.name} is not there): run `racelab record {slug}`."
        )
    races, measurements = [], {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            one = _line(line)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path.name}, line {number} is no recording ({error}): run `racelab record {slug}`."
            ) from error
        if isinstance(one, Measurement):
            measurements[one.name] = one
        else:
            races.append(one)
    return Recorded(slug, tuple(races), measurements, path)


def _line(line: str) -> Result | Measurement:
    data = json.loads(line)
    if "measurement" not in data:
        return Result.from_json_line(line)
    data["name"] = data.pop("measurement")
    return Measurement(**data)


def _file(slug: str) -> Path:
    return find_ext().parent / "notebooks" / "recorded" / f"{slug}.jsonl"


# ---------------------------------------------------------------------------------------------------
# What is to be recorded
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """What `record` makes for one slug.

    Attributes:
        slug: the folder in `ext`.
        races: arguments of `race`, one dictionary each, "lab" filled in.
        measurements: name to function.
        sources_sha256: of everything that the measurements depend on.
    """

    slug: str
    races: tuple[dict[str, Any], ...]
    measurements: Mapping[str, Callable[[], Rows]]
    sources_sha256: str


def load_plan(slug: str) -> Recording:
    """What there is to record for a slug: from its measure.py, else every variant of its lab.

    Raises:
        FileNotFoundError: there is neither a lab nor a measure.py.
        ValueError: measure.py says something that cannot be; the message says what.
    """
    from racelab.lab import load_labs
    from racelab.sessions import depends as used_by_sessions
    from racelab.sessions import measurements

    folder = find_ext() / slug
    lab_file, plan_file = folder / "lab.py", folder / "measure.py"
    if not is_recorded(folder):
        raise FileNotFoundError(
            f"ext/{slug} has neither lab.py nor measure.py nor sessions.py: nothing to record."
        )
    plan = _import(plan_file, f"measure_{slug}") if plan_file.is_file() else ModuleType("none")
    races = getattr(plan, "RACES", None)
    if races is None:
        labs = load_labs(lab_file) if lab_file.is_file() else []
        races = [{"lab": one.name, "variant": v} for one in labs for v in one.variants]
    filled = tuple(_filled(slug, number, race) for number, race in enumerate(races))
    depends = [slug, *getattr(plan, "DEPENDS", ()), *used_by_sessions(slug)]
    cells = [cell(*where) for where in getattr(plan, "CELLS", ())]
    digest = sources_digest(depends, cells)
    named = {**getattr(plan, "MEASUREMENTS", {}), **measurements(slug)}
    return Recording(slug, filled, named, digest)


def usual_races(slug: str) -> list[dict[str, Any]]:
    """What is worth recording of most labs, for ``RACES``: each variant, and what a reader may switch.

    Args:
        slug: a lab with variants, "broken" and "fixed" among them.

    Returns:
        Each variant as the lab has it; shorter, broken with the GIL on, and both with four threads.
    """
    from racelab.lab import find_lab

    short = {"count": 15, "seconds": 3}
    return [
        *({"variant": variant} for variant in find_lab(slug).variants),
        {"variant": "broken", "gil": 1, **short},
        *({"variant": variant, "threads": 4, **short} for variant in ("broken", "fixed")),
    ]


def is_recorded(folder: Path) -> bool:
    """Whether a folder of `ext` says that there is something to record."""
    from racelab.sessions import declares_sessions

    named = any((folder / name).is_file() for name in ("lab.py", "measure.py"))
    return named or declares_sessions(folder)


def _filled(slug: str, number: int, race: Mapping[str, Any]) -> dict[str, Any]:
    from racelab.racing import race as run

    unknown = set(race) - set(inspect.signature(run).parameters) - {"flags"}
    if unknown:
        raise ValueError(
            f"ext/{slug}/measure.py: RACES[{number}]: race() has no {sorted(unknown)}."
        )
    sized = {"count", "seconds", "rounds"} & set(race)
    return {"lab": slug, **({} if sized else DEFAULT_RACE), **race}


def _import(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def sources_digest(slugs: Iterable[str], cells: Iterable[str] = ()) -> str:
    """SHA-256 of all files in these folders of `ext`, names and contents, and of these cells.

    Without steps.js: it is drawn, not raced.
    """
    digest = hashlib.sha256()
    for slug in slugs:
        for path in sorted((find_ext() / slug).rglob("*")):
            drawn = path.name == "steps.js"
            if path.is_file() and not drawn and "__pycache__" not in path.parts:
                digest.update(f"{slug}/{path.name}\n".encode() + path.read_bytes())
    for text in cells:
        digest.update(text.encode())
    return digest.hexdigest()


def cell(chapter: str, first_line: str) -> str:
    """A cell of a chapter, without its first line: for a measurement of what the chapter compiles.

    Name it in ``CELLS``, too, so that a change of it counts as a change of the sources.

    Args:
        chapter: the stem of its file, e.g. "03_green".
        first_line: how the cell begins, e.g. "%%c slow_counter".

    Raises:
        ValueError: the chapter has no such cell.
    """
    file = find_ext().parent / "notebooks" / f"{chapter}.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(rf"^{re.escape(first_line)}\n(.*?)^```$", text, re.M | re.S)
    if found is None:
        raise ValueError(f"notebooks/{chapter}.md has no cell that begins with {first_line!r}.")
    return found[1]


# ---------------------------------------------------------------------------------------------------
# Making it
# ---------------------------------------------------------------------------------------------------


def record(
    slug: str, only: Sequence[str] = (), say: Callable[[str], None] = lambda _: None
) -> Recorded:
    """Make a slug's recording anew, all of it or some, and replace its file when it is complete.

    Args:
        slug: a folder of `ext`.
        only: names of measurements, or variants, to make anew; the rest is kept. Default: everything.
        say: told what begins and what came out.

    Raises:
        ValueError: `only` names what there is not; a race could not be run, or a measurement returned
            something else than rows. The file is as it was.
    """
    plan = load_plan(slug)
    path = _file(slug)
    known = {str(race.get("variant")) for race in plan.races} | set(plan.measurements)
    if set(only) - known:
        raise ValueError(
            f"{slug} records {', '.join(sorted(known))}; not {', '.join(set(only) - known)}."
        )
    before = recorded(slug) if only and path.is_file() else None
    lines = [_race_line(race, only, before, say) for race in plan.races]
    for name, function in plan.measurements.items():
        if before and name in before.measurements and name not in only:
            lines.append(before.measurements[name].to_json_line())
            continue
        say(f"{slug}: {name}")
        lines.append(_measured(plan, name, function).to_json_line())
    write_whole(path, "".join(f"{_without_paths(line)}\n" for line in lines))
    return recorded(slug)


def _without_paths(line: str) -> str:
    """A line without the folders of whoever records: tracebacks of dead children name them."""
    return line.replace(f"{find_ext().parent}/", "").replace(f"{Path.home()}/", "~/")


def _race_line(
    race: dict[str, Any],
    only: Sequence[str],
    before: Recorded | None,
    say: Callable[[str], None],
) -> str:
    from racelab.racing import race as run

    if before and race.get("variant") not in only:
        kept = [old for old in before.races if _same(race, old)]
        if kept:
            return kept[0].to_json_line()
    asked = ", ".join(f"{key}={value}" for key, value in race.items() if key != "lab")
    say(f"{race['lab']}: {asked}")
    seen = run(**_arguments(race), progress=False)
    if not seen.ran:
        raise ValueError(f"{race['lab']}, {asked}: nothing was run. Nothing is recorded.\n{seen}")
    say(
        f"    {seen.failed_rounds:,} of {seen.rounds:,} rounds, {seen.failed_repetitions} of {len(seen.ran)} repetitions failed"
    )
    return seen.to_json_line()


def _arguments(race: Mapping[str, Any]) -> dict[str, Any]:
    """What `race` is called with: a plan may give compiler flags, and names an interpreter by its kind."""
    from racelab.lab import find_lab
    from racelab.toolbox import interpreter_of

    asked = dict(race)
    flags = asked.pop("flags", None)
    if flags is not None:
        asked["lab"] = replace(find_lab(asked["lab"]), flags=flags)
    if asked.get("python") == DEBUG:
        asked["python"] = interpreter_of(DEBUG)
        if asked["python"] is None:
            raise ValueError(f"{race['lab']}: no {DEBUG} interpreter here: run `make {DEBUG}`.")
    return asked


def _same(race: Mapping[str, Any], old: Result) -> bool:
    """Whether a recorded race is the one that the plan describes."""
    from racelab.lab import find_lab

    flags = race["flags"] if "flags" in race else find_lab(race["lab"]).flags
    asked = {key: race[key] for key in ("variant", "threads", "mode", "release") if key in race}
    gil = {"auto": None, 0: False, 1: True}[race.get("gil", "auto")]
    return (
        old.lab == Path(str(race["lab"])).stem
        and old.widened == race.get("widen", False)
        and list(old.flags) == list(flags)
        and (DEBUG in old.python) == (race.get("python") == DEBUG)
        and (gil is None or old.gil == gil)
        and all(getattr(old, key) == value for key, value in asked.items())
    )


def _measured(plan: Recording, name: str, function: Callable[[], Rows]) -> Measurement:
    from racelab import machine

    begin = time.monotonic()
    rows = function()
    flat = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    if not flat or not rows:
        raise ValueError(
            f"{plan.slug}: {name} returned {rows!r:.80}, not a list of rows; nothing is recorded."
        )
    about = machine.environment()
    return Measurement(
        name=name,
        rows=rows,
        sources_sha256=plan.sources_sha256,
        python=about.python,
        machine=f"{about.cpu}, {cores_words(about.cores)}",
        date=time.strftime("%Y-%m-%d"),
        wall_s=round(time.monotonic() - begin, 3),
    )


def drift(slug: str) -> list[str]:
    """What in a recording is not of the sources that are here now: one sentence each, none if all is.

    Compiles what it must to know a race's sources (from the cache where they are as they were).
    """
    from racelab.build import compile
    from racelab.lab import find_lab

    plan, seen = load_plan(slug), recorded(slug)
    remedy = f"run `racelab record {slug}`"
    found = []
    for race in seen.races:
        lab = find_lab(race.lab)
        if race.variant not in lab.variants:
            found.append(f"{slug}: {race.variant} was recorded and is not in ext/: {remedy}.")
        elif (
            compile(lab.source_files(race.variant), flags=list(race.flags)).sha256
            != race.source_sha256
        ):
            found.append(
                f"{slug}: the source of {race.variant} changed after it was recorded: {remedy}."
            )
    for planned in plan.races:
        if not any(_same(planned, race) for race in seen.races):
            found.append(f"{slug}: {planned} is planned and not recorded: {remedy}.")
    for name in plan.measurements:
        if name not in seen.measurements:
            found.append(f"{slug}: {name} is planned and not recorded: {remedy}.")
    for name, one in seen.measurements.items():
        if name not in plan.measurements:
            found.append(f"{slug}: {name} was recorded and is not in measure.py: {remedy}.")
        elif one.sources_sha256 != plan.sources_sha256:
            found.append(
                f"{slug}: something in ext/ or a cell that {name} depends on changed: {remedy}."
            )
    return found
