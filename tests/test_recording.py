"""Recordings: made from sources, kept whole, and told from sources that have changed since."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import racelab as rl
from racelab import cli
from racelab.recording import drift, load_plan, record, recorded
from racelab.show import find_ext
from racelab.toolbox import interpreter_of

BOOK = Path(__file__).resolve().parent.parent
SLUGS = sorted(
    folder.name
    for folder in (BOOK / "ext").iterdir()
    if (folder / "lab.py").is_file() or (folder / "measure.py").is_file()
)


def planned(slug: str) -> bool:
    plan = load_plan(slug)
    return bool(plan.races or plan.measurements)


@pytest.mark.parametrize("slug", SLUGS)
def test_what_the_book_shows_was_recorded_from_what_is_here(slug: str) -> None:
    """A figure of other sources than those in ext/ would be a claim without a run."""
    if planned(slug):
        assert drift(slug) == []


@pytest.mark.parametrize("slug", SLUGS)
def test_what_was_recorded_taught_its_lesson(slug: str) -> None:
    """A recording in which broken did not break, or fixed did, is a recording of something else."""
    for race in recorded(slug).races if planned(slug) else ():
        if (race.variant or "").startswith("fixed"):
            assert not race.forbidden, f"{slug}: {race}"
        elif not race.gil and race.cores >= race.threads:  # else they take turns
            assert race.forbidden, f"{slug}: {race}"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book with one lab, planned to be recorded in no time."""
    shutil.copytree(BOOK / "ext/stale_size", tmp_path / "ext/stale_size")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "ext/stale_size/measure.py").write_text(
        "import os\n"
        "RACES = [dict(variant=v, count=2, rounds=300, widen=True) for v in ('broken', 'fixed')]\n"
        "def pid(): return [{'pid': os.getpid(), 'cost_ns': 3.5}]\n"
        "MEASUREMENTS = {'pid': pid}\n"
    )
    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path))
    assert find_ext() == tmp_path / "ext"
    return tmp_path


def test_a_recording_comes_back_as_it_was_made(book: Path) -> None:
    made = record("stale_size")

    seen = rl.recorded("stale_size")
    broken = seen.result("broken", widened=True)
    assert (broken.variant, broken.rounds, broken.widened) == ("broken", 600, True)
    assert seen.results(widened=True).keys() == {"broken", "fixed"}
    assert seen.rows("pid")[0]["cost_ns"] == 3.5
    assert seen.about == made.about
    assert seen.about.startswith("Recorded on ")
    assert drift("stale_size") == []
    assert not list((book / "notebooks/recorded").glob("*.new"))


def test_a_plan_has_the_same_race_compiled_in_several_ways(book: Path) -> None:
    """None of them stands in for another one, not when the rest is kept and not for drift."""
    plan = book / "ext/stale_size/measure.py"
    one = "dict(variant='fixed', count=1, rounds=50)"
    plan.write_text(f"RACES = [{one}, dict({one}, flags=['-O0']), dict({one}, flags=['-O1'])]\n")
    seen = record("stale_size")
    assert [race.flags for race in seen.races] == [(), ("-O0",), ("-O1",)]
    assert drift("stale_size") == []
    file = book / "notebooks/recorded/stale_size.jsonl"
    before = file.read_text()
    (book / "ext/stale_size/measure.py").write_text(
        plan.read_text() + "MEASUREMENTS = {'one': lambda: [{'a': 1}]}\n"
    )
    record("stale_size", ["one"])
    assert file.read_text().startswith(before)

    plan.write_text(plan.read_text().replace("-O1", "-O3"))
    assert "'-O3'" in "\n".join(drift("stale_size"))


def test_the_debug_interpreter_is_asked_for_by_name(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = book / "ext/stale_size/measure.py"
    plan.write_text("RACES = [dict(variant='fixed', count=1, rounds=5, python='debug')]\n")
    monkeypatch.setenv("RACELAB_DEBUG_PYTHON", "/no/such/python")
    with pytest.raises(ValueError, match="no debug interpreter here: run `make debug`"):
        record("stale_size")
    monkeypatch.delenv("RACELAB_DEBUG_PYTHON")
    if interpreter_of("debug") is None:
        pytest.skip("needs `make debug`")
    [race] = record("stale_size").races
    assert "debug" in race.python
    assert drift("stale_size") == []


def test_only_makes_that_anew_and_keeps_the_rest(book: Path) -> None:
    record("stale_size")
    file = book / "notebooks/recorded/stale_size.jsonl"
    before = file.read_text().splitlines()
    (book / "ext/stale_size/measure.py").write_text(
        (book / "ext/stale_size/measure.py").read_text().replace("3.5", "4.5")
    )

    record("stale_size", ["pid"])

    after = file.read_text().splitlines()
    assert after[:2] == before[:2]
    assert json.loads(after[2])["rows"][0]["cost_ns"] == 4.5


def test_drift_names_what_changed(book: Path) -> None:
    record("stale_size")
    source = book / "ext/stale_size/stale_size_broken.c"
    source.write_text(source.read_text().replace("RACE_POINT();", "RACE_POINT(); RACE_POINT();"))

    said = "\n".join(drift("stale_size"))

    assert "source of broken changed" in said
    assert "source of fixed" not in said
    assert "something in ext/ or a cell that pid depends on changed" in said
    assert "racelab record stale_size" in said


def test_a_cell_that_a_measurement_uses_counts_as_a_source(book: Path) -> None:
    """What a chapter compiles in a cell is measured for longer elsewhere: the two must not part."""
    chapter = book / "notebooks/11_two.md"
    chapter.write_text("# Two\n\n```{code-cell}\n%%c pid\nint x;\n```\nprose\n")
    plan = book / "ext/stale_size/measure.py"
    plan.write_text(plan.read_text() + "\nCELLS = [('11_two', '%%c pid')]\n")
    record("stale_size")

    chapter.write_text(chapter.read_text().replace("prose", "other prose"))
    assert drift("stale_size") == []
    chapter.write_text(chapter.read_text().replace("int x", "long x"))
    assert "something in ext/ or a cell that pid depends on changed" in "\n".join(
        drift("stale_size")
    )
    chapter.write_text("# Two\n")
    with pytest.raises(ValueError, match=r"11_two\.md has no cell that begins with '%%c pid'"):
        drift("stale_size")


def test_drift_names_what_is_missing_and_what_is_gone(book: Path) -> None:
    record("stale_size")
    plan = book / "ext/stale_size/measure.py"
    plan.write_text(
        plan.read_text()
        .replace("('broken', 'fixed')", "('fixed',)")
        .replace("{'pid': pid}", "{'other': pid}")
    )
    (book / "ext/stale_size/stale_size_broken.c").unlink()

    said = "\n".join(drift("stale_size"))

    assert "broken was recorded and is not in ext/" in said
    assert "other is planned and not recorded" in said
    assert "pid was recorded and is not in measure.py" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("rounds=300", "laps=300"), r"RACES\[0\]: race\(\) has no \['laps'\]"),
        (("return [", "return 1, ["), "pid returned .* not a list of rows"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_leaves_the_file_as_it_was(
    book: Path, change: tuple[str, str], message: str
) -> None:
    record("stale_size")
    file = book / "notebooks/recorded/stale_size.jsonl"
    before = file.read_bytes()
    plan = book / "ext/stale_size/measure.py"
    plan.write_text(plan.read_text().replace(*change))

    with pytest.raises(ValueError, match=message):
        record("stale_size")

    assert file.read_bytes() == before


@pytest.mark.usefixtures("book")
def test_nothing_recorded_says_what_to_run() -> None:
    with pytest.raises(FileNotFoundError, match="run `racelab record stale_size`"):
        rl.recorded("stale_size")


def test_a_damaged_line_is_named(book: Path) -> None:
    (book / "notebooks/recorded").mkdir()
    (book / "notebooks/recorded/stale_size.jsonl").write_text('{"lab": 1}\n')

    with pytest.raises(ValueError, match=r"stale_size\.jsonl, line 1 is no recording"):
        rl.recorded("stale_size")


@pytest.mark.usefixtures("book")
def test_what_there_is_not_is_named_with_what_there_is() -> None:
    record("stale_size")
    seen = rl.recorded("stale_size")

    with pytest.raises(
        LookupError, match=r"no race of 'broken' .*it has: broken, threads=2, widened"
    ):
        seen.result("broken")
    with pytest.raises(LookupError, match="no measurement 'cost'; it has: pid"):
        seen.rows("cost")


def test_the_command_records_and_skips_what_is_fresh(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["record"]) == 0
    assert "stale_size: stale_size.jsonl" in capsys.readouterr().out
    stamp = (book / "notebooks/recorded/stale_size.jsonl").stat().st_mtime_ns

    assert cli.main(["record", "--stale"]) == 0
    assert (book / "notebooks/recorded/stale_size.jsonl").stat().st_mtime_ns == stamp

    assert cli.main(["record", "nothing_like_it"]) == 2
    assert "nothing to record" in capsys.readouterr().err


@pytest.mark.usefixtures("book")
def test_only_wants_one_lab(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["record", "--only", "pid"]) == 2
    assert "--only goes with one LAB" in capsys.readouterr().err


def test_one_that_cannot_be_made_does_not_cost_the_others(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (book / "ext/another").mkdir()
    (book / "ext/another/measure.py").write_text(
        "RACES = []\ndef tool(): raise RuntimeError('no such tool')\nMEASUREMENTS = {'tool': tool}\n"
    )

    assert cli.main(["record"]) == 2

    said = capsys.readouterr()
    assert "another was not recorded, its file is as it was: no such tool" in said.err
    assert "not recorded (see above): another." in said.err
    assert "stale_size: stale_size.jsonl" in said.out
    assert not (book / "notebooks/recorded/another.jsonl").exists()
