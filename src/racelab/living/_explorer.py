"""What came out: the variants of a lab side by side, by rate, outcomes and cost."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from racelab import stats
from racelab.build import DEFAULT_FLAGS
from racelab.living._figure import Living
from racelab.result import Result, merge

#: Variant to timings; or, where there are several kinds of them, kind to variant to timings; or rows as a
#: measurement has them, with variant, ns, perhaps core_ns, and what kind of timing it is.
Costs = (
    Mapping[str, Iterable[float]]
    | Mapping[str, Mapping[str, Iterable[float]]]
    | Iterable[Mapping[str, Any]]
)


class Explorer(Living):
    """The variants of a lab side by side; fresh results flow into it, also where it is shown already."""

    def __init__(self, build: Callable[[Sequence[Result]], _Parts], fresh: Sequence[Result]):
        object.__setattr__(self, "_build", build)
        object.__setattr__(self, "_fresh", list(fresh))
        object.__setattr__(self, "_widgets", [])
        parts = build(self._fresh)
        super().__init__("explorer", parts.state, parts.caption, parts.still, parts.name, parts.how)

    _build: Callable[[Sequence[Result]], _Parts]
    _fresh: list[Result]
    _widgets: list[Any]

    def update(self, *results: Result) -> None:
        """Take in fresh results: wherever the figure is shown in a notebook, it shows them at once.

        A race that is made again under the same conditions is added to the one before: the count grows, and
        the interval narrows. One of changed source takes its place.

        Args:
            results: of the same lab.

        Raises:
            ValueError: a result of another lab.

        Example:
            >>> figure = rl.race("lost_update", "broken").explore()
            >>> figure                                          # in a cell of its own
            >>> figure.update(rl.race("lost_update", "fixed"))  # in another: the figure above changes
        """
        fresh = _merged([*self._fresh, *results])
        parts = self._build(fresh)
        object.__setattr__(self, "_fresh", fresh)
        object.__setattr__(self, "state", parts.state)
        object.__setattr__(self, "still", parts.still)
        object.__setattr__(self, "caption", parts.caption)
        object.__setattr__(self, "how", parts.how)
        for widget in self._widgets:
            widget.state, widget.caption = dict(parts.state), parts.caption

    def _widget(self) -> Any:
        made = super()._widget()
        if made is not None:
            self._widgets.append(made)
        return made


def explorer(
    slug: str,
    *,
    variants: Mapping[str, str] | None = None,
    races: Iterable[Result] = (),
    rates: str | None = None,
    costs: Costs | None = None,
    timed: Costs | None = None,
    cost: str | None = None,
    unit: str = "ns",
    name: str = "explorer",
) -> Explorer:
    """The variants of a lab side by side: how often each fails, how, and what it costs.

    Shows every race that was recorded; what the races differ in (threads, GIL, compiler flags and so on) is
    switched by the reader. Rates and intervals are those of `racelab.stats`.

    Args:
        slug: a folder of `ext`, e.g. "lost_update"; or the name of a lab without a recording, if `races` has some.
        variants: those to show, each with what it is called, in this order; one that has only a cost is
            fine. Default: all that were raced.
        races: fresh results of this lab, shown beside the recorded ones.
        rates: a recorded measurement that is shown as races, too: rows with variant, failed, rounds (one
            row for each process) and what they differ in, e.g. "flags" of the lab "folded".
        costs: recorded timings, in `unit`; see `Costs`. Default: the rows of this lab in a measurement "cost",
            of whichever recording, with a variant and `ns`; where one thread's time on a core is known
            (`core_ns`), that.
        timed: the same, of today.
        cost: what costs that, e.g. "one increment". Default: what the rows say that it is ("of").
        unit: of costs.
        name: what links to a view are called; unique on a page.

    Raises:
        ValueError: nothing was raced; a result of another lab; a cost that is no number from 0 on.
        LookupError: no measurement of that name.

    Example:
        >>> living.explorer("cy_counter", cost="one increment")
        Living('explorer')
    """
    seen = _recorded(slug)
    known = [race for race in (seen.races if seen else ()) if race.lab == slug and race.ran]
    rows = seen.rows(rates) if seen and rates else []
    if rates and not seen:
        raise LookupError(
            f"nothing is recorded for {slug!r}, so there is no measurement {rates!r}."
        )
    abouts = [str(seen.about)] if seen else []
    if costs is None:
        costs, places = _recorded_costs(slug)
        named = (row["of"] for row in costs if "of" in row and row["lab"] == slug)
        cost = cost or next(named, None)
        other = dict.fromkeys(place for place in places if place not in abouts)
        abouts += [place.replace("Recorded", "Costs were recorded", 1) for place in other]
    timings = [*_timings(costs, slug, fresh=False), *_timings(timed or {}, slug, fresh=True)]
    about = " ".join(abouts)

    def build(fresh: Sequence[Result]) -> _Parts:
        others = {race.lab for race in fresh} - {slug}
        if others:
            raise ValueError(f"{', '.join(sorted(others))}: this figure is about {slug}.")
        if not (known or fresh or rows):
            raise ValueError(
                f"{slug}: nothing was recorded, and no result was given; there is nothing to show."
            )
        state = _state(known, rows, fresh, variants, timings)
        notes = _notes(slug, [key for key, _ in state["variants"]])
        state.update(cost=cost or "one call", unit=unit, about=about, notes=notes)
        question = next((race.question for race in [*fresh, *known] if race.question), "")
        how = _reading(state)
        caption = f"{slug}: {question} {how} {about}".strip()
        return _Parts(state, caption, _still(state), name, how)

    return Explorer(build, _merged(races))


def _reading(state: Mapping[str, Any]) -> str:
    """How the figure is read, for its caption; the table on paper has none of this."""
    said = [
        "Open a variant for its outcomes.",
        "An upright is an estimate and the bar its interval;",
        "an arrow begins at the bound, because nothing forbidden was seen"
        + ("; circles are timings, the upright their median." if state["costs"] else "."),
    ]
    if state["costs"] and state["fields"]:
        said.append("Timings were made apart from the races: these switches do not change them.")
    if any(one["fresh"] for one in state["races"]):
        said.append("Today's rate is a disc on a thin line, or a square with an arrow.")
    if len({one["fresh"] for one in state["races"]}) == 2:
        said.append("Rows are put in order by what was recorded, where it was.")
    return " ".join(said)


@dataclass(frozen=True)
class _Parts:
    """What a figure is made of."""

    state: dict[str, Any]
    caption: str
    still: str
    name: str
    how: str


def _recorded(slug: str) -> Any:
    """The recording that has the races of a lab: the one of its name, else the first in which it was raced."""
    from racelab.recording import recorded

    try:
        return recorded(slug)
    except FileNotFoundError:
        pass
    for other, lines in _mentions(slug):
        if any("measurement" not in line and line.get("lab") == slug for line in lines):
            return recorded(other)
    return None  # a lab of a notebook, or no book around it


def _notes(slug: str, variants: Iterable[str]) -> dict[str, str]:
    """What the source of each variant says of itself, and where it is; nothing for a lab of a notebook."""
    from racelab.lab import find_lab
    from racelab.show import find_ext

    try:
        lab, book = find_lab(slug), find_ext().parent
    except (LookupError, ValueError, OSError):
        return {}
    found = {}
    for key in variants:
        source = next((file for file in lab.source_files(key) if file.is_file()), None)
        text = source.read_text(encoding="utf-8")[:4000] if source else ""
        said = re.search(r"^(?: \*|#|//) (Bug|Repair) +(.+(?:\n(?: \*|#|//) {4,}.+)*)", text, re.M)
        if source and said and source.is_relative_to(book):
            words = " ".join(re.sub(r"\n(?: \*|#|//)", " ", said[2]).split())
            found[key] = f"{said[1]}: {words} Source: {source.relative_to(book)}"
    return found


def _mentions(slug: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Recordings in which a lab is named: what each is called, and the lines that name it."""
    from racelab.show import find_ext

    try:
        folder = find_ext().parent / "notebooks/recorded"
    except FileNotFoundError:
        return
    named = f'"lab":{json.dumps(slug)}'
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if named in line]
        if found:
            yield path.stem, found


def _merged(results: Iterable[Result]) -> list[Result]:
    fresh: list[Result] = []
    for result in results:
        fresh = _with(fresh, result)
    return fresh


def _with(fresh: Sequence[Result], result: Result) -> list[Result]:
    """Results with one more: added to the one that it repeats, in place of one that it replaces."""
    kept = []
    for old in fresh:
        if old.variant == result.variant and _conditions(old) == _conditions(result):
            try:
                result = merge([old, result])
            except ValueError:
                continue
        else:
            kept.append(old)
    return [*kept, result]


def _onoff(value: object) -> str:
    return "on" if value else "off"


#: What races may differ in: attribute, what it is called, and a value in words.
FIELDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "threads": ("Threads", str),
    "gil": ("GIL", _onoff),
    "widened": ("Window", lambda value: "held open (widened)" if value else "as it is"),
    "mode": ("Mode", str),
    "release": ("Released by", str),
    "burst": ("Burst", str),
    "flags": ("Compiled with", lambda value: " ".join(value) or DEFAULT_FLAGS[0]),
    "sanitizer": ("Sanitizer", lambda value: value or "none"),
    "python": (
        "Interpreter",
        lambda value: value.replace(" experimental free-threading build", "t"),
    ),
    "machine": ("Machine", str),
}
#: Where something ran is no reason not to set fresh beside recorded; what it did is.
PLACE = ("python", "machine")


def _conditions(race: Result) -> dict[str, str]:
    return {key: words(getattr(race, key)) for key, (_, words) in FIELDS.items()}


def _state(
    known: Sequence[Result],
    rows: Sequence[Mapping[str, Any]],
    fresh: Sequence[Result],
    variants: Mapping[str, str] | None,
    timings: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Everything that the figure shows, but for words around it."""
    raced = [
        *((race.variant or "", _conditions(race), _race(race, fresh=False)) for race in known),
        *_measured(rows),
        *((race.variant or "", _conditions(race), _race(race, fresh=True)) for race in fresh),
    ]
    if variants is None:
        wanted = {key: key or "this lab" for key, _, _ in raced}
        wanted = dict(sorted(wanted.items(), key=lambda one: not one[0].startswith("broken")))
    else:
        wanted = dict(variants)
    raced = [one for one in raced if one[0] in wanted]
    kinds = list(dict.fromkeys(one["kind"] for one in timings if one["variant"] in wanted))
    fields = _switches(raced)
    races = [
        {"variant": key, "at": [_value(field, at, race) for field in fields], **race}
        for key, at, race in raced
    ]
    return {
        "variants": [[key, text] for key, text in wanted.items()],
        "fields": [
            {
                "label": FIELDS.get(field, (field, str))[0],
                "options": list(
                    dict.fromkeys(
                        value for one in races if (value := one["at"][number]) is not None
                    )
                ),
            }
            for number, field in enumerate(fields)
        ],
        "races": races,
        "kinds": kinds,
        "costs": [one for one in timings if one["variant"] in wanted],
        "at": _first(races),
    }


def _value(field: str, at: Mapping[str, str], race: Mapping[str, Any]) -> str | None:
    """A condition; None where it does not matter."""
    return None if race["fresh"] and field in PLACE else at.get(field)


def _switches(raced: Sequence[tuple[str, Mapping[str, str], Mapping[str, Any]]]) -> list[str]:
    """The conditions in which races differ."""
    names = list(dict.fromkeys(name for _, at, _ in raced for name in at))
    values = {name: {_value(name, at, race) for _, at, race in raced} - {None} for name in names}
    return [name for name in names if len(values[name]) > 1]


def _first(races: Sequence[Mapping[str, Any]]) -> list[str]:
    """The conditions to begin with: of what is fresh, else those that most variants were raced in."""
    options = [[one["at"][i] for one in races] for i in range(len(races[0]["at"]))] if races else []
    plain = [next((value for value in values if value is not None), "") for values in options]
    fresh = [one for one in races if one["fresh"]]
    if fresh:
        latest = fresh[-1]["at"]
        return [b if a is None else a for a, b in zip(latest, plain, strict=True)]
    often = Counter(tuple(one["at"]) for one in races).most_common(1)
    return [b if a is None else a for a, b in zip(often[0][0], plain, strict=True)] if often else []


def _rate(rate: stats.Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {
        "failed": rate.failed,
        "low": _short(rate.low),
        "mid": _short(rate.estimate),
        "high": _short(rate.high),
        "words": str(rate),
    }


def _short(value: float) -> float:
    """Four digits draw as well as seventeen."""
    return float(f"{value:.4g}")


def _race(race: Result, *, fresh: bool) -> dict[str, Any]:
    """One race: its rates, its outcomes, and the conditions and cautions in words."""
    said = [
        one[16:] for one in race.sentences() if one.startswith(("caution", "spread", "conditions"))
    ]
    return {
        "fresh": fresh,
        "round": None if race.mode == "cold" else _rate(race.rate_per_round),
        "repetition": _rate(race.rate_per_repetition),
        "silent": race.calibration_silent,
        "table": race.table(),
        "said": said,
    }


def _measured(
    rows: Iterable[Mapping[str, Any]],
) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    """A measurement's rows as races: those that agree in everything but the counts are the processes of one."""
    counted = ("variant", "failed", "rounds", "process")
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        at = tuple((key, str(value)) for key, value in row.items() if key not in counted)
        groups.setdefault((row["variant"], at), []).append(row)
    found = []
    for (variant, at), group in groups.items():
        failed, runs = [one["failed"] for one in group], [one["rounds"] for one in group]
        rate = stats.rate_per_round(sum(failed), sum(runs))
        spread = stats.spread(failed, runs) if len(group) > 1 else None
        if spread and spread.warning and 0 < sum(failed) < sum(runs):
            rate = stats.cluster_bootstrap(failed, runs)
        again = stats.rate_per_repetition(sum(map(bool, failed)), len(group))
        race = {
            "fresh": False,
            "round": _rate(rate),
            "repetition": _rate(again),
            "silent": False,
            "table": [],
            "said": [spread.warning] if spread and spread.warning else [],
        }
        found.append((variant, dict(at), race))
    return found


def _recorded_costs(slug: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Measurements "cost" that have this lab: its own, and those of others who timed it beside theirs.

    All their rows; and where the others' were recorded.
    """
    from racelab.recording import recorded

    rows, places = [], []
    try:
        kept = {slug: recorded(slug)}
    except FileNotFoundError:
        kept = {}
    # Another recording is read only if one of its measurements names this lab.
    kept |= {
        other: recorded(other)
        for other, lines in _mentions(slug)
        if other != slug and any(line.get("measurement") == "cost" for line in lines)
    }
    for of, seen in kept.items():
        cost = seen.measurements.get("cost")
        found = [
            {"lab": of, **row, "ns": one}
            for row in (cost.rows if cost else ())
            if "variant" in row
            for one in _numbers(row.get("ns"))
        ]
        if any(row["lab"] == slug for row in found):
            rows += found
            places += [str(seen.about)] * (of != slug)
    return rows, places


def _numbers(value: object) -> list[float]:
    """A timing, or several of them; nothing where there is none."""
    many = value if isinstance(value, list) else [value]
    return [one for one in many if isinstance(one, int | float)]


def _kinds(rows: Iterable[Mapping[str, Any]], slug: str) -> dict[str, dict[str, list[float]]]:
    """Rows by what they differ in. One thread alone is timed on its core, where that is known.

    A number with a fraction is measured, not chosen; and what is another with every variant and the same in all
    rows of one is another name of the variant. Neither makes a kind.
    """
    rows = list(rows)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    kinds = [key for key in keys if key not in NO_KIND and not _names_the_variant(key, rows)]
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.get("lab", slug) != slug:
            continue
        kind = ", ".join(
            ("1 thread" if row[key] == 1 else f"{row[key]} threads")
            if key == "threads"
            else str(row[key])
            for key in kinds
            if isinstance(row.get(key), str | int)
        )
        ns = row.get("core_ns", row["ns"]) if row.get("threads", 1) == 1 else row["ns"]
        found.setdefault(kind, {}).setdefault(row["variant"], []).append(ns)
    return found


#: Columns of a timing that are no condition of it.
NO_KIND = ("lab", "variant", "of", "ns", "core_ns")


def _names_the_variant(key: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether each variant has a value of its own in this column, and one only."""
    values: dict[tuple[Any, ...], set[str]] = {}
    for row in rows:
        values.setdefault((row.get("lab"), row["variant"]), set()).add(str(row.get(key)))
    every = [value for one in values.values() for value in one]
    return len(values) > 1 and len(every) == len(values) == len(set(every))


def _timings(costs: Costs, slug: str, *, fresh: bool) -> list[dict[str, Any]]:
    nested: Mapping[str, Any] = costs if isinstance(costs, Mapping) else _kinds(costs, slug)
    if not any(isinstance(value, Mapping) for value in nested.values()):
        nested = {"": nested} if nested else {}
    found = []
    for kind, variant in itertools.chain.from_iterable(
        ((kind, one) for one in timed) for kind, timed in nested.items()
    ):
        values = sorted(float(value) for value in nested[kind][variant])
        if not values or not 0 <= values[0] <= values[-1] < float("inf"):
            raise ValueError(
                f"{variant}: a cost is a list of numbers from 0 on, not {values!r:.60}."
            )
        found.append(
            {
                "variant": variant,
                "kind": kind,
                "fresh": fresh,
                "mid": _short(median(values)),
                "all": [_short(value) for value in values],
            }
        )
    return found


def _amount(value: float) -> str:
    """A cost as people read it: 12.3, or 68,350, and never with an exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{Decimal(f'{value:.3g}'):f}"


def _still(state: Mapping[str, Any]) -> str:
    """The rows that the figure begins with, as a table for paper."""
    kind = state["kinds"][0] if state["kinds"] else None
    rows = []
    for key, text in state["variants"]:
        races = [
            one
            for one in state["races"]
            if one["variant"] == key
            and all(a in (None, b) for a, b in zip(one["at"], state["at"], strict=True))
        ]
        said = [
            ("today: " if one["fresh"] else "")
            + (one["round"] or one["repetition"] or {}).get("words", "could not run")
            for one in races
        ]
        costs = [
            _amount(one["mid"])
            for one in state["costs"]
            if (one["variant"], one["kind"]) == (key, kind)
        ]
        cells = [text, "; ".join(said) or "not raced", "; ".join(costs) or "not timed"]
        rows.append(
            "".join(f"<td>{html.escape(cell)}</td>" for cell in cells[: 2 + bool(state["kinds"])])
        )
    heads = ["variant", "how often it failed"]
    if state["kinds"]:
        heads.append(", ".join(filter(None, [state["cost"], kind])) + f" ({state['unit']}, median)")
    head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    at = ", ".join(
        f"{field['label']}: {value}"
        for field, value in zip(state["fields"], state["at"], strict=True)
    )
    caption = f"Variants side by side{f' ({at})' if at else ''}"
    return f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
