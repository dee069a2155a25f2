"""The page *Who finds it?* from its recording."""

import html
import re
from collections import Counter
from pathlib import Path

from racelab.lab import labs

EXT = Path(__file__).resolve().parent.parent
TOOLS = {
    "racelab": "racelab",
    "tsan": "TSan",
    "asan": "ASan",
    "debug": "debug",
    "plugin": "pytest plugin",
}
#: Broken sources without a lab in their folder, most because nothing that a call returns is wrong: what shows them, where.
ELSEWHERE = {
    "planted": (
        "05_plugins.md",
        "six bugs in one module, before five tools of their own; "
        "one of them is raced in [chapter 14](../notebooks/14_tsan.md)",
    ),
    "interpreter": (
        "01_interpreter.md",
        "no race: it says nothing about the GIL, and so gets it back",
    ),
    "attached": ("02_attached.md", "others wait: the time is measured that a pause takes"),
    "foreign_thread": (
        "02_attached.md",
        "one thread is enough: it calls Python without a thread state",
    ),
    "false_sharing": ("06_lost_update.md", "nothing is wrong but the time that it takes"),
    "thread_end": ("07_per_thread.md", "what is left behind when threads end is counted"),
    "unsafe_library": ("09_unsafe_library.md", "others wait for ever: the chapter ends them"),
    "collector": ("12_critical_section.md", "others wait: the time is measured that a pause takes"),
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
        exact = [path for one in labs() if one.name == lab for path in one.source_files(variant)]
    return exact[0] if exact else None


def chapter(lab, variant):
    """The chapter that a source's header names, as (file, label)."""
    path = source(lab, variant)
    text = path.read_text(encoding="utf-8") if path else ""
    found = re.search(r"Lesson +notebooks/((\d\d)_\w+\.md)", text)
    return (found[1], found[2]) if found else None


def cell(row):
    """What one tool did, in a few words."""
    if row is None or row["said"] == "not here":
        return "not here"
    if row["said"] == "could not be run":
        return row["said"]
    if not row["found"]:
        return "no"
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
        name = f"`{lab}`" + ("" if variant == "broken" else f" {variant.replace('_', ' ')}")
        cells = [cell(seen.get(tool)) for tool in TOOLS]
        lines.append(f"| {name} | {link} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def totals(recorded):
    """How many each tool found, as a table."""
    every = rows(recorded)
    lines = ["| tool | found | of |", "|---|--:|--:|"]
    found = Counter(tool for seen in every.values() for tool, row in seen.items() if row["found"])
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
        f"- `{slug}`, [chapter {file[:2]}](../notebooks/{file}): {why}."
        for slug, (file, why) in sorted(ELSEWHERE.items(), key=lambda item: item[1])
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
