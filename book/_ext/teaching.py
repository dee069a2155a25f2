"""The teaching guide's parts that come from the chapters: `{class-plan} 90`, `{class-choice}` and `{speaker-notes}`.

A plan is what `racelab class plan` prints, made by the same function; the notes are those at the end of each
chapter. Nothing of it is written on the page itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from racelab.classroom.plan import Chapter, Cut, Plan, Row

SOURCES = Path(__file__).resolve().parents[2] / "src"
if str(SOURCES) not in sys.path:
    # The harness, which the book's environment does not install. Plans need nothing but the standard library.
    sys.path.insert(0, str(SOURCES))

KINDS = ("Ask", "Demo", "Note", "Watch for", "One core", "On one core", "To cut")
"""What a teaching note begins with, in the order in which they are shown; others come after the demos."""


class _Directive(SphinxDirective):
    """What they share: Markdown that is made here and parsed as if it stood on the page."""

    @property
    def book(self) -> Path:
        return Path(self.env.srcdir)

    def chapters(self) -> dict[str, Chapter]:
        from racelab.classroom.plan import chapters

        try:
            found = chapters(self.book)
        except ValueError as problem:
            raise self.error(str(problem)) from problem
        for one in found.values():
            self.env.note_dependency(str(self.book / f"notebooks/{one.stem}.md"))
        return found

    def parsed(self, lines: Sequence[str], into: nodes.Element) -> nodes.Element:
        source = StringList(list(lines), source=self.get_source_info()[0])
        self.state.nested_parse(source, self.content_offset, into)
        return into


class ClassPlan(_Directive):
    """`{class-plan} 90`: a timetable of so many minutes, and what goes with it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A table and a list."""
        from racelab.classroom.plan import make_plan

        self.chapters()
        try:
            plan = make_plan(directives.positive_int(self.arguments[0]), book=self.book)
        except ValueError as problem:
            raise self.error(str(problem)) from problem
        slides = self.book / "book/slides.md"
        self.env.note_dependency(str(slides))
        shown = slides_of(slides.read_text(encoding="utf-8"))
        made = self.parsed(list(timetable(plan, shown)), nodes.container()).children
        for table in made[0].findall(nodes.table):
            table["classes"].append("class-plan")
        return made


class ClassChoice(_Directive):
    """`{class-choice}`: the chapters in the order in which a class gets them, each with its reason."""

    def run(self) -> list[nodes.Node]:
        """A numbered list."""
        from racelab.classroom.plan import CHOICE

        known = self.chapters()
        lines = [f"1. {link(known[slug])} (`{slug}`): {why}." for slug, why in CHOICE]
        return self.parsed(lines, nodes.container()).children


class SpeakerNotes(_Directive):
    """`{speaker-notes}`: a section for each chapter, with the notes that stand folded at its end."""

    def run(self) -> list[nodes.Node]:
        """Sections."""
        sections: list[nodes.Node] = []
        for one in self.chapters().values():
            name = f"notes-{one.slug.replace('_', '-')}"
            section = nodes.section(ids=[name], names=[name])
            number = int(one.stem.partition("_")[0])
            section += nodes.title("", f"{number} · {one.title}")
            self.parsed(list(speaker_notes(one, self.book)), section)
            sections.append(section)
        return sections


# ---------------------------------------------------------------------------------------------------
# As Markdown
# ---------------------------------------------------------------------------------------------------


def link(chapter: Chapter) -> str:
    """A chapter's title, leading there from a page in `book/`."""
    return f"[{chapter.title}](../notebooks/{chapter.stem}.md)"


def slides_of(text: str) -> dict[str, list[int]]:
    """Which slides lead to a chapter: its stem to their numbers, as the bar of the slides shows them."""
    found: dict[str, list[int]] = {}
    for number, slide in enumerate(re.split(r"^## ", text, flags=re.M)[1:], 1):
        for stem in dict.fromkeys(re.findall(r"\.\./notebooks/(\d\d_\w+)\.md", slide)):
            found.setdefault(stem, []).append(number)
    return found


def timetable(plan: Plan, slides: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """A plan as Markdown."""
    from racelab.classroom.plan import clock

    yield from ("| from | min | what | slides |", "|---:|---:|---|---|")
    for row in plan.rows:
        numbers = ", ".join(map(str, slides.get(row.chapter, ()))) if row.kind == "teach" else ""
        yield f"| {clock(row.at)} | {row.minutes} | {activity(row)} | {numbers} |"
    yield f"| {clock(plan.minutes)} | **{sum(row.minutes for row in plan.rows)}** | the end | |"
    before = [f"{link(one)} ({one.teach} min)" for one in plan.read_before]
    late: dict[str, list[Cut]] = {}
    for title, cut in plan.if_late:
        late.setdefault(title, []).append(cut)
    for head, said in (
        ("To be read before the class", [f"{', '.join(before)}." if before else ""]),
        (
            "If it gets late, leave out",
            [f"{title}: {parts(cuts)}." for title, cuts in late.items()],
        ),
        ("For home", [f"{', '.join(homework(plan))}." if plan.at_home else ""]),
    ):
        if any(said):
            yield from ("", f"**{head}:** {' '.join(said)}")


def homework(plan: Plan) -> Iterator[str]:
    """Exercises for home, each leading to its place in its chapter."""
    for name, one in plan.home:
        yield f"{exercise_link(name, one.stem)} ({one.title})"


def exercise_link(name: str, stem: str) -> str:
    """An exercise's name, leading to where its chapter asks it."""
    return f"[`{name}`](../notebooks/{stem}.md#exercise)"


def activity(row: Row) -> str:
    """What happens in a row."""
    what = f"[{row.what}](../notebooks/{row.chapter}.md)" if row.kind == "teach" else row.what
    for name in row.exercises:
        what = re.sub(rf"\b{name}\b", exercise_link(name, row.chapter), what, count=1)
    if row.leave_out:
        what += f", without {parts(row.leave_out)}"
    return what


def parts(cuts: Sequence[Cut]) -> str:
    """Parts of a chapter with their minutes."""
    said = [
        f"{cut.what if '*' in cut.what else f'*{cut.what}*'} ({cut.minutes} min)"
        + (f" {cut.only}" if cut.only else "")
        for cut in cuts
    ]
    return ", ".join(said)


def speaker_notes(chapter: Chapter, book: Path) -> Iterator[str]:
    """A chapter's notes as Markdown: what it is for, then what to ask and show, and what goes wrong."""
    from racelab.classroom.plan import home_minutes

    minutes = f"{chapter.teach} min" + (
        f" and {chapter.exercise} min exercise" if chapter.exercise else ""
    )
    later = home_minutes(chapter, book)
    minutes += f", {later} more for home" if later else ""
    yield f"[The chapter](../notebooks/{chapter.stem}.md): {minutes}. After it people can {chapter.promise}"
    yield ""
    for note in sorted(chapter.notes, key=_place):
        kind = next((one for one in KINDS if note.startswith(one)), "")
        text = note.replace("](../book/", "](").replace("](ext/", "](../ext/")
        text = re.sub(r"\]\((\d\d_\w+\.md)", r"](../notebooks/\1", text)
        yield f"- **{kind}**{text[len(kind) :]}" if kind else f"- {text}"


def _place(note: str) -> float:
    return next((at for at, kind in enumerate(KINDS) if note.startswith(kind)), 2.5)


def setup(app: Sphinx) -> dict[str, object]:
    """Sphinx entry point."""
    app.add_directive("class-plan", ClassPlan)
    app.add_directive("class-choice", ClassChoice)
    app.add_directive("speaker-notes", SpeakerNotes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
