"""The benchmark suite: arithmetic and files on made-up figures, and the command itself. Nothing here is timed."""

from __future__ import annotations

import fcntl
import importlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "benchmarks"
RUN = [str(ROOT / ".venv-ft/bin/python"), str(BENCH / "run.py")]
MARK = "RACELAB_BENCH_TEST"

sys.path.insert(0, str(BENCH))
figures = importlib.import_module("figures")
report = importlib.import_module("report")
sys.path.remove(str(BENCH))


def a_count(key="b/failed", failed=0, of=100, high=0.03, **labels):
    counted = {"failed": failed, "of": of, "low": 0.0, "estimate": failed / of, "high": high}
    return {"key": key, **labels, **counted, "confidence": 0.95}


def a_file(name="speed", entries=None, counts=(), **changed):
    """A results file that is as it should be, but for what is changed."""
    content = {
        "schema": 1, "name": name, "title": "made up", "quick": True, "machine": "1 core, none",
        "cores": 1.0, "cpus": [0], "load": 0.5, "python": "3.13.0", "compiler": "none",
        "gil": False, "date": "2026-01-01", "source_sha256": "0" * 64, "processes": 3,
        "seconds": 1.5, "figures": entries or [figures.figure("a", [3.0, 1.0, 2.0], "s")],
        "counts": list(counts),
    }  # fmt: skip
    return {**content, **changed}


def run(*arguments, env=None, timeout=120):
    clean = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
    return subprocess.run(
        [*RUN, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
        env={**clean, **(env or {})},
    )  # fmt: skip


# -- arithmetic ------------------------------------------------------------------------------------


def test_figure_summarises_its_values():
    found = figures.figure("a", [4.0, 1.0, 3.0, 2.0], "s", lab="x")
    assert (found["median"], found["min"], found["max"], found["n"]) == (2.5, 1.0, 4.0, 4)
    assert found["values"] == [4.0, 1.0, 3.0, 2.0]
    assert (found["unit"], found["lab"]) == ("s", "x")


@pytest.mark.parametrize(("values", "word"), [([], "no values"), ([1.0, math.nan], "value 1")])
def test_figure_without_sense_is_refused_by_name(values, word):
    with pytest.raises(ValueError, match=f"'some/key'.*{word}"):
        figures.figure("some/key", values, "s")


def test_percentile_interpolates():
    assert figures.percentile([30, 10, 20], 0.5) == 20
    assert figures.percentile([0, 10], 0.95) == pytest.approx(9.5)
    assert figures.percentile([7], 0.95) == 7
    with pytest.raises(ValueError, match="0 to 1"):
        figures.percentile([1], 1.5)


def test_bins_hold_every_value_once():
    values = [0, 1, 1.2, 3, 50, 51, 1e6]
    bins = figures.log_bins(values)
    assert sum(count for _, _, count in bins) == len(values)
    for start, end, count in bins:
        assert count == sum(start <= max(value, 1) < end for value in values)


@pytest.mark.parametrize(
    ("found", "missing", "median"),
    [
        ([3.0, 1.0, 2.0], 0, 2.0),
        ([1.0, 2.0], 1, 2.0),
        ([1.0, 2.0], 2, None),
        ([1.0], 2, None),
        ([], 3, None),
        ([], 0, None),
    ],
)
def test_median_counts_what_was_not_found_as_longer(found, missing, median):
    assert figures.missing_median(found, missing) == median


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2_450_000, "/s", "2.45 million/s"),
        (483_726, "/s", "483,726/s"),
        (0.0423, "s", "42.3 ms"),
        (0.00042, "s", "420 us"),
        (1.57, "s", "1.57 s"),
        (0, "s", "0 ms"),
        (0.727, "ns", "under 1 ns"),
        (30, "ns", "30 ns"),
        (3_477, "ns", "3.48 us"),
        (2_805_000, "ns", "2.81 ms"),
        (5210, "times", "5,210 times"),
        (2e6, "times", "2 million times"),
        (-0.123, "MB", "-0.123 MB"),
    ],
)
def test_quantities_read_well(value, unit, text):
    assert figures.quantity(value, unit) == text


# -- the table of what must be reached -------------------------------------------------------------


def goal(bound, *, at_most=False, path="speed/a", what="median"):
    return figures.Goal("made up", path, bound, "s", at_most, what)


@pytest.mark.parametrize(
    ("bound", "at_most", "verdict"),
    [
        (2.0, False, "reached"),
        (2.0, True, "reached"),
        (1.0, False, "reached"),
        (4.0, False, "missed by a factor of 2"),
        (4.0, True, "reached"),
        (0.5, True, "missed by a factor of 4"),
    ],
)
def test_verdict_and_by_how_much(bound, at_most, verdict):
    line = goal(bound, at_most=at_most).line({"speed": a_file()})
    assert line["verdict"] == verdict
    assert line["measured"] == "2 s"
    assert line["wanted"].startswith("at most" if at_most else "at least")


def test_goal_takes_the_number_it_names():
    assert goal(1, what="max").measured({"speed": a_file()}) == 3.0
    assert goal(1, what="min").measured({"speed": a_file()}) == 1.0


def test_goal_may_be_a_ratio():
    made = a_file(entries=[figures.figure("a", [6.0], "s"), figures.figure("b", [2.0], "s")])
    assert goal(1, path="speed/a over speed/b").measured({"speed": made}) == 3.0


def test_what_was_not_measured_is_neither_reached_nor_missed():
    line = goal(1, path="speed/other").line({"speed": a_file()})
    assert (line["measured"], line["verdict"]) == ("-", "not measured")
    assert {line["verdict"] for line in figures.must_reach({})} == {"not measured"}


def test_nothing_is_a_miss_without_a_factor():
    made = a_file(entries=[figures.figure("a", [0.0], "/s")])
    assert goal(5).line({"speed": made})["verdict"] == "missed"


def test_table_is_aligned():
    text = figures.table([{"a": "1", "longer": "x"}, {"a": "23456", "longer": "y"}])
    assert text.splitlines() == ["a      longer", "1      x", "23456  y"]


# -- files -----------------------------------------------------------------------------------------


def test_good_file_has_no_problems():
    assert figures.problems_of(a_file(counts=[a_count()])) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"schema": 2}, "schema 2"),
        ({"gil": "no"}, "'gil'"),
        ({"processes": True}, "'processes'"),
        ({"date": None}, "'date'"),
        ({"figures": []}, "no figures"),
        ({"figures": [{"key": "a", "unit": "s"}]}, "figure 'a' has no max"),
        ({"counts": [a_count(), a_count()]}, "used twice"),
        ({"counts": [a_count(failed=101)]}, "no count"),
        ({"counts": [a_count(failed=50, high=0.1)]}, "interval"),
        ({"figures": [{**figures.figure("a", [1.0], "s"), "median": 2.0}]}, "not between"),
        ({"figures": [{**figures.figure("a", [1.0], "s"), "n": 5}]}, "n=5"),
    ],
)
def test_bad_file_is_named_and_not_written(tmp_path, changed, word):
    target = tmp_path / "speed.json"
    bad = a_file(**changed)
    assert word in " ".join(figures.problems_of(bad))
    with pytest.raises(ValueError, match="was not written"):
        figures.write_whole(target, bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", list(figures.HEAD))
def test_every_part_of_the_head_is_needed(name):
    content = a_file()
    del content[name]
    assert f"{name!r} is missing." in figures.problems_of(content)


def test_file_is_written_whole_and_read_back(tmp_path):
    content = a_file(counts=[a_count()])
    figures.write_whole(tmp_path / "deep" / "speed.json", content)
    assert figures.read_results(tmp_path / "deep") == {"speed": content}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["speed.json"]


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "speed.json"
    figures.write_whole(target, a_file())
    before = target.read_text()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        figures.write_whole(target, a_file(title="newer"))
    assert target.read_text() == before
    assert list(tmp_path.iterdir()) == [target]


def test_no_results_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="run `make bench`"):
        figures.read_results(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", json.dumps(a_file(schema=7))])
def test_damaged_results_are_named(tmp_path, text):
    (tmp_path / "cold.json").write_text(text)
    with pytest.raises(ValueError, match=r"cold\.json: .*`make bench`"):
        figures.read_results(tmp_path)


# -- what the page shows ---------------------------------------------------------------------------


def ways_of(found, times):
    key = "lost_update/slow"
    labels = {"lab": "lost_update", "way": "slow", "text": "the slow way"}
    entries = [
        figures.figure(f"{key}/rounds_per_s", [100.0, 200.0], "/s", **labels),
        figures.figure(f"{key}/failures_per_s", [0.0, 0.0], "/s", **labels),
    ]
    if times:
        more = {"missing": 2 - len(times), "median_all": figures.missing_median(times, 2 - found)}
        entries.append(figures.figure(f"{key}/first_failure", times, "s", **more, **labels))
    counts = [
        a_count(f"{key}/failed", 0, 200, 0.0149, **labels),
        a_count(f"{key}/found", found, 2, 1.0, looked_s=7.5, **labels),
    ]
    return {"finders": a_file("finders", entries, counts)}


def test_zero_failures_come_with_a_bound_and_not_found_with_a_time():
    (row,) = report.ways(ways_of(0, []), "lost_update").rows
    assert row["failed"] == "0 of 200: below 1.5 %"
    assert row["first failure"] == "not found in 7.5 s (0 of 2)"
    assert row["rounds/s"] == "150 (100 to 200)"


def test_found_once_in_two_processes_has_no_median():
    (row,) = report.ways(ways_of(1, [0.5]), "lost_update").rows
    assert row["first failure"] == "mostly not found in 7.5 s (1 of 2)"
    (row,) = report.ways(ways_of(2, [0.5, 0.7]), "lost_update").rows
    assert row["first failure"] == "600 ms (2 of 2)"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.27, "27 %"),
        (0.003, "0.30 %"),
        (0.0296, "3.0 %"),
        (1e-6, "0.00010 %"),
        (0.0996, "10 %"),
    ],
)
def test_shares_have_two_digits(share, text):
    assert report.percent(share) == text


@pytest.mark.parametrize(
    ("bound", "text"), [(0.02951, "3.0 %"), (0.0291, "3.0 %"), (0.03, "3.0 %"), (0.00994, "1.0 %")]
)
def test_bounds_are_rounded_up(bound, text):
    assert report.percent(bound, up=True) == text


def test_quick_run_is_shown_as_one():
    assert "quick" in str(report.conditions({"speed": a_file()}))
    full = str(report.conditions({"speed": a_file(quick=False)}))
    assert "quick" not in full
    assert "full" in full


def test_missed_names_what_was_missed():
    made = a_file(entries=[figures.figure("graded", [1e6, 4e6, 1e6], "/s")])
    said = report.missed({"speed": made}).splitlines()
    assert said[0] == f"1 of {len(figures.GOALS)} reached."
    assert any("median: 1 million/s" in line and "factor of 1.5" in line for line in said)
    assert not any("best" in line for line in said)


def test_html_of_a_table_escapes():
    shown = report.Table([{"a": "<b>", "c": "1 & 2"}], "x < y")._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "1 &amp; 2" in shown
    assert "x &lt; y" in shown


def test_numbers_are_not_torn_from_what_belongs_to_them():
    shown = report.Table([{"a": "x", "b": "0 of 300: below 1.0 % (1 of 5)"}], "y")._repr_html_()
    assert "1.0\N{NO-BREAK SPACE}%" in shown
    assert "(1\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}5)" in shown


def test_committed_results_are_of_one_run_and_answer_every_goal():
    results = report.load()
    assert {path.stem for path in report.RESULTS.glob("*.json")} == set(results)
    for what in ("source_sha256", "quick", "machine", "python", "cpus"):
        assert len({str(content[what]) for content in results.values()}) == 1, what
    for line in figures.must_reach(results):
        assert line["verdict"] != "not measured", line


def test_page_types_no_figures_and_keeps_its_cells_short():
    text = (ROOT / "notebooks/how_fast.md").read_text()
    assert "\n(how-fast)=\n# How fast does it find it?\n" in text
    cells = re.findall(r"^```\{code-cell\}\n(.*?)^```$", text, re.M | re.S)
    assert len(cells) > 10
    for cell in cells:
        lines = cell.splitlines()
        assert len(lines) <= 15, lines[0]
        assert all(len(line) <= 78 for line in lines), cell
    prose = re.sub(r"^```.*?^```$|^---.*?^---$", "", text, flags=re.M | re.S)
    assert not re.search(r"\d[\d.,]* ?(ms|us|ns|million|/s|rounds/s|times)\b", prose)


# -- the command -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--only", "nonsense"], "there is no measurement 'nonsense'; --only takes some of: speed"),
        (["--only", "speed", "bogus"], "'bogus'"),
        (["--processes", "0"], "give 1 or more"),
    ],
)
def test_bad_arguments_are_one_sentence_and_exit_2(tmp_path, arguments, word):
    done = run(*arguments, "--results", tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert word in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    """They would mix their files, and each would be the other's load."""
    held = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done = run("--quick", "--processes", "1", "--only", "startup", "--results", tmp_path)
    finally:
        os.close(held)
    assert done.returncode == 2
    assert "another run writes to" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_forced_gil_is_refused(tmp_path):
    done = run("--results", tmp_path, env={"PYTHON_GIL": "1"})
    assert done.returncode == 2
    assert "the GIL is on" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_small_run_writes_valid_files_and_the_table(tmp_path):
    """Real children, tiny sizes. What they measure does not matter here, what is written does."""
    names = ("startup", "speed", "first")
    done = run("--quick", "--processes", "1", "--results", tmp_path, "--only", *names)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{n}.json" for n in names)
    results = figures.read_results(tmp_path)
    for content in results.values():
        assert content["quick"] is True
        assert content["gil"] is False
        assert content["cpus"] == sorted(os.sched_getaffinity(0))
        assert re.fullmatch(r"[0-9a-f]{64}", content["source_sha256"])
    shares = [
        figures.value_of(results, f"speed/share/{phase}")
        for phase in ("making", "racing", "grading")
    ]
    assert sum(shares) == pytest.approx(1)
    assert figures.table(figures.must_reach(results)) in done.stdout


def marked():
    """Processes that carry our mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={os.getpid()}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_run_leaves_no_file_and_no_process(tmp_path, how):
    env = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
    command = [*RUN, "--quick", "--only", "finders", "--results", str(tmp_path)]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**env, MARK: str(os.getpid())},
    )  # fmt: skip
    with running:
        try:
            assert "finders" in running.stdout.readline()
            assert "threading, pytest" in running.stdout.readline()
            until = time.monotonic() + 30
            while len(marked()) < 2 and time.monotonic() < until:
                time.sleep(0.05)
            assert len(marked()) >= 2, "no child was seen: the test would prove nothing"
            running.send_signal(how)
            _, said = running.communicate(timeout=30)
        finally:
            running.kill()
    until = time.monotonic() + 15
    while marked() and time.monotonic() < until:
        time.sleep(0.1)
    assert marked() == []
    assert list(tmp_path.iterdir()) == []
    if how != signal.SIGKILL:
        assert running.returncode == 130
        assert "stopped in finders" in said
        assert "Traceback" not in said


# -- counting under pytest -------------------------------------------------------------------------

COUNT = """
import json, sys
sys.path.insert(0, {bench!r})
from children import BenchError, under_pytest
try:
    seen = under_pytest({recipe!r}, "lost_update", {options!r}, threads=2, iterations=20)
    print(json.dumps([seen.trials, seen.failed, seen.first_failure_s is not None]))
except BenchError as error:
    print(json.dumps(str(error)))
"""

RECIPES = {
    "passes": ("def test_it(): pass", [4, 0, False]),
    "fails": ("def test_it(): assert False", [4, 4, True]),
    "third": ("N = []\ndef test_it():\n    N.append(1)\n    assert len(N) != 3", [4, 1, True]),
    "dies": (
        "import os, signal\nN = []\ndef test_it():\n    N.append(1)\n"
        "    if len(N) == 3: os.kill(os.getpid(), signal.SIGSEGV)",
        [3, 1, True],
    ),
}


def counted(recipe, options):
    code = COUNT.format(bench=str(BENCH), recipe=str(recipe), options=options)
    done = subprocess.run([RUN[0], "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", list(RECIPES))
def test_tests_under_pytest_are_counted_a_crash_too(tmp_path, name):
    source, wanted = RECIPES[name]
    recipe = tmp_path / f"recipe_{name}.py"
    recipe.write_text(source + "\n")
    assert counted(recipe, ["--count=4"]) == wanted


def test_broken_recipe_is_no_finding(tmp_path):
    """An exception that is no failed assertion says nothing about the module under test."""
    recipe = tmp_path / "recipe_typo.py"
    recipe.write_text("def test_it(): nonsense()\n")
    assert "NameError" in counted(recipe, ["--count=2"])


@pytest.mark.parametrize(
    "recipe", ["recipe_threading.py", "recipe_futures.py", "recipe_run_threaded.py"]
)
def test_recipes_make_as_many_trials_as_asked(recipe):
    trials, failed, _ = counted(recipe, ["--count=3"])
    assert trials == 3
    assert 0 <= failed <= 3
