"""A report of ThreadSanitizer with its parts named: `anatomy(transcript)`, a figure made of text."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

#: How the first line of a part begins, its name, what it tells.
PARTS = (
    (r"WARNING:", "what", "The kind of report, and the process."),
    (
        r"  (?:Write|Read|Atomic)",
        "access 1",
        "What this thread did, to which address, and who it is.",
    ),
    (r"  Previous", "access 2", "The earlier access to the same address. Nothing orders the two."),
    (r"  (?:Location|As if)", "memory", "Whose memory it is, where that is known."),
    (r"  Thread", "thread", "Who this thread is: still running or finished, and who started it."),
    (r"SUMMARY:", "summary", "One line, of access 1 alone. It is not the whole story."),
)
OWN = re.compile(r"#\d+ \S+ (?!cpython/)\S+\.(?:c|cpp|pyx)[:\d]*")
EDGES = {"T1": "#0072b2", "T2": "#d55e00"}


@dataclass(frozen=True)
class Part:
    """A piece of a report: its name, what it tells, its lines as written, whose it is."""

    name: str
    tells: str
    lines: tuple[str, ...]
    thread: str


def parts(text: str) -> list[Part]:
    """The first report of a text, taken to pieces; frames of the interpreter are counted."""
    begin = text.index("WARNING: ThreadSanitizer")
    found: list[Part] = []
    for block in re.split(r"\n\n|\n(?=  Write|  Read)|\n(?=SUMMARY)", text[begin:]):
        for start, name, tells in PARTS:
            if re.match(start, block):
                thread = re.search(r"\bthread (T\d)", block.splitlines()[0], re.IGNORECASE)
                found.append(Part(name, tells, _folded(block), thread[1] if thread else ""))
        if block.startswith("SUMMARY"):
            break
    return found


def _folded(block: str) -> tuple[str, ...]:
    lines: list[str] = []
    others = 0
    for line in block.splitlines():
        if line.startswith("====="):
            break
        if not line.startswith("    #") or OWN.search(line):
            lines.append(line)
        else:
            others += 1
    if others:
        lines.append(f"    ... {others} frames of the interpreter")
    return tuple(lines)


class Anatomy:
    """The parts of a report, one under the other, each with its name and what it tells."""

    def __init__(self, text: str, stamp: str) -> None:
        self.parts = parts(text)
        self.stamp = stamp

    def __str__(self) -> str:
        lines = []
        for number, part in enumerate(self.parts, 1):
            lines += [f"({number}) {part.name}: {part.tells}", *part.lines, ""]
        return "\n".join([*lines, self.stamp])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Anatomy(...)")

    def _repr_html_(self) -> str:
        rows = "".join(_row(number, part) for number, part in enumerate(self.parts, 1))
        return f"<div>{rows}<p><em>{html.escape(self.stamp)}</em></p></div>"


def _row(number: int, part: Part) -> str:
    edge = EDGES.get(part.thread, "#767676")
    said = "\n".join(part.lines)
    return (
        f'<div style="border-left:5px solid {edge};padding:.1em 0 .1em .8em;margin:.5em 0">'
        f'<p style="margin:.1em 0"><strong>{number} {html.escape(part.name)}</strong> '
        f"{html.escape(part.tells)}</p>"
        f'<pre tabindex="0" style="margin:.2em 0;overflow-x:auto">{html.escape(said)}</pre></div>'
    )


def anatomy(transcript: Any) -> Anatomy:
    """Of a session that ended with a report."""
    return Anatomy(transcript.output, transcript.stamp)
