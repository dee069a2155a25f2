"""The page *Who finds it?* from its recording."""

import functools
import html
import re
import sys
from collections import Counter
from pathlib import Path

from racelab.lab import labs, load_labs

EXT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(EXT / "detection"))
from about_the_bug import is_about_the_bug  # noqa: E402

TOOLS = {
    "racelab": "racelab",
    "tsan": "TSan",
    "asan": "ASan",
    "debug": "debug",
    "plugin": "pytest plugin",
}
#: Why a broken source has no row; no other reason counts.
MEASURED = "nothing wrong to find: only measured"
REFUSED = "found before any tool runs: the import itself says it"
#: Folders of such sources: the chapter that shows them, the reason, and what there is to see.
ELSEWHERE = {
    "interpreter": (
        "01_interpreter.md",
        REFUSED,
        "it says nothing about the GIL, and so gets it back; every tool here refuses to race it",
    ),
    "attached": ("02_attached.md", MEASURED, "the time that a pause takes while others wait"),
    "false_sharing": ("06_lost_update.md", MEASURED, "the time that a right answer takes"),
    "collector": (
        "12_critical_section.md",
        MEASURED,
        "the time that a pause takes while others wait",
    ),
}


def rows(recorded):
    """(lab, variant) to tool to row, in the order of the labs."""
    found = {}
    for name in sorted(recorded.measurements):
        for row in recorded.rows(name):
            found.setdefault((row["lab"], row["variant"]), {})[row["tool"]] = row
    return found


def source(lab, variant):
    """The file of a variant; None where the lab has none."""
    known = sorted(EXT.glob(f"*/{lab}_{variant}.*")) or sorted(EXT.glob(f"*/*_{variant}.*"))
    exact = [path for path in known if path.stem == f"{lab}_{variant}"]
    if not exact:  # a lab that shares its folder with others
        exact = files(lab, variant)
    return exact[0] if exact else None


def chapter(lab, variant):
    """The chapter that a source's header names, as (file, label)."""
    path = source(lab, variant)
    text = path.read_text(encoding="utf-8") if path else ""
    found = re.search(r"Lesson +notebooks/((\d\d)_\w+\.md)", text)
    return (found[1], found[2]) if found else None


@functools.cache
def every():
    """All labs that have rows, by name."""
    return {one.name: one for one in [*labs(), *load_labs(EXT / "detection/more.py")]}


def files(lab, variant):
    """The sources of a variant; none where no lab has that name."""
    return every()[lab].source_files(variant) if lab in every() else []


def counts(row):
    """Whether a tool has found the bug, and not something else in the same module."""
    if not row["found"] or row.get("tool") != "tsan":
        return row["found"]
    return is_about_the_bug(row["said"], files(row["lab"], row["variant"]))


def cell(row):
    """What one tool did, in a few words."""
    if row is None or row["said"] == "not here":
        return "not here"
    if row["said"] == "could not be run":
        return row["said"]
    if not row["found"]:
        return "no"
    if not counts(row):
        return "something else"
    crashed = " (crash)" if row["said"].startswith(("SEGV", "BUS", "crash")) else ""
    return f"**{row['seconds']:.2g} s**{crashed}"


def table(recorded):
    """One line per broken variant, one column per tool."""
    lines = [
        "| broken variant | chapter | " + " | ".join(TOOLS.values()) + " |",
        "|---" * (len(TOOLS) + 2) + "|",
    ]
    for (lab, variant), seen in rows(recorded).items():
        where = chapter(lab, variant)
        link = f"[{where[1]}](../notebooks/{where[0]})" if where else "none"
        name = f"`{lab}`" + ("" if variant == "broken" else f" `{variant}`")
        cells = [cell(seen.get(tool)) for tool in TOOLS]
        lines.append(f"| {name} | {link} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def totals(recorded):
    """How many each tool found, as a table."""
    every = rows(recorded)
    lines = ["| tool | found | of |", "|---|--:|--:|"]
    found = Counter(tool for seen in every.values() for tool, row in seen.items() if counts(row))
    ran = Counter(tool for seen in every.values() for tool, row in seen.items() if row["processes"])
    for tool, words in TOOLS.items():
        lines.append(f"| {words} | {found[tool]} | {ran[tool]} |")
    return "\n".join(lines)


def words(recorded):
    """What was said, folded: a table for each tool."""
    parts = []
    for tool, name in TOOLS.items():
        lines = []
        for (lab, variant), seen in rows(recorded).items():
            row = seen.get(tool)
            if row is None or not row["said"]:
                continue
            before = "" if row["found"] else "not found; its processes ended: "
            if row["found"] and not counts(row):
                before = "not counted, a race at another place: "
            lines.append(
                f"<li><code>{lab} {variant}</code>: {before}{html.escape(row['said'])}</li>"
            )
        parts.append(
            f"<details><summary>{name}: what it said</summary><ul>{''.join(lines)}</ul></details>"
        )
    return "\n".join(parts)


def elsewhere():
    """The broken sources that have no row, and where they are shown."""
    lines = [
        "| broken source | chapter | why it has no row | what there is to see |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{slug}` | [{file[:2]}](../notebooks/{file}) | {reason} | {seen} |"
        for slug, (file, reason, seen) in sorted(ELSEWHERE.items(), key=lambda item: item[1])
    ]
    return "\n".join(lines)


def given(recorded):
    """How long each tool looked at each variant, in words."""
    known = {row.get("given", 2.0) for one in recorded.measurements.values() for row in one.rows}
    return " or ".join(f"{seconds:g} s" for seconds in sorted(known))


def stamp(recorded):
    """Where and when."""
    known = list(recorded.measurements.values())
    dates = sorted({row["date"] for one in known for row in one.rows})
    machines = sorted({one.machine for one in known})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"Recorded {when} on {'; '.join(machines)}, Python {known[0].python}."
