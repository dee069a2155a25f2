"""Pages that show what was recorded: what they show is what is in the file, and what is missing stops the build."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK_PYTHON = ROOT / ".venv-book/bin/python"

MAKE = """
import sys
sys.path.insert(0, sys.argv[1])
from racelab.lab import ACCEPTABLE, FORBIDDEN
from racelab.result import Repetition, Result

def race(variant, each, **more):
    repetitions = tuple(
        Repetition({"lost": f, "kept": n - f}, "ok", n, 0.25, failed_rounds=f) for f, n in each
    )
    total = sum(n for _, n in each)
    failed = sum(f for f, _ in each)
    return Result(
        "probe", variant, "Is <this> shown?", {"lost": failed, "kept": total - failed},
        {"lost": FORBIDDEN("it <b>went</b> away"), "kept": ACCEPTABLE("it stayed")}, (), repetitions, 2,
        gil=False, python="3.13.7 free-threading build", machine="A Processor", cores=2, date="2031-05-06T07:08:09",
        **more,
    ).to_json_line()

print(race("broken", [(7, 100), (9, 100), (8, 100)]))
print(race("broken", [(50, 100)], widened=True))
print(race("fixed", [(0, 500), (0, 500)]))
"""
PROOF = {
    "measurement": "E1",
    "rows": [
        {
            "case": "as printed",
            "code": "int <x>;",
            "language": "c",
            "command": "gcc -c x.c",
            "status": 1,
            "said": "x.c:1: error: no <x>",
            "verdict": "does not compile",
        },
        {
            "case": "with --option",
            "command": "gcc -c y.c",
            "status": 0,
            "said": "",
            "verdict": "compiles",
        },
    ],
    "sources_sha256": "0",
    "python": "3.13.7",
    "machine": "A Processor",
    "date": "2031-05-06",
    "wall_s": 1.0,
}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Three recorded races, as `racelab record` would write them."""
    done = subprocess.run(
        [BOOK_PYTHON, "-c", MAKE, ROOT / "src"], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


class Book:
    """A small book of one page, with a recording."""

    def __init__(self, place: Path, lines: list[str]) -> None:
        self.place = place
        (place / "ext").mkdir()
        (place / "notebooks/recorded").mkdir(parents=True)
        (place / "notebooks/recorded/probe.jsonl").write_text("\n".join(lines) + "\n")
        (place / "notebooks/recorded/errata.jsonl").write_text(json.dumps(PROOF) + "\n")
        (place / "conf.py").write_text("extensions = ['myst_parser', 'recorded']\n")

    def build(self, *directives: str) -> subprocess.CompletedProcess[str]:
        page = "# A page\n\n" + "\n\n".join(f"```{one}\n```" for one in directives)
        (self.place / "index.md").write_text(page + "\n")
        command = [BOOK_PYTHON, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html"]
        return subprocess.run(
            [*command, self.place, self.place / "out"],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PYTHONPATH": str(ROOT / "book/_ext"), "PATH": "/usr/bin:/bin"},
            cwd=self.place,
        )

    def html(self, *directives: str) -> str:
        done = self.build(*directives)
        assert done.returncode == 0, done.stderr
        page = (self.place / "out/index.html").read_text()
        return page[page.index("<h1") : page.index('<div class="sphinxsidebar"')]


@pytest.fixture
def book(tmp_path: Path, lines: list[str]) -> Book:
    return Book(tmp_path, lines)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_race_is_shown_as_racelab_shows_it(book: Book) -> None:
    text = book.html("{recorded-result} probe broken")

    assert "24 of 300 rounds failed" in text
    assert "probe, broken: Is &lt;this&gt; shown?" in text
    assert "it &lt;b&gt;went&lt;/b&gt; away" in text
    assert (
        "Recorded on A Processor, 2 cores, Python 3.13.7 free-threading build, 2031-05-06."
        in words(text).replace(" .", ".")
    )


def test_widened_and_not_are_never_taken_for_each_other(book: Book) -> None:
    text = book.html("{recorded-result} probe broken\n:widened:")

    assert "50 of 100 rounds failed" in text
    assert "probe, broken (widened)" in text


def test_one_part_is_shown_alone(book: Book) -> None:
    text = words(book.html("{recorded-result} probe fixed\n:only: per round"))

    assert "per round 0 of 1,000 rounds failed: 95 % sure the rate is below" in text
    assert "per repetition" not in text
    assert "FORBIDDEN" not in text


def test_a_spread_that_chance_explains_is_said_so(book: Book) -> None:
    text = words(book.html("{recorded-result} probe broken\n:only: spread"))

    assert "The 3 processes differ no more than chance allows." in text


def test_json_is_that_of_the_command_line(book: Book) -> None:
    page = book.html("{recorded-result} probe broken\n:only: json")
    shown = json.loads(
        re.sub(r"<[^>]+>", "", page[page.index("<pre>") :].partition("</pre>")[0])
        .replace("&quot;", '"')
        .replace("&lt;", "<")
        .replace("&gt;", ">")
    )

    assert shown["outcomes"]["lost"] == {"count": 24, "grade": "FORBIDDEN"}


def test_spread_has_a_dot_for_every_repetition(book: Book) -> None:
    text = book.html("{recorded-spread} probe broken")

    assert text.count("<circle ") == 3
    assert "3 dots between 7 % and 9 %." in text
    at = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', text)]
    assert at == sorted(at)
    assert at[0] < at[-1]


def test_proof_shows_code_command_answer_and_verdict(book: Book) -> None:
    text = words(book.html("{erratum} E1"))

    assert "as printed : does not compile (exit status 1)." in text
    assert "&lt; x &gt; ;" in text.replace("&lt;x&gt;", "&lt; x &gt; ")
    assert "$ gcc -c x.c x.c:1: error: no &lt;x&gt;" in text
    assert "with --option : compiles. gcc -c y.c" in text


def test_a_proof_is_folded_without_a_script_and_says_what_came_out(book: Book) -> None:
    """A `details` of HTML opens by keyboard, too; everything of the proof is in it, the date last."""
    folded = book.html("{erratum} E1")
    before, inside = folded.split('<details class="proof"><summary>')
    line, inside = inside.split("</summary>")
    inside, after = inside.split("</details>")

    assert line == "Proof of E1 (as printed: does not compile; with --option: compiles)"
    assert "Done on A Processor, Python 3.13.7, 2031-05-06." in words(inside).replace(" .", ".")
    for shown in ("gcc -c x.c", "gcc -c y.c", "2031-05-06"):
        assert shown not in before + after
    assert '<details class="proof" open><summary>' in book.html("{erratum} E1\n:open:")


def test_the_line_of_a_long_proof_says_how_many_runs(book: Book) -> None:
    recording = book.place / "notebooks/recorded/errata.jsonl"
    recording.write_text(json.dumps({**PROOF, "rows": [*PROOF["rows"], PROOF["rows"][1]]}) + "\n")

    assert "<summary>Proof of E1 (3 runs)</summary>" in book.html("{erratum} E1")


MISSING = {
    "{recorded-result} gone broken": "run `racelab record gone`",
    "{recorded-spread} away broken": "run `racelab record away`",
    "{recorded-result} probe fixed_else": "has no race of 'fixed_else' with {'widened': False}; "
    "it has: broken, threads=2; broken, threads=2, widened; fixed, threads=2. Run `racelab record probe`",
    "{recorded-result} probe broken\n:threads: 5": "has no race of 'broken' with {'widened': False, 'threads': 5}",
    "{recorded-result} probe fixed\n:only: caution": "says nothing of 'caution'",
    "{recorded-spread} probe broken\n:widened:": "fewer than two repetitions",
    "{erratum} E9": "run `racelab record errata --only E9`",
}


def test_what_is_missing_stops_the_build_with_one_sentence_each(book: Book) -> None:
    done = book.build(*MISSING)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    for said in MISSING.values():
        assert said in " ".join(done.stderr.split()), said


def test_a_damaged_recording_stops_the_build_and_names_the_line(book: Book) -> None:
    (book.place / "notebooks/recorded/probe.jsonl").write_text('{"lab": "probe"}\n')
    done = book.build("{recorded-result} probe broken")

    assert done.returncode != 0
    assert "probe.jsonl, line 1 is no recording" in done.stderr


def test_a_new_recording_changes_the_page(book: Book, lines: list[str]) -> None:
    """Sphinx builds it again although the page itself is as it was."""
    before = book.html("{recorded-result} probe fixed")
    changed = [line.replace('"A Processor"', '"Another"') for line in lines]
    (book.place / "notebooks/recorded/probe.jsonl").write_text("\n".join(changed) + "\n")
    command = [
        BOOK_PYTHON,
        "-m",
        "sphinx",
        "-W",
        "-q",
        "-b",
        "html",
        book.place,
        book.place / "out",
    ]
    subprocess.run(
        command, check=True, env={"PYTHONPATH": str(ROOT / "book/_ext"), "PATH": "/usr/bin:/bin"}
    )
    after = (book.place / "out/index.html").read_text()

    assert "Recorded on A Processor" in before
    assert "Recorded on Another" in after


def test_the_page_on_results_explains_every_field_and_every_exit_status(lines: list[str]) -> None:
    page = (ROOT / "book/reading.md").read_text()
    tables = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    fields: dict[str, Any] = json.loads(lines[0])["summary"]

    for field in fields:
        assert f"`{field}`" in tables, f"book/reading.md does not explain {field}"
    assert [m[1] for m in re.finditer(r"^\| (\d) \|", tables, re.M)] == ["0", "1", "2", "3"]
