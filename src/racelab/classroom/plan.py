"""Timed plans for a class, made from what the chapters say of themselves: ``racelab class plan``.

A chapter's header has its minutes, its folded *Teaching notes* say what can be cut and how long that takes, its
table *Before you start* says what has to be known. Nothing of it is repeated here. What is decided here, and only
here, is which chapters a short class has: `CHOICE`. Needs nothing but the standard library: the book's pages
are made with it, too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racelab.show import find_ext

__all__ = [
    "CHOICE",
    "Chapter",
    "Cut",
    "Plan",
    "Row",
    "add_plan",
    "chapters",
    "exercise_minutes",
    "home_minutes",
    "make_plan",
    "read_chapter",
]

CHOICE: tuple[tuple[str, str], ...] = (
    ("lost_update", "the smallest bug there is, in the steps that every other chapter repeats"),
    ("green", "why the usual test does not see it: the reason for all that follows"),
    ("count", "what a clean run proves, without which no repair can be believed"),
    ("attached", "what a thread still waits for without a GIL; it shows on one core, too"),
    (
        "borrowed_ref",
        "the bug that crashes, and that people find in their own code the same evening",
    ),
    ("critical_section", "the lock that is new with this build, and what it does not do"),
    ("caches", "what nearly every extension has, and the ways to repair it"),
    ("interpreter", "read by everybody before a shorter class: it is the test of the machine, too"),
    ("containers", "two safe calls that are not one"),
    ("unsafe_library", "for those who wrap somebody else's library"),
    ("per_thread", "for those with buffers and error codes in static variables"),
    ("in_cython", "for those who write Cython; they have seen all of it in C by then"),
    ("tsan", "what a sanitizer adds to racing; for those whose CI shall have one"),
    ("gdb", "where everybody is, for those who have a crash or a hang to look at"),
    ("plugins", "what other tools find; best after a class, on one's own tests"),
    ("asan", "memory that is used too late; needs interpreters that take minutes to make"),
    ("errors", "to look things up in, rather than to teach"),
    ("cygdb", "for those who step through Cython, at their own pace"),
)
"""Chapters in the order in which a class gets them as long as there is time, each with the reason."""

LEAST, MOST = 45, 600
OPENING, JOINING, CLOSING, BREAK, LUNCH = 5, 10, 5, 15, 60
FIXED = OPENING + JOINING + CLOSING
STRETCH = 100
"""Minutes after which people need a break."""
TORN = 40
"""A break inside a chapter is as bad as a stretch that is so much longer."""
LUNCH_FROM = 300
"""A class as long as this has lunch in it."""
HAND, HAND_FOR = 5, 90
"""Minutes kept in hand in every so many: a plan without any is late after the first question."""


# ---------------------------------------------------------------------------------------------------
# What chapters say of themselves
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """A part of a chapter that can be left out.

    Attributes:
        what: in the chapter's words.
        minutes: what leaving it out saves.
        only: where it can be left out, if not everywhere: "if the room has written one".
    """

    what: str
    minutes: int
    only: str = ""


@dataclass(frozen=True)
class Chapter:
    """A chapter, as its file describes it.

    Attributes:
        stem: of its file, e.g. "06_lost_update".
        title: its first heading.
        teach, exercise: minutes in class.
        exercises: slugs of its exercises, in the order in which a class takes them.
        promise: what one is able to do after it.
        needs: stems of the chapters without which it cannot be followed.
        notes: its teaching notes, one text each, in Markdown.
        cuts: what can be left out, in the order in which it should be.
    """

    stem: str
    title: str
    teach: int
    exercise: int
    exercises: tuple[str, ...]
    promise: str
    needs: tuple[str, ...]
    notes: tuple[str, ...]
    cuts: tuple[Cut, ...]

    @property
    def slug(self) -> str:
        """Its name without the number."""
        return self.stem.split("_", 1)[1]

    @property
    def spare_cuts(self) -> tuple[Cut, ...]:
        """Those that need not be asked about: no room is in the way."""
        return tuple(cut for cut in self.cuts if not cut.only)

    def note(self, kind: str) -> tuple[str, ...]:
        """The notes of a kind ("Ask", "Demo", "Watch for", ...), without the word."""
        return tuple(
            text[len(kind) :].lstrip(",: ") for text in self.notes if text.startswith(kind)
        )


def chapters(book: Path | None = None) -> dict[str, Chapter]:
    """Every chapter with a number, by its slug, in the book's order.

    Args:
        book: the book's root; found from here by default.

    Raises:
        ValueError: a chapter's header or notes cannot be read; the message names it.
    """
    root = book or find_ext().parent
    found = [read_chapter(path) for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.md"))]
    if not found:
        raise ValueError(f"{root / 'notebooks'} has no chapters: run this inside the book.")
    return {one.slug: one for one in found}


def read_chapter(path: Path) -> Chapter:
    """A chapter from its file.

    Raises:
        ValueError: it has no minutes, or no teaching notes.
    """
    text = path.read_text(encoding="utf-8")
    head = re.search(r"^racelab: *\{(.*)\} *$", text, re.M)
    minutes = {} if head is None else dict(re.findall(r"(teach|exercise): *(\d+)", head[1]))
    notes = re.search(r"<summary>Teaching notes</summary>\n(.*?)</details>", text, re.S)
    if head is None or "teach" not in minutes or notes is None:
        raise ValueError(f"{path.name} has no minutes in its header, or no teaching notes.")
    names = re.search(r"exercises: *\[([^\]]*)\]", head[1])
    title = re.search(r"^# (.+)$", text, re.M)
    promise = re.search(r"^\*\*You will be able to\*\*\s+(.+?)\n\n", text, re.M | re.S)
    said = tuple(" ".join(one.split()) for one in re.split(r"^- ", notes[1], flags=re.M)[1:])
    needs = re.findall(r"^\|[^|]*\| *yes *\|[^|]*?\]\((\d\d_\w+)\.md[^|]*\| *$", text, re.M)
    return Chapter(
        stem=path.stem,
        title=title[1].strip() if title else path.stem,
        teach=int(minutes["teach"]),
        exercise=int(minutes.get("exercise", 0)),
        exercises=tuple(re.findall(r"\w+", names[1])) if names else (),
        promise=" ".join(promise[1].split()) if promise else "",
        needs=tuple(dict.fromkeys(needs)),
        notes=said,
        cuts=tuple(
            cut for one in said if one.startswith("To cut:") for cut in _cuts(one[len("To cut:") :])
        ),
    )


_PART = re.compile(
    r"\*[^*]+\*|\([^()]*(?:\([^()]*\)[^()]*)*\)|[;,]|\band\b|[^*(;,]+?(?=\*|\(|[;,]|\band\b|$)"
)
_ONLY = re.compile(r",? *((?:if|where|for (?:an|one|those))\b[^;.]*)")


def _cuts(note: str) -> Iterator[Cut]:
    """What a note "To cut" names with its minutes: "*A part* (4 min) and *another* (3 min) can be read at home"."""
    said: list[str] = []  # the words of this clause
    waiting: list[str] = []  # clauses whose minutes come later: "*A* and *B* (3 min each)"
    note = note.rstrip(".")
    for found in _PART.finditer(note):
        part = found[0]
        minutes = re.match(r"\((\d+) min\b( each)?", part)
        words = " ".join("".join(said).split())
        if minutes:
            only = _ONLY.match(note, found.end())
            each = [*waiting, words] if minutes[2] else [" and ".join([*waiting, words])]
            for what in each:
                name = re.sub(r"^\*([^*]+)\*$", r"\1", what)
                yield Cut(name, int(minutes[1]), only[1].strip() if only else "")
            said, waiting = [], []
        elif part in (";", ",", "and"):
            if words.startswith("*"):
                waiting.append(words)
            said = []
        else:
            said.append(part)


def plain(text: str) -> str:
    """Markdown as it is read aloud: no stars, no backquotes, links by their words."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).replace("*", "").replace("`", "")


# ---------------------------------------------------------------------------------------------------
# A plan
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of a timetable.

    Attributes:
        at: minutes from the beginning.
        minutes: how long.
        kind: "open", "join", "teach", "exercise", "break", "lunch", "in hand" or "close".
        what: in words.
        chapter: stem of the chapter, or "".
        leave_out: what of the chapter is left out, so that the sum is right.
        exercises: slugs, where it is time for exercises.
    """

    at: int
    minutes: int
    kind: str
    what: str
    chapter: str = ""
    leave_out: tuple[Cut, ...] = ()
    exercises: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A timetable with what goes with it.

    Attributes:
        minutes: of the whole class, breaks and lunch included.
        rows: the timetable; their minutes add up to `minutes`.
        read_before: chapters that these need and that are not among them.
        reasons: (title, reason) of each chapter, where the choice is the book's.
        if_late: (title, part) that can still be left out, of chapters in the order of the day.
        home: exercises for which there is no time in class, each with its chapter.
    """

    minutes: int
    rows: tuple[Row, ...]
    read_before: tuple[Chapter, ...]
    reasons: tuple[tuple[str, str], ...]
    if_late: tuple[tuple[str, Cut], ...]
    home: tuple[tuple[str, Chapter], ...]

    @property
    def at_home(self) -> tuple[str, ...]:
        """Exercises for home, in words."""
        return tuple(f"{name} ({one.title})" for name, one in self.home)

    def as_json(self) -> dict[str, Any]:
        """What ``racelab class plan --json`` prints."""
        return {
            "minutes": self.minutes,
            "rows": [
                {**vars(row), "leave_out": [vars(cut) for cut in row.leave_out]}
                for row in self.rows
            ],
            "read_before": [one.stem for one in self.read_before],
            "reasons": [{"title": title, "why": why} for title, why in self.reasons],
            "if_late": [{"title": title, **vars(cut)} for title, cut in self.if_late],
            "at_home": list(self.at_home),
        }

    def __str__(self) -> str:
        lines = [f"{self.minutes} minutes", "", "from   min"]
        for row in self.rows:
            lines.append(f"{clock(row.at)}  {row.minutes:>4}  {plain(row.what)}")
            lines += [f"{'':<11}  without: {part(cut)}" for cut in row.leave_out]
        lines.append(f"{clock(self.minutes)}        end")
        for head, said in self.lists():
            lines += ["", head, *(_wrapped(one) for one in said)]
        return "\n".join(lines)

    def lists(self) -> Iterator[tuple[str, list[str]]]:
        """What stands under the timetable: a heading and its lines, in plain text; only those with lines."""
        before = [f"{one.title} ({one.teach} min, {one.stem})" for one in self.read_before]
        late = [f"{title}: {part(cut)}" for title, cut in self.if_late]
        reasons = [f"{title}: {why}" for title, why in self.reasons]
        yield from (
            (head, said)
            for head, said in (
                ("To be read before the class", before),
                ("If it gets late, leave out", late),
                ("For home", list(self.at_home)),
                ("Why these chapters", reasons),
            )
            if said
        )


def clock(minutes: int) -> str:
    """Minutes as "1:05"."""
    return f"{minutes // 60}:{minutes % 60:02}"


def part(cut: Cut) -> str:
    """A cut in words, without Markdown."""
    return f"{plain(cut.what)} ({cut.minutes} min)" + (f" {plain(cut.only)}" if cut.only else "")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 96, initial_indent="  ", subsequent_indent="    ")


@dataclass(frozen=True)
class _Slot:
    """A chapter as a class has it: with what is left out, and perhaps without its exercise."""

    chapter: Chapter
    cuts: tuple[Cut, ...] = ()
    exercise: bool = True

    @property
    def teach(self) -> int:
        return self.chapter.teach - sum(cut.minutes for cut in self.cuts)

    @property
    def minutes(self) -> int:
        return self.teach + (self.chapter.exercise if self.exercise else 0)


def make_plan(
    minutes: int, wanted: Sequence[str] | None = None, *, book: Path | None = None
) -> Plan:
    """A timetable of so many minutes, from the opening to the last word, breaks included.

    Args:
        minutes: `LEAST` to `MOST`.
        wanted: chapters, by slug or by the stem of their file, in the order in which they are taught;
            default: those of `CHOICE` that there is time for, in the book's order.
        book: the book's root; found from here by default.

    Raises:
        ValueError: no such number of minutes or chapter, or the chapters wanted do not fit.
    """
    if not LEAST <= minutes <= MOST:
        more = " Plan a longer class day by day, with --chapters." if minutes > MOST else ""
        raise ValueError(f"--minutes {minutes}: give {LEAST} to {MOST}.{more}")
    known = chapters(book)
    pauses = _pauses(minutes)
    room = minutes - FIXED - minutes // HAND_FOR * HAND - sum(length for _, length in pauses)
    if wanted is None:
        slots = _chosen(known, room)
        reasons = tuple((slot.chapter.title, dict(CHOICE)[slot.chapter.slug]) for slot in slots)
    else:
        slots, reasons = _fitted([_named(known, name) for name in wanted], minutes, room), ()
    rows, home = _activities(slots, book or find_ext().parent)
    rows = _with_pauses(rows, pauses, minutes)
    spare = minutes - FIXED - sum(row.minutes for row in rows)
    opening = Row(0, OPENING, "open", "Open: the question of the day, and who is here")
    joining = Row(0, JOINING, "join", "Join, and race the same lab: why do the rates differ?")
    closing = Row(
        0, CLOSING, "close", "Close: what each of you will race tomorrow, and where to read on"
    )
    hand = [Row(0, spare, "in hand", "In hand: questions, and what took longer")] if spare else []
    timed, at = [], 0
    for row in [opening, joining, *rows, *hand, closing]:
        timed.append(Row(**{**vars(row), "at": at}))
        at += row.minutes
    inside = {slot.chapter.stem for slot in slots}
    needed = {stem for slot in slots for stem in slot.chapter.needs} - inside
    return Plan(
        minutes=minutes,
        rows=tuple(timed),
        read_before=tuple(one for one in known.values() if one.stem in needed),
        reasons=reasons,
        if_late=tuple(
            (slot.chapter.title, cut)
            for slot in slots
            for cut in slot.chapter.cuts
            if cut not in slot.cuts
        ),
        home=tuple(home),
    )


def _pauses(minutes: int) -> list[tuple[str, int]]:
    """Breaks of a class of this length, in order."""
    number = math.ceil(minutes / STRETCH) - 1
    pauses = [("break", BREAK)] * number
    if minutes >= LUNCH_FROM:
        pauses[number // 2] = ("lunch", LUNCH)
    return pauses


def _chosen(known: dict[str, Chapter], room: int) -> list[_Slot]:
    """As many chapters of `CHOICE` as fit, from its beginning, in the book's order.

    Parts are left out to make room for one more chapter; of exercises only that chapter's own goes home for it.
    """
    wanted: list[Chapter] = []
    least = 0  # with everything left out, and all exercises
    for slug, _ in CHOICE:
        one = known[slug]
        cut, bare = (_Slot(one, one.spare_cuts, exercise) for exercise in (True, False))
        if least + bare.minutes <= room:
            wanted.append(one)
            least += cut.minutes
        elif wanted:
            break
    if not wanted:
        raise ValueError(f"no chapter fits into {room} minutes: give more, or --chapters.")
    return sorted(_shortened(wanted, room), key=lambda slot: slot.chapter.stem)


def _forms(chapter: Chapter) -> Iterator[_Slot]:
    """The chapter whole, then with less and less; its exercise at home only if cuts do not help."""
    for exercise in (True, False):
        for number in range(len(chapter.spare_cuts) + 1):
            yield _Slot(chapter, chapter.spare_cuts[:number], exercise)


def _fitted(wanted: list[Chapter], minutes: int, room: int) -> list[_Slot]:
    """The chapters that somebody asked for, shortened.

    Raises:
        ValueError: they do not fit even so.
    """
    slots = _shortened(wanted, room)
    needed = sum(slot.minutes for slot in slots)
    if needed > room:
        raise ValueError(
            f"--minutes {minutes}: these chapters take {needed + minutes - room} minutes with all that can be "
            "left out left out, breaks and minutes in hand included; give more minutes or fewer chapters."
        )
    return slots


def _shortened(wanted: list[Chapter], room: int) -> list[_Slot]:
    """Chapters, shortened from the last to the first until they fit; all cuts before the first exercise goes home."""
    forms = [list(_forms(one)) for one in wanted]
    chosen = [0] * len(forms)

    def needed() -> int:
        return sum(some[at].minutes for some, at in zip(forms, chosen, strict=True))

    for home in (False, True):
        for nth in reversed(range(len(forms))):
            last = len(forms[nth]) - 1 if home else len(wanted[nth].spare_cuts)
            while needed() > room and chosen[nth] < last:
                chosen[nth] += 1
    # An exercise that went home may have made room for parts that were left out before.
    for nth, one in enumerate(wanted):
        while chosen[nth] % (len(one.spare_cuts) + 1):
            chosen[nth] -= 1
            if needed() > room:
                chosen[nth] += 1
                break
    return [some[at] for some, at in zip(forms, chosen, strict=True)]


def _named(known: dict[str, Chapter], name: str) -> Chapter:
    for one in known.values():
        if name in (one.slug, one.stem):
            return one
    raise ValueError(f"--chapters: there is no {name!r}; there are: {', '.join(known)}.")


def _activities(slots: Sequence[_Slot], book: Path) -> tuple[list[Row], list[tuple[str, Chapter]]]:
    """Rows for the chapters, and the exercises for home."""
    rows: list[Row] = []
    home: list[tuple[str, Chapter]] = []
    for slot in slots:
        one = slot.chapter
        rows.append(Row(0, slot.teach, "teach", one.title, one.stem, slot.cuts))
        here, later = _in_class(one, book) if slot.exercise else ((), one.exercises)
        if slot.exercise and one.exercise:
            names = ", ".join(here) or "as in the chapter"
            said = f"Exercise: {names}"
            rows.append(Row(0, one.exercise, "exercise", said, one.stem, exercises=tuple(here)))
        home += [(name, one) for name in later]
    return rows, home


def exercise_minutes(slug: str, book: Path) -> int | None:
    """What an exercise's own card says that it takes; None where there is no such exercise."""
    file = book / "exercises" / slug / "exercise.py"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    said = re.search(r"^ +minutes=(\d+),", text, re.M)
    return int(said[1]) if said else None


def _in_class(chapter: Chapter, book: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Which exercises fit into the chapter's minutes, the first in any case; and the others."""
    here: list[str] = []
    later: list[str] = []
    room = chapter.exercise
    for slug in chapter.exercises:
        takes = exercise_minutes(slug, book) or chapter.exercise
        (here if takes <= room or not here else later).append(slug)
        room -= takes
    return here, later


def home_minutes(chapter: Chapter, book: Path) -> int:
    """What those of its exercises take for which there is no time in class."""
    return sum(exercise_minutes(slug, book) or 0 for slug in _in_class(chapter, book)[1])


def _with_pauses(rows: list[Row], pauses: list[tuple[str, int]], minutes: int) -> list[Row]:
    """The rows with breaks in places that leave no long stretch, between chapters if possible."""
    words = {"break": "Break", "lunch": "Lunch"}
    number = min(len(pauses), len(rows) - 1)
    if not number:
        return rows
    lengths = [row.minutes for row in rows]
    # People sit before the first chapter and after the last one, too.
    rest = minutes - sum(lengths) - sum(length for _, length in pauses)
    lengths[0] += OPENING + JOINING
    lengths[-1] += rest - OPENING - JOINING

    # With fewer places than pauses, lunch is the last to go.
    kept = sorted(sorted(range(len(pauses)), key=lambda i: pauses[i][0] != "lunch")[:number])
    lunch = next((nth for nth, i in enumerate(kept) if pauses[i][0] == "lunch"), None)

    def cost(places: tuple[int, ...]) -> tuple[float, ...]:
        """Long stretches first, then uneven ones, then a lunch that is not in the middle."""
        stretches = [sum(lengths[a:b]) for a, b in itertools.pairwise([0, *places, len(rows)])]
        torn = sum(rows[at].chapter == rows[at - 1].chapter for at in places)
        off = 0 if lunch is None else abs(2 * sum(lengths[: places[lunch]]) - sum(lengths))
        return max(STRETCH, *stretches) + TORN * torn, sum(one**2 for one in stretches), off

    places = min(itertools.combinations(range(1, len(rows)), number), key=cost)
    with_pauses: list[Row] = []
    for at, row in enumerate(rows):
        if at in places:
            kind, length = pauses[kept[places.index(at)]]
            with_pauses.append(Row(0, length, kind, words[kind]))
        with_pauses.append(row)
    return with_pauses


# ---------------------------------------------------------------------------------------------------
# The command
# ---------------------------------------------------------------------------------------------------


def add_plan(commands: Any) -> None:
    """Add ``plan`` to the commands of ``racelab class``."""
    parser = commands.add_parser(
        "plan",
        help="a timetable whose minutes add up",
        description="A timetable of a class, from the minutes that the chapters state, with what to leave out.",
    )
    add = parser.add_argument
    add(
        "--minutes",
        type=_minutes,
        default=90,
        metavar="N",
        help="of the whole class, breaks included: 90, 180, 360, or any number from 45 to 600; default 90",
    )
    add(
        "--chapters",
        type=_names,
        metavar="A,B,...",
        help=f"these, in this order; default: the book's choice. Chapters: {', '.join(slug for slug, _ in CHOICE)}",
    )
    add("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=_plan)


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text}: give a whole number of minutes, such as 90")
    return int(text)


def _names(text: str) -> list[str]:
    names = [name.strip().removesuffix(".md") for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text}: name chapters, each once, with commas between")
    return names


def _plan(options: argparse.Namespace) -> int:
    made = make_plan(options.minutes, options.chapters)
    print(json.dumps(made.as_json()) if options.json else made)
    return 0
