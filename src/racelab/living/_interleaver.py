"""Who goes next: the threads of a lab, step by step, in the reader's order."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from racelab.living._figure import Living

if TYPE_CHECKING:
    from racelab.result import Result


def interleaver(
    slug: str,
    variant: str = "broken",
    *,
    variants: Mapping[str, str] | None = None,
    races: Mapping[str, Result] | None = None,
    name: str = "interleaver",
) -> Living:
    """Who goes next? The threads of a lab step by step, in the order that the reader chooses.

    What the threads do is said by ``ext/<slug>/steps.js``; their lines are read from the C files here.

    Args:
        slug: a folder of `ext` with a steps.js, e.g. "lost_update".
        variant: the one it begins with.
        variants: those to choose from, each with what it is called. Default: `variant` and "fixed".
        races: variant to a result of `race`, of today: how often each outcome was seen, beside the number of
            schedules. Where there is none, or one of few rounds: what was recorded, the unwidened races without GIL.
        name: what links to a view are called; unique on a page.

    Raises:
        FileNotFoundError: no such lab or variant, or the lab has no steps.
        ValueError: steps.js does not know one of the variants; a race of another lab or variant.

    Example:
        >>> living.interleaver("lost_update", variants={"broken": "plain long", "fixed": "atomic"})
        Living('interleaver')
    """
    from racelab.show import find_ext, source_file

    path = find_ext() / slug / "steps.js"
    if not path.is_file():
        known = ", ".join(sorted(found.parent.name for found in path.parents[1].glob("*/steps.js")))
        raise FileNotFoundError(f"ext/{slug} has no steps.js; these have one: {known}.")
    steps = path.read_text(encoding="utf-8")
    chosen = dict(variants or {variant: variant, "fixed": "fixed"})
    unknown = [
        one for one in {variant: "", **chosen} if not re.search(rf"^    {one}: ", steps, re.M)
    ]
    if unknown or variant not in chosen:
        raise ValueError(
            f"{', '.join(unknown) or variant}: not a variant that ext/{slug}/steps.js plays and you chose."
        )
    # Every number that steps.js mentions: a few too many do no harm.
    wanted = sorted({int(n) for n in re.findall(r"\b\d+\b", steps)})
    lines = {}
    for one in chosen:
        text = source_file(slug, one).read_text(encoding="utf-8").splitlines()
        lines[one] = {n: _code(text[n - 1]) for n in wanted if 0 < n <= len(text)}
    seen, source = _seen(slug, chosen, races)
    grades = _grades(slug)
    state = {
        "steps": steps,
        "variant": variant,
        "variants": list(chosen.items()),
        "lines": lines,
        "grades": grades,
        "observed": seen,
        "source": source,
    }
    how = (
        "Choose with the buttons; or, once you are in the figure, with the keys a, b and so on: "
        "each lets one thread go a step (u: undo, r: reset)."
    )
    still = _interleaver_still(steps, variant, lines[variant], grades)
    return Living("interleaver", state, f"Who goes next? {how}", still, name, how)


#: What steps.js says of a schedule for paper: a thread, the lines it runs, and what that does.
_STEP = re.compile(r'([ABC])([\d+]*)(?:"([^"]*)")?')


def _code(line: str) -> str:
    """A line of C without its comment, which says what the reader is to find."""
    return re.sub(r"\s*/\*.*?\*/", "", line).strip()


def _escaped(code: str) -> str:
    """C as HTML; no line ends inside of an arrow."""
    return html.escape(code).replace("-&gt;", '<span class="rl-whole">-&gt;</span>')


def _grades(slug: str) -> dict[str, tuple[bool, str]]:
    """Outcome to whether it is broken and why; empty where a folder has no lab, and steps.js says it itself."""
    from racelab.lab import FORBIDDEN, load_labs
    from racelab.show import find_ext

    file = find_ext() / slug / "lab.py"
    labs = [lab for lab in load_labs(file) if lab.name == slug] if file.is_file() else []
    return {
        label: (grade.name == FORBIDDEN.name, grade.text)
        for lab in labs
        for label, grade in lab.outcomes.items()
    }


#: So few rounds say little of how often an outcome comes, and nothing of one that did not.
FEW = 50


def _seen(
    slug: str, variants: Iterable[str], fresh: Mapping[str, Result] | None
) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
    """How often each outcome of a variant was seen, and in which races: today's, where those are not a few rounds only."""
    from racelab.recording import recorded

    try:
        kept = recorded(slug).results(gil=False, lab=slug)
    except FileNotFoundError:
        kept = {}
    today = dict(fresh or {})
    others = {race.lab for race in today.values()} - {slug}
    if others or not today.keys() <= set(variants):
        wrong = ", ".join(sorted(others or today.keys() - set(variants)))
        raise ValueError(f"races: {wrong}: give races of {slug}, by the variants that are shown.")
    counts, source = {}, {}
    for one in variants:
        there = [
            ({label: n for label, n in races[one].outcomes.items() if n}, when)
            for races, when in ((today, "today"), (kept, "recorded"))
            if one in races
        ]
        if not there:
            continue
        counts[one], when = there[0]
        if sum(counts[one].values()) < FEW:
            # Where the first round hangs, a race ends with it: as if it always hung.
            counts[one], when = max(there, key=lambda found: sum(found[0].values()))
        many = sum(counts[one].values())
        rounds = f"{many:,} {'round' if many == 1 else 'rounds'}"
        source[one] = f"Seen in {rounds} {when} (a hang or a crash counts as one)"
    return counts, source


def _interleaver_still(
    steps: str, variant: str, lines: Mapping[int, str], grades: Mapping[str, tuple[bool, str]]
) -> str:
    """A schedule that fails, as a table; without one, the lines that the variant runs."""
    listed = re.search(rf"^    {variant}: `(.*)`,$", steps, re.M)
    if listed is None:
        return f"<p>{html.escape(variant)}: none of the schedules fails.</p>"
    schedule, _, end = listed[1].partition(" | ")
    threads, _, ends = end.partition(" ")
    run = _STEP.findall(schedule)
    rows = []
    for number, (who, numbers, note) in enumerate(run, start=1):
        code = " ".join(lines[int(n)] for n in numbers.split("+") if n)
        said = ": ".join(
            filter(None, (f"<code>{_escaped(code)}</code>" * bool(code), html.escape(note)))
        )
        cells = "".join(f"<td>{said if one == who else ''}</td>" for one in threads)
        rows.append(f"<tr><td>{number}</td>{cells}</tr>")
    label, *waits = ends.split("; ")
    why = grades.get(label, (True, ""))[1]
    said = "; ".join([f"{label} ({why})" if why else label, *waits])
    rows.append(f'<tr><td>then</td><td colspan="{len(threads)}">{html.escape(said)}</td></tr>')
    heads = "".join(
        f'<th scope="col">{head}</th>' for head in ("step", *(f"thread {one}" for one in threads))
    )
    return (
        "<table><caption>A schedule that fails</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
