"""`racelab class plan`: minutes add up, cuts are what the chapters say, and what does not fit is one sentence."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from racelab.classroom import plan
from racelab.classroom.plan import CHOICE, LEAST, MOST, Cut, chapters, make_plan

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _in_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))


def command(*words: str) -> int:
    """The command, with nothing round it."""
    parser = argparse.ArgumentParser(prog="class")
    plan.add_plan(parser.add_subparsers())
    options = parser.parse_args(["plan", *words])
    status: int = options.command(options)
    return status


def chapter_file(
    slug: str, *, teach: int = 30, exercise: int = 10, cut: str = "", need: str = ""
) -> str:
    """A chapter with as much in it as a plan reads."""
    return f"""---
racelab: {{slug: {slug}, teach: {teach}, exercise: {exercise}, exercises: [one, two]}}
---
({slug})=
# Teach {slug}

**You will be able to** do it,
and say why.

| Before you start | Need | Where |
|---|---|---|
| what comes first | yes | {need} |
| what helps | helps | [other](99_other.md) |

<details><summary>Teaching notes</summary>

- Ask, before *Predict*: "why?"
- Watch for: a note
  on two lines.
{f"- To cut: {cut}" if cut else ""}

</details>
"""


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of three chapters, chosen from the last to the first."""
    (tmp_path / "ext").mkdir()
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "01_a.md").write_text(chapter_file("a"))
    (folder / "02_b.md").write_text(
        chapter_file("b", cut="*Part* (4 min) and the rest (2 min) can go.")
    )
    (folder / "03_c.md").write_text(chapter_file("c", need="[A](01_a.md), *a part*"))
    for slug, minutes in (("one", 8), ("two", 5)):
        (tmp_path / "exercises" / slug).mkdir(parents=True)
        (tmp_path / "exercises" / slug / "exercise.py").write_text(f"x(\n    minutes={minutes},\n)")
    monkeypatch.setattr(plan, "CHOICE", (("c", "first"), ("b", "second"), ("a", "third")))
    return tmp_path


def minutes_of(exercise: str) -> int:
    """What the exercise's own card says."""
    found = plan.exercise_minutes(exercise, ROOT)
    assert found is not None
    return found


# -- The book's own plans -------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [*range(LEAST, MOST, 31), 90, 180, 360, MOST])
def test_minutes_add_up_and_follow_each_other(minutes: int) -> None:
    made = make_plan(minutes)

    assert sum(row.minutes for row in made.rows) == minutes
    assert [row.at for row in made.rows] == [
        sum(row.minutes for row in made.rows[:nth]) for nth in range(len(made.rows))
    ]
    assert all(row.minutes > 0 for row in made.rows)
    assert [row.kind for row in made.rows[:2]] == ["open", "join"]
    assert made.rows[-1].kind == "close"
    in_hand = sum(row.minutes for row in made.rows if row.kind == "in hand")
    assert in_hand >= minutes // 90 * 5


@pytest.mark.parametrize("minutes", [90, 180, 360])
def test_taught_minutes_are_those_of_the_headers_less_what_is_left_out(minutes: int) -> None:
    known = {one.stem: one for one in chapters().values()}
    for row in make_plan(minutes).rows:
        if row.kind == "teach":
            left_out = sum(cut.minutes for cut in row.leave_out)
            assert row.minutes + left_out == known[row.chapter].teach
            assert set(row.leave_out) <= set(known[row.chapter].cuts)
        elif row.kind == "exercise":
            assert row.minutes == sum(minutes_of(slug) for slug in row.exercises)


@pytest.mark.parametrize("slug", [slug for slug, _ in CHOICE])
def test_minutes_of_a_header_are_those_of_exercises_in_class(slug: str) -> None:
    """What stands under a chapter's title and in a plan is what the exercises say of themselves."""
    one = chapters()[slug]
    here, later = plan._in_class(one, ROOT)

    assert one.exercise == sum(minutes_of(name) for name in here)
    assert [*here, *later] == list(one.exercises)


def test_what_a_note_wants_done_in_class_is() -> None:
    """Chapter 06: "The exercise with the pair is the answer; do it in class if nothing else"."""
    for minutes in (90, 180, 360):
        done = {name for row in make_plan(minutes).rows for name in row.exercises}
        assert "two_counters" in done


def test_no_chapter_is_taken_because_it_is_short() -> None:
    """Those of a class are the first of the choice, without a gap that a later one fills."""
    order = [slug for slug, _ in CHOICE]
    for minutes in range(90, MOST, 30):
        taken = {row.chapter.split("_", 1)[1] for row in make_plan(minutes).rows if row.chapter}
        assert taken == set(order[: len(taken)]), minutes


@pytest.mark.parametrize("minutes", [90, 180, 360])
def test_nobody_sits_too_long_and_no_chapter_is_torn(minutes: int) -> None:
    rows = make_plan(minutes).rows
    stretch = 0
    for before, row, after in zip(rows, rows[1:], [*rows[2:], None], strict=False):
        stretch = 0 if before.kind in ("break", "lunch") else stretch + before.minutes
        assert stretch <= plan.STRETCH
        if row.kind in ("break", "lunch"):
            assert after is not None
            assert before.chapter != after.chapter
    assert [row.kind for row in rows].count("lunch") == (minutes == 360)


def test_every_chapter_has_its_place_in_the_choice() -> None:
    assert sorted(slug for slug, _ in CHOICE) == sorted(chapters())
    assert all(why for _, why in CHOICE)


def test_longer_classes_have_no_fewer_chapters() -> None:
    taught = [{row.chapter for row in make_plan(n).rows if row.chapter} for n in (90, 180, 360)]

    assert taught[0] < taught[1] < taught[2]


@pytest.mark.parametrize("slug", [slug for slug, _ in CHOICE])
def test_what_can_be_cut_is_there_and_its_minutes_are_known(slug: str) -> None:
    """A note "To cut" names parts of its chapter, each with minutes; none is lost on the way."""
    one = chapters()[slug]
    [said] = one.note("To cut")
    text = (ROOT / f"notebooks/{one.stem}.md").read_text()
    named = {plan.plain(name) for name in re.findall(r"\*([^*]+)\*", said)}
    headings = {plan.plain(name) for name in re.findall(r"^##+ (.+)$", text, re.M)}

    assert len(one.cuts) == len(re.findall(r"\d+ min", said)) + said.count(" min each")
    assert 0 < sum(cut.minutes for cut in one.cuts) <= one.teach / 2
    assert named <= headings, f"{one.stem} has no part {named - headings}"
    for stem in one.needs:
        assert (ROOT / f"notebooks/{stem}.md").is_file()


# -- How a plan is made ---------------------------------------------------------------------------------


def test_what_fits_is_taken_in_the_order_of_the_choice_and_shown_in_the_books(book: Path) -> None:
    made = make_plan(120, book=book)

    assert [(row.kind, row.chapter, row.minutes) for row in made.rows] == [
        ("open", "", 5), ("join", "", 10), ("teach", "02_b", 30), ("exercise", "02_b", 10),
        ("break", "", 15), ("teach", "03_c", 30), ("exercise", "03_c", 10), ("in hand", "", 5), ("close", "", 5),
    ]  # fmt: skip
    assert [why for _, why in made.reasons] == ["second", "first"]
    assert [one.stem for one in made.read_before] == ["01_a"]
    assert [cut.minutes for _, cut in made.if_late] == [4, 2]
    assert (made.rows[3].what, made.rows[3].exercises) == ("Exercise: one", ("one",))
    assert made.at_home == ("two (Teach b)", "two (Teach c)")


def test_parts_are_left_out_before_an_exercise_is_sent_home(book: Path) -> None:
    cut = make_plan(116, book=book)
    home = make_plan(112, book=book)

    assert [row.leave_out for row in cut.rows if row.kind == "teach"] == [(Cut("Part", 4),), ()]
    assert [row.kind for row in cut.rows].count("exercise") == 2
    assert [row.kind for row in home.rows].count("exercise") == 1
    assert "one (Teach b)" in home.at_home
    assert cut.if_late == (("Teach b", Cut("the rest", 2)),)


def test_a_part_that_goes_only_under_a_condition_is_named_with_it_and_never_left_out_unasked(
    book: Path,
) -> None:
    (book / "notebooks/02_b.md").write_text(
        chapter_file("b", cut="*Part* (4 min) if the room has seen it; *Rest* (2 min).")
    )
    made = make_plan(118, book=book)

    assert [row.leave_out for row in made.rows if row.kind == "teach"] == [(Cut("Rest", 2),), ()]
    assert "Teach b: Part (4 min) if the room has seen it" in str(made)


def test_time_that_is_left_is_in_hand(book: Path) -> None:
    made = make_plan(65, book=book)

    assert [(row.kind, row.minutes) for row in made.rows][-2:] == [("in hand", 5), ("close", 5)]


def test_chapters_that_are_asked_for_come_in_that_order(book: Path) -> None:
    made = make_plan(91, ["03_c", "a"], book=book)

    assert [row.chapter for row in made.rows if row.kind == "teach"] == ["03_c", "01_a"]
    assert made.reasons == ()
    assert made.read_before == ()


@pytest.mark.parametrize(
    ("note", "cuts"),
    [
        ("*A b* (4 min), where everybody has one.", [("A b", 4, "where everybody has one")]),
        ("*A* (3 min) can be read; *B* (4 min) if you have C.", [("A", 3), ("B", 4, "if you have C")]),
        ("*A* (7 min) for an audience of C; the Bs (4 min) for one of D. E is short.", [("A", 7, "for an audience of C"), ("the Bs", 4, "for one of D")]),
        ("*A* and *B* (6 min) are for reading; *C* (3 min) are for looking up.", [("*A* and *B*", 6), ("C", 3)]),
        ("*A, b* (5 min) and the c (3 min) can be read; keep *D*.", [("A, b", 5), ("the c", 3)]),
        ("*A* and *B, c* (3 min each) can be read.", [("A", 3), ("B, c", 3)]),
        ("*A* (3 min) and *B* (4 min; [C](10_c.md) comes back to it).", [("A", 3), ("B", 4)]),
        ("the cell in *A* (2 min), *B, c* to its table (3 min).", [("the cell in *A*", 2), ("*B, c* to its table", 3)]),
        ("*A* (3 min). Nobody needs to read B.", [("A", 3)]),
    ],
)  # fmt: skip
def test_notes_that_say_what_to_cut(note: str, cuts: list[tuple[str, int]]) -> None:
    assert list(plan._cuts(f" {note}")) == [Cut(*cut) for cut in cuts]


@pytest.mark.parametrize(
    ("minutes", "wanted", "said"),
    [
        (44, None, "give 45 to 600"),
        (601, None, "day by day"),
        (90, ["green", "nowhere"], "there is no 'nowhere'; there are: a, b, c"),
        (90, ["a", "b", "c"], "take 109 minutes"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    book: Path, minutes: int, wanted: list[str] | None, said: str
) -> None:
    names = [name.replace("green", "a") for name in wanted or []]
    with pytest.raises(ValueError, match=said):
        make_plan(minutes, names or None, book=book)


def test_a_chapter_without_minutes_is_named(book: Path) -> None:
    (book / "notebooks/02_b.md").write_text("---\nracelab: {slug: b}\n---\n# B\n")

    with pytest.raises(ValueError, match=r"02_b\.md has no minutes"):
        make_plan(90, book=book)


# -- The command ----------------------------------------------------------------------------------------


def test_command_prints_the_timetable(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--minutes", "90") == 0
    said = capsys.readouterr().out
    lines = re.findall(r"^(\d):(\d\d) +(\d+) ", said, re.M)

    assert sum(int(minutes) for _, _, minutes in lines) == 90
    assert "\n1:30        end\n" in said
    for head in ("To be read before the class", "If it gets late, leave out", "Why these chapters"):
        assert f"\n{head}\n" in said


def test_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--minutes", "180", "--chapters", "06_lost_update,green", "--json") == 0
    made = json.loads(capsys.readouterr().out)

    assert sum(row["minutes"] for row in made["rows"]) == made["minutes"] == 180
    assert [row["chapter"] for row in made["rows"] if row["kind"] == "teach"] == [
        "06_lost_update", "03_green",
    ]  # fmt: skip
    assert set(made["rows"][0]) == {
        "at",
        "minutes",
        "kind",
        "what",
        "chapter",
        "leave_out",
        "exercises",
    }


def test_help_lists_the_names_of_chapters(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("--help")

    assert set(chapters()) <= set(re.findall(r"\w+", capsys.readouterr().out))


@pytest.mark.parametrize(
    "words", [("--minutes", "an hour"), ("--minutes", "-5"), ("--chapters", ","), ("--chapters", "a,a")]
)  # fmt: skip
def test_bad_words_are_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command(*words)

    assert refused.value.code == 2
    assert words[1] in capsys.readouterr().err
