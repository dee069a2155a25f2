"""The bug zoo: every broken variant of every lab, by the kind of its bug and by the tools that find it."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from racelab.living._figure import STATIC, Living

#: The tools of the recording `detection`: what each is called, and what counts as found.
TOOLS = {
    "racelab": ("racelab", "a round that ended as the lab forbids, a crash or a hang among them"),
    "tsan": ("TSan", "a report of ThreadSanitizer with the module in one of its stacks"),
    "asan": ("ASan", "a report of AddressSanitizer"),
    "debug": ("debug build", "what a debug interpreter says before it ends itself"),
    "plugin": ("pytest plugin", "a wrong answer, a crash or a hang under pytest-run-parallel"),
}


def zoo(
    rows: Iterable[Mapping[str, Any]] | None = None, *, tool: str = "tsan", name: str = "zoo"
) -> Living:
    """Every bug of the labs, by its kind (``ext/kinds.toml``), and which tool found it after how long.

    Args:
        rows: what was found, one dict for each bug and tool: "lab", "variant", "tool" (a key of `TOOLS`), "found",
            "said", "processes" (0: the tool could not be asked), "seconds", and, if it is known, "given", s. Default: what was recorded of labs,
            ``recorded("detection")``. A bug without a row of a tool was not asked for.
        tool: the one whose answers it begins with; "" for all tools side by side.
        name: what links to a view are called; unique on a page.

    Raises:
        FileNotFoundError: nothing is recorded.
        ValueError: no rows; a tool that is not known; a bug that no kind of ``ext/kinds.toml`` has, or no lab.

    Example:
        >>> living.zoo(tool="asan")
        Living('zoo')
    """
    from racelab.lab import labs
    from racelab.recording import recorded

    about = ""
    if rows is None:
        seen = recorded("detection")
        about = f" {seen.about}"
        known = {lab.name for lab in labs()}  # it also has bugs that no page races
        rows = [
            row for one in seen.measurements.values() for row in one.rows if row["lab"] in known
        ]
    rows = list(rows)
    if not rows:
        raise ValueError("rows: there are none; give one dict for each bug and tool.")
    unknown = sorted({str(row["tool"]) for row in rows} | {tool or "racelab"} - TOOLS.keys())
    if unknown := [one for one in unknown if one not in TOOLS]:
        raise ValueError(f"{', '.join(unknown)}: no tool; these are: {', '.join(TOOLS)}.")
    note = _caption(rows) + about
    tools = [[key, *words] for key, words in TOOLS.items()]
    state = {"tool": tool, "tools": tools, **_bugs(rows)}
    return Living("zoo", state, note, _still(state), name)


def _bugs(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What the figure shows, in few bytes: kinds, labs, chapters, and the bugs in the order of the kinds."""
    import tomllib  # who builds the site may have an older Python

    from racelab.lab import labs
    from racelab.show import find_ext

    kinds = tomllib.loads((find_ext() / "kinds.toml").read_text(encoding="utf-8"))
    order = {bug: kind for kind, one in kinds.items() for bug in one["bugs"]}
    known = {lab.name: lab for lab in labs()}
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        bug = bug_name(row["lab"], row["variant"])
        if bug not in order or row["lab"] not in known:
            raise ValueError(f"{bug}: no kind of ext/kinds.toml has this bug, or no lab.")
        found.setdefault(bug, {"row": row, "seen": {}})["seen"][row["tool"]] = row
    bugs: list[dict[str, Any]] = []
    chapters: dict[str, tuple[str, str]] = {}
    for bug, kind in order.items():
        if bug not in found:
            continue
        row = found[bug]["row"]
        what, chapter = _header(known[row["lab"]].source_files(row["variant"])[0])
        chapters.setdefault(chapter, _chapter(find_ext().parent, chapter))
        seen = [_answer(found[bug]["seen"].get(tool)) for tool in TOOLS]
        bugs.append({"lab": row["lab"], "variant": row["variant"], "kind": kind, "what": what,
                     "chapter": chapter, "seen": seen})  # fmt: skip
    used = {bug["kind"] for bug in bugs}
    return {
        "kinds": [[key, one["name"], one["text"]] for key, one in kinds.items() if key in used],
        "chapters": chapters,
        "questions": {bug["lab"]: known[bug["lab"]].question for bug in bugs},
        "bugs": bugs,
    }


def bug_name(lab: str, variant: str) -> str:
    """As ``ext/kinds.toml`` calls a bug: the lab, and the variant if it is not just `broken`."""
    return lab if variant == "broken" else f"{lab} {variant}"


def _header(source: Path) -> tuple[str, str]:
    """What a broken source says of itself in its first line, and the stem of its chapter."""
    text = source.read_text(encoding="utf-8")
    what = re.search(r"\A(?:/\*|#|//) \S+: (.+?)\. BROKEN ON PURPOSE\.", text)
    lesson = re.search(r"Lesson +notebooks/(\w+)\.md", text)
    if what is None or lesson is None:
        raise ValueError(f"{source.name}: its header says no Lesson, or not what it is.")
    return what[1], lesson[1]


def _chapter(book: Path, stem: str) -> tuple[str, str]:
    """A chapter's title, and the way to it: a page of the site, or the file where there is a kernel."""
    text = (book / f"notebooks/{stem}.md").read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.M)
    ending = "html" if os.environ.get(STATIC) == "1" else "md"
    return (title[1] if title else stem), f"../notebooks/{stem}.{ending}"


def _answer(row: Mapping[str, Any] | None) -> tuple[int, float, str] | None:
    """Found or not, after how long (s), and what was said; None where a tool could not be asked."""
    if row is None or not row["processes"]:
        return None
    return int(row["found"]), row["seconds"], row["said"] if row["found"] else ""


def _caption(rows: list[Mapping[str, Any]]) -> str:
    """What "found" meant, and for how long it was looked: read off the rows."""
    said = "Found: the tool itself said so, in one run."
    missed = [row for row in rows if row["processes"] and not row["found"]]
    if not missed:
        return said
    if all("given" in row for row in missed):
        times = sorted({f"{row['given']:g}" for row in missed}, key=float)
        when = f"in the {' or '.join(times)} s that it was given"
    else:
        took = [row["seconds"] for row in missed]
        times = sorted({f"{min(took):.2g}", f"{max(took):.2g}"}, key=float)
        when = f"after {' to '.join(times)} s"
    return f"{said} Not found: it had said nothing {when}, which proves nothing."


def _still(state: Mapping[str, Any]) -> str:
    """The same as a table, a line for each bug."""
    heads = "".join(f'<th scope="col">{words}</th>' for _, words, _ in state["tools"])
    parts = []
    for key, title, text in state["kinds"]:
        lines = []
        for bug in state["bugs"]:
            if bug["kind"] == key:
                cells = "".join(f"<td>{_cell(one)}</td>" for one in bug["seen"])
                href = state["chapters"][bug["chapter"]][1]
                lines.append(
                    f'<tr><th scope="row"><a href="{href}">{html.escape(called(bug))}</a>: '
                    f"{html.escape(bug['what'])}</th>{cells}</tr>"
                )
        parts.append(
            f'<tbody><tr><th scope="rowgroup" colspan="{len(state["tools"]) + 1}">'
            f"{html.escape(title)}. {html.escape(text)}</th></tr>{''.join(lines)}</tbody>"
        )
    return (
        '<table class="rl-zoo-still"><caption>Bugs by their kind, and after how long each tool found them</caption>'
        f'<thead><tr><th scope="col">bug</th>{heads}</tr></thead>{"".join(parts)}</table>'
    )


def called(bug: Mapping[str, Any]) -> str:
    """A bug's name for readers: the lab, and how it is broken."""
    how = str(bug["variant"]).removeprefix("broken").removeprefix("_").replace("_", " ")
    return f"{bug['lab']} {how}".strip()


def _cell(answer: tuple[int, float, str] | None) -> str:
    if answer is None:
        return "not asked"
    found, seconds, _ = answer
    return f"{seconds:.2g} s" if found else "no"
