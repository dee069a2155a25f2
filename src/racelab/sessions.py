"""Sessions: runs of outside tools that a chapter shows, live where the tools are, else as they were recorded.

``ext/<slug>/sessions.py`` declares them:

    SESSIONS = {
        "gdb_crash": Session(
            title="gdb on a borrowed reference that was freed",
            command="racelab debug borrowed_ref --batch 'thread apply all bt'",
            run=gdb("borrowed_ref", "broken", "run", "thread apply all bt"),
            needs=("gdb",),
            shape=(r"received signal (SIG\\w+)", r"(shelf_first) .*borrowed_ref_broken\\.c:"),
        ),
    }

``DEPENDS`` names the other folders of `ext` that they use. `racelab record slug` keeps each as a row of ``notebooks/recorded/<slug>.jsonl``; `session` shows it. The *shape* says
which functions and lines an output must name, in this order: it is what a fresh one and the recorded one must share.
"""

from __future__ import annotations

import functools
import html
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from racelab import toolbox
from racelab.outside import Output, clean
from racelab.outside import run as run_outside

__all__ = [
    "Session",
    "Transcript",
    "debugger",
    "load_sessions",
    "program",
    "pytest_under",
    "session",
]

Row = dict[str, Any]
#: A session without an answer in two tries has none to give.
TRIES = 2
CONTEXT = 1
#: An output of so many lines is shown whole.
SHORT = 24
#: Characters of a recorded line that a sentence may quote.
LINE = 60
#: A word of a command that is shown in one piece, also where that is narrow.
WORD = 28


@dataclass(frozen=True)
class Session:
    """One run of an outside tool.

    Attributes:
        title: what it is, one line.
        command: what the reader would type for it; shown on the page.
        run: really runs it, in a watched child with a time limit, and returns its output.
        needs: names of `toolbox.NEEDS`: it runs live where all of them are here.
        shape: regular expressions, each found in a line after the one before. What their groups match must
            be the same today as in the recording (a pattern without groups must be there). Or a function
            from the output to what must be the same, None where the output is not what it should be.
        paths: more paths of this machine, with words for them; see `outside.clean`.
        tidy: done to the output besides: noise of the tool out, say.
        long: whether it takes more than a few seconds: then it is tested by `make test-race` alone.
        tries: how often it is run until its shape is there.
    """

    title: str
    command: str
    run: Callable[[], Output]
    needs: tuple[str, ...] = ()
    shape: tuple[str, ...] | Callable[[str], object | None] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    tidy: Callable[[str], str] | None = None
    long: bool = False
    tries: int = TRIES

    def missing(self) -> list[str]:
        """What it needs and is not here, in words."""
        return toolbox.missing(self.needs)

    def outline(self, text: str) -> list[str] | object | None:
        """The shape of an output; None where it has not the shape that it should have."""
        if callable(self.shape):
            return self.shape(text)
        found = self._matches(text)
        return None if found is None else [_said(match) for _, match in found]

    def telling(self, text: str) -> list[int]:
        """Numbers of the lines, from 0, at which the shape is found."""
        if callable(self.shape):
            return []
        return [number for number, _ in self._matches(text) or ()]

    def lacks(self, text: str) -> str:
        """What the shape wants and an output has not, for its author; "" where it has it all."""
        if callable(self.shape):
            return "" if self.shape(text) is not None else "the shape that it should have"
        number = self._missing(text)
        if number is None:
            return ""
        after = f" after {self.shape[number - 1]!r}" if number else ""
        return f"a line with {self.shape[number]!r}{after}"

    def lacks_of(self, text: str, recorded: str) -> str:
        """The same for a reader, who sees the recorded output instead: what of that the other one has not."""
        number = None if callable(self.shape) else self._missing(text)
        shown = self.telling(recorded)
        if number is None or number >= len(shown):
            return "not all that is told of here"
        line = " ".join(recorded.splitlines()[shown[number]].split())
        return f"no line like \u201c{_cut(line)}\u201d"

    def _missing(self, text: str) -> int | None:
        """Number of the first pattern, from 0, that is not found; None where all are."""
        ends = range(1, len(self.shape) + 1)  # type: ignore[arg-type]
        return next((end - 1 for end in ends if self._matches(text, end) is None), None)

    def _matches(self, text: str, end: int | None = None) -> list[tuple[int, re.Match[str]]] | None:
        assert not callable(self.shape)
        found: list[tuple[int, re.Match[str]]] = []
        lines = text.splitlines()
        number = 0
        for pattern in self.shape[:end]:
            while number < len(lines) and (match := re.search(pattern, lines[number])) is None:
                number += 1
            if number == len(lines):
                return None
            found.append((number, match))  # type: ignore[arg-type]
            number += 1
        return found

    def make(self) -> Row:
        """Run it, again where its shape is not there, and return what is kept of it."""
        row: Row = {}
        for _ in range(max(1, self.tries)):
            seen = self.run()
            text = clean(seen.text, self.paths).rstrip()
            text = self.tidy(text) if self.tidy else text
            row = {
                "command": self.command,
                "output": "\n".join(line.rstrip() for line in text.splitlines()),
                "ending": seen.ending if seen.ended_by != "limit" else "ended by its time limit",
                "status": seen.status,
                "versions": toolbox.versions(self.needs),
                "seconds": round(seen.seconds, 1),
            }
            if self.outline(row["output"]) is not None:
                break
        return row


def _cut(line: str) -> str:
    return line if len(line) <= LINE else f"{line[:LINE].rsplit(maxsplit=1)[0]} ..."


def _said(match: re.Match[str]) -> str:
    groups = [group for group in match.groups() if group is not None]
    return " ".join(groups) if groups else match.re.pattern


# ---------------------------------------------------------------------------------------------------
# Where they are declared, and recorded
# ---------------------------------------------------------------------------------------------------


def declares_sessions(folder: Path) -> bool:
    """Whether a folder of `ext` has a sessions.py of this kind: one that says SESSIONS = ..."""
    path = folder / "sessions.py"
    return path.is_file() and bool(
        re.search(r"^SESSIONS\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE)
    )


def _declarations(slug: str) -> ModuleType:
    from racelab.recording import _import
    from racelab.show import find_ext

    folder = find_ext() / slug
    if not declares_sessions(folder):
        return ModuleType("none")
    return _import(folder / "sessions.py", f"sessions_{slug}")


def load_sessions(slug: str) -> dict[str, Session]:
    """The sessions of a folder of `ext`; none where it declares none.

    Raises:
        ValueError: it declares something else than sessions.
    """
    found = getattr(_declarations(slug), "SESSIONS", {})
    if not isinstance(found, dict) or not all(isinstance(one, Session) for one in found.values()):
        raise ValueError(f"ext/{slug}/sessions.py: SESSIONS is not a dictionary of Session.")
    return dict(found)


def depends(slug: str) -> tuple[str, ...]:
    """Other folders of `ext` that the sessions of this one use: DEPENDS of its sessions.py."""
    return tuple(getattr(_declarations(slug), "DEPENDS", ()))


def measurements(slug: str) -> dict[str, Callable[[], list[Row]]]:
    """The sessions of a folder as what `racelab record` records."""
    return {
        name: functools.partial(_record, f"{slug}: {name}", one)
        for name, one in load_sessions(slug).items()
    }


def _record(name: str, one: Session) -> list[Row]:
    missing = one.missing()
    if missing:
        raise ValueError(f"{name} cannot be recorded here: {'; '.join(missing)}.")
    row = one.make()
    lacks = one.lacks(row["output"])
    if lacks:
        raise ValueError(
            f"{name}: in {one.tries} tries its output had not {lacks}:\n{row['output'][-2000:]}"
        )
    return [row]


# ---------------------------------------------------------------------------------------------------
# Shown
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transcript:
    """A session as a page shows it.

    Attributes:
        title, command: of the session.
        output: what was printed, cleaned.
        ending: how it ended, in words.
        stamp: one sentence: run here, or recorded, where, when, with which versions.
        live: whether it was run here just now.
        telling: numbers of the lines, from 0, that are not folded; all where it is empty.
    """

    title: str
    command: str
    output: str
    ending: str
    stamp: str
    live: bool
    telling: tuple[int, ...] = ()

    @property
    def folded(self) -> str:
        """The telling lines alone, with "..." for the others."""
        lines = self.output.splitlines()
        if not self.telling:
            return self.output
        parts: list[str] = []
        last = -1
        for number in self.telling:
            left = number - last - 1
            if left:
                parts.append(f"... {left} {'line' if left == 1 else 'lines'} ...")
            parts.append(lines[number])
            last = number
        left = len(lines) - last - 1
        if left:
            parts.append(f"... {left} {'line' if left == 1 else 'lines'} ...")
        return "\n".join(parts)

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.folded}\n\n{self.ending}; {self.stamp}"

    def __repr__(self) -> str:
        return f"Transcript({self.command!r}, live={self.live}, {self.ending!r})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Transcript(...)")

    def _repr_html_(self) -> str:
        """A command is as long as it is, and wraps, and so does what a race has shown; other lines of an output do not."""
        result = _ResultLines(self.output)
        shown = _marked(f"$ {self.command}", asked=True) + _marked(self.folded, result)
        mark = "live" if self.live else "recorded"
        edge = "solid" if self.live else "dashed"
        whole = ""
        if self.telling:
            many = len(self.output.splitlines())
            whole = (
                f"<details><summary>All {many} lines</summary>"
                f'<pre tabindex="0">{_marked(self.output, result)}</pre></details>'
            )
        return (
            f'<div class="racelab-session racelab-{mark}" style="border-left:3px {edge} currentColor;padding-left:.8em">'
            f'<p style="margin:.3em 0"><strong>{html.escape(self.title)}</strong> ({mark})</p>'
            f'<pre tabindex="0" style="margin:.3em 0;overflow-x:auto">{shown}</pre>{whole}'
            f'<p style="margin:.3em 0"><em>{html.escape(self.ending)}; {html.escape(self.stamp)}</em></p></div>'
        )


#: How a command is shown, wherever it stands in a transcript.
ASKED = "display:block;padding-left:2ch;text-indent:-2ch;white-space:pre-wrap;overflow-wrap:anywhere;font-weight:600"


def _marked(text: str, result: _ResultLines | None = None, *, asked: bool = False) -> str:
    """Lines for a page: commands, which follow a "$", wrap, and lines of a race's result; all others do not.

    `asked`: all are commands.
    """
    found: list[str] = []
    begun = False  # a command that goes on in the next line
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if asked or begun or line.startswith("$ "):
            found.append(f'<span style="{ASKED}">{_whole_words(line)}</span>')
            begun = line.endswith("\\")
        elif result and line in result.rows:
            before, after = lines[number - 1 : number] or [""], lines[number + 1 : number + 2]
            found.append("" if before[0] in result.rows else '<span style="display:table">')
            found.append(result.row(line))
            found.append("" if after and after[0] in result.rows else "</span>")
        elif result and line in result.said:
            found.append(result.sentence(line))
        else:
            found.append(f"{html.escape(line)}\n")
    return "".join(found)


class _ResultLines:
    """Which lines of an output are of what a race has shown, and how these fit where it is narrow.

    The table of outcomes is wider than a page's column, and so is many a sentence below it: a grade, the word that
    matters, would be cut off. In a cell or beside its label a text wraps, and stays in its column.
    """

    HEAD = re.compile(r"^outcome +rounds +repetitions +grade +why$")
    #: Where the texts begin that stand below the table, beside their labels.
    LABEL = 16

    def __init__(self, output: str) -> None:
        #: Each row of a table, and where in it columns begin or end.
        self.rows: dict[str, tuple[int, int, int, int]] = {}
        self.said: set[str] = set()
        begun = table = False
        last = ""
        for line in output.splitlines():
            if self.HEAD.match(line):
                self.said.add(last)  # what was raced, and the question
                starts = [found.start() for found in re.finditer(r"\S+", line)]
                # Numbers stand at the right of their columns, words at the left.
                rounds, repetitions = starts[1] + len("rounds"), starts[2] + len("repetitions")
                places = rounds, repetitions, starts[3], starts[4]
                begun = table = True
            elif not line:
                table = False
            if table:
                self.rows[line] = places
            elif begun and line:
                self.said.add(line)
            last = line or last

    def row(self, line: str) -> str:
        """A row of the table of outcomes."""
        rounds, repetitions, grade, why = self.rows[line]
        outcome, _, count = line[:rounds].rpartition("  ")
        cells = [
            (outcome.strip(), "padding-right:2ch;white-space:normal"),
            (count.strip(), "padding-right:1ch;text-align:right"),
            (line[rounds:repetitions].strip(), "padding-right:1ch;text-align:right"),
            (line[grade:why].strip(), "padding-right:1ch"),
            (line[why:].strip(), "white-space:normal"),
        ]
        made = "".join(
            f'<span style="display:table-cell;{style}">{html.escape(text)} </span>'
            for text, style in cells
        )
        return f'<span style="display:table-row">{made}</span>'

    def sentence(self, line: str) -> str:
        """A line above or below the table, wrapped below where its text begins."""
        indent = len(line) - len(line.lstrip())
        labelled = line[: self.LABEL].endswith("  ") and not indent
        beside = self.LABEL if labelled else indent + 2
        style = f"display:block;padding-left:{beside}ch;text-indent:-{beside}ch;white-space:pre-wrap;overflow-wrap:anywhere"
        return f'<span style="{style}">{html.escape(line)}</span>'


def _whole_words(line: str) -> str:
    """A command's line for a page, where an option is not broken after its hyphens; longer words may be."""
    return re.sub(
        r"\S+",
        lambda word: (
            f'<span style="white-space:nowrap">{html.escape(word[0])}</span>'
            if "-" in word[0] and len(word[0]) <= WORD
            else html.escape(word[0])
        ),
        line,
    )


def session(
    slug: str,
    name: str,
    *,
    lines: tuple[int, int] | Literal["all"] | None = None,
    around: str | None = None,
    live: bool | None = None,
) -> Transcript:
    """Run a session where all that it needs is here, else show the recorded one, marked as recorded.

    Args:
        slug: a folder of `ext` that has a sessions.py.
        name: of one of its sessions.
        lines: first and last line to show, counted from 1, or "all", without a fold. Default: all of a
            short output, of a longer one the telling lines of its shape.
        around: show the lines that match this, each with its neighbours, instead.
        live: run it (True), or not (False) unless RACELAB_LIVE is "all": what takes long. Default: where it
            can be, and RACELAB_LIVE is not 0.

    Raises:
        LookupError: there is no such session; the message names those that are there.
        FileNotFoundError: it cannot be run here, and was not recorded.
        ValueError: `live` was asked for, and something that it needs is not here.
    """
    known = load_sessions(slug)
    if name not in known:
        raise LookupError(
            f"ext/{slug} has no session {name!r}; it has: {', '.join(known) or 'none'}."
        )
    one = known[name]
    asked = os.environ.get("RACELAB_LIVE")
    wanted = (asked == "all") if live is False else bool(live or asked != "0")
    missing = one.missing() if wanted else []
    if live and missing:
        raise ValueError(f"{slug}: {name} cannot be run here: {'; '.join(missing)}.")
    if not wanted or missing:
        row, stamp = _recorded(slug, name)
        if missing:
            stamp += f" Not run here: {'; '.join(missing)}."
        elif live is False and asked != "0":
            stamp += f" Not run here: it took {row['seconds']:g} s then; RACELAB_LIVE=all runs it."
        return _transcript(one, row, stamp, live=False, part=(lines, around))
    fresh = one.make()
    if live or not one.lacks(fresh["output"]):
        return _transcript(one, fresh, _stamp_live(fresh), live=True, part=(lines, around))
    row, stamp = _recorded(slug, name)
    stamp += f" A run here just now had {one.lacks_of(fresh['output'], row['output'])}."
    return _transcript(one, row, stamp, live=False, part=(lines, around))


def _stamp_live(row: Row) -> str:
    tools = ", ".join(row["versions"])
    return f"run here just now in {row['seconds']:g} s{', with ' + tools if tools else ''}."


def _recorded(slug: str, name: str) -> tuple[Row, str]:
    from racelab.recording import recorded

    seen = recorded(slug)
    row = seen.rows(name)[0]
    kept = seen.measurements[name]
    said = [f"recorded on {kept.date}", kept.machine, *row["versions"], f"Python {kept.python}"]
    return row, f"{', '.join(said)}."


def _transcript(
    one: Session,
    row: Row,
    stamp: str,
    *,
    live: bool,
    part: tuple[tuple[int, int] | Literal["all"] | None, str | None],
) -> Transcript:
    output = row["output"]
    telling = tuple(_telling(one, output, *part))
    return Transcript(
        title=one.title,
        command=row["command"],
        output=output,
        ending=row["ending"],
        stamp=stamp,
        live=live,
        telling=() if len(telling) == len(output.splitlines()) else telling,
    )


def _telling(
    one: Session,
    output: str,
    lines: tuple[int, int] | Literal["all"] | None,
    around: str | None,
) -> list[int]:
    count = len(output.splitlines())
    if lines is not None:
        first, last = (1, count) if lines == "all" else lines
        return [n for n in range(first - 1, last) if 0 <= n < count]
    if around is not None:
        hits = [n for n, line in enumerate(output.splitlines()) if re.search(around, line)]
    elif count <= SHORT:
        return []
    else:
        hits = one.telling(output)
    near = {n for hit in hits for n in range(hit - CONTEXT, hit + CONTEXT + 1)}
    return sorted(n for n in near if 0 <= n < count)


# ---------------------------------------------------------------------------------------------------
# Ready-made runs
# ---------------------------------------------------------------------------------------------------


def program(
    *command: str | Path,
    timeout_s: float = 60.0,
    env: Mapping[str, str | None] | None = None,
    folder: str | Path | None = None,
) -> Callable[[], Output]:
    """A run of any program; see `outside.run`. "racelab" and "python" are this environment's."""

    def go() -> Output:
        here = Path(sys.executable).parent
        path = {"PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"}
        return run_outside(command, timeout_s=timeout_s, env={**path, **(env or {})}, folder=folder)

    return go


def debugger(
    name: str, lab: str, variant: str | None, *commands: str, seconds: float = 30.0, **more: Any
) -> Callable[[], Output]:
    """A run of gdb or lldb in batch mode on a lab that is raced until its bug shows; see `debuggers.batch`."""

    def go() -> Output:
        from racelab.debuggers import batch

        seen = batch(lab, variant, debugger=name, commands=commands, seconds=seconds, **more)
        lines = [line for line in seen.text.splitlines() if not _NOISE.search(line)]
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
        return Output(text.strip("\n"), seen.status, seen.ended_by, seen.seconds)

    return go


#: What debuggers say about themselves, their settings, and sources of the system that are not here.
_NOISE = re.compile(
    r"^\[Thread debugging using libthread_db|^Using host libthread_db|^\d+\t.*: No such file or directory"
    r"|^\(lldb\) (?:settings set|target create)|^Current executable set to|^warning: Error disabling address space"
)


def post_mortem(
    lab: str, variant: str | None = None, *, with_: str = "gdb", **more: Any
) -> Callable[[], Output]:
    """A run of `racelab post-mortem`; see `debuggers.post_mortem`."""

    def go() -> Output:
        from racelab.debuggers import post_mortem as look

        found = look(lab, variant, debugger=with_, **more)
        return Output(str(found), found.exit_status, "", found.seconds)

    return go


def pytest_under(
    flavor: str,
    *arguments: str | Path,
    timeout_s: float = 120.0,
    env: Mapping[str, str | None] | None = None,
    folder: str | Path | None = None,
) -> Callable[[], Output]:
    """A run of pytest by an interpreter that `make tsan`, `make asan` or `make debug` has made.

    pytest itself comes from this environment: it is pure Python.
    """

    def go() -> Output:
        python = toolbox.interpreter_of(flavor)
        if python is None:
            raise ValueError(f"there is no {flavor} interpreter here: make {flavor}.")
        found = [entry for entry in sys.path if entry.endswith("site-packages")]
        paths = {"PYTHONPATH": os.pathsep.join(found), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [python, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return run_outside(
            command, timeout_s=timeout_s, env={**paths, **(env or {})}, folder=folder
        )

    return go


def typed(*words: str | Path) -> str:
    """Words as one would type them in a shell."""
    return shlex.join(str(word) for word in words)
