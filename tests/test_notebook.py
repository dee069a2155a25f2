"""Magics, in a real IPython shell in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from racelab.course import Course
from racelab.exercise import find_exercise

pytest.importorskip("IPython")
ROOT = Path(__file__).resolve().parent.parent

MODULE = """\
#include <Python.h>
#include "racelab/race_point.h"
static long count;
static PyObject *bump(PyObject *Py_UNUSED(m), PyObject *Py_UNUSED(a))
{
    long seen = count;
    RACE_POINT();
    count = seen + 1;
    return PyLong_FromLong(STEP);
}
static PyMethodDef methods[] = {{"bump", bump, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "cell", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_cell(void) { return PyModuleDef_Init(&module); }
"""
ONE = MODULE.replace("STEP", "1")
SILENT = ONE.replace("Py_MOD_GIL_NOT_USED", "Py_MOD_GIL_USED")

SHELL = """
import contextlib, io, json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "racelab")
answers = []
for cell in json.loads(sys.stdin.read()):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        done = shell.run_cell(cell)
    value = done.result if isinstance(done.result, (int, str, float, bool, list)) else repr(done.result)
    answers.append({"ok": done.success, "value": value, "said": said.getvalue()})
print("\\n" + json.dumps(answers))
"""


def cells(*texts: str) -> list[dict[str, Any]]:
    """Run cells in one shell; each gives ok, value and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", SHELL],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=180,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_cell_becomes_a_module_and_an_edited_cell_another() -> None:
    answers = cells(
        f"%%c cell\n{ONE}",
        "cell.bump()",
        f"%%c\n{MODULE.replace('STEP', '2')}",  # the name comes from PyInit_
        "import sys; [cell.bump(), sys.modules['cell'] is cell]",
    )

    assert [answer["ok"] for answer in answers] == [True] * 4
    assert (answers[1]["value"], answers[3]["value"]) == (1, [2, True])


def test_an_error_is_shown_at_the_cells_line_without_our_stack() -> None:
    (answer,) = cells(f"%%c cell\n{ONE.replace('long seen = count;', 'long seen = count')}")

    assert not answer["ok"]
    assert "cell cell:8" in answer["said"]  # line 7 of the text is line 8 of the cell
    assert "RACE_POINT();" in answer["said"]
    assert "notebook.py" not in answer["said"]


def test_child_only_is_not_imported() -> None:
    answers = cells(
        f"%%c cell --child-only\n{SILENT}",
        "import sys; ['cell' in sys.modules, sys._is_gil_enabled(), type(cell).__name__]",
        "import racelab as rl; e = rl.run_child('import cell', modules=[cell]); [e.gil_enabled_by, sys._is_gil_enabled()]",
    )

    off = not getattr(sys, "_is_gil_enabled", lambda: True)()
    assert answers[1]["value"] == [False, not off, "Built"]
    assert answers[2]["value"] == (["cell", False] if off else [None, True])


def test_a_module_that_would_turn_the_gil_on_is_not_imported_unless_asked() -> None:
    answers = cells(
        f"%%c cell\n{SILENT}",
        "import sys; sys._is_gil_enabled()",
        f"%%c cell --allow-gil\n{SILENT}",
        "sys._is_gil_enabled()",
    )

    assert not answers[0]["ok"]
    assert "--child-only" in answers[0]["said"]
    assert answers[1]["value"] is getattr(sys, "_is_gil_enabled", lambda: True)()
    assert answers[3]["value"] is True


def test_flags_warnings_and_show() -> None:
    noisy = MODULE.replace("static long count;", "static long count; static int idle;")
    (answer,) = cells(f'%%c cell --flags "-DSTEP=5" --show\n{noisy}')

    assert answer["ok"]
    assert "idle" in answer["said"]
    assert "cell: " in answer["said"]


def test_cpp() -> None:
    text = ONE.replace("PyModuleDef_HEAD_INIT,", ".m_base = PyModuleDef_HEAD_INIT,")
    text = text.replace("long seen = count;", "auto seen = count;")
    answers = cells(f"%%cpp cell --flags=-std=c++20\n{text}", "cell.bump()")

    assert [answers[0]["ok"], answers[1]["value"]] == [True, 1], answers[0]["said"]


def test_cython_is_cythons_own() -> None:
    pytest.importorskip("Cython")
    answers = cells(
        "%%cython\n# cython: freethreading_compatible=True\ndef double(int x):\n    return 2 * x",
        "double(21)",
        "%%cython\n# cython: freethreading_compatible=True\ndef triple(int x):\n    return 3 * x",
        "import sys; [triple(14), sys._is_gil_enabled()]",
    )

    assert answers[1]["value"] == 42, answers[0]["said"]
    assert answers[3]["value"] == [42, getattr(sys, "_is_gil_enabled", lambda: True)()]


def test_a_race_takes_what_a_cython_cell_built_along() -> None:
    pytest.importorskip("Cython")
    answers = cells(
        "%%cython\n# cython: freethreading_compatible=True\ncdef class Tally:\n"
        "    cdef readonly long n\n    def bump(self):\n        self.n += 1",
        "import racelab as rl\n"
        "lab = rl.Lab('tally', setup=Tally, actors=['bump', 'bump'], observe='n')\n"
        "seen = rl.race(lab, rounds=100, count=1)\n"
        "[seen.rounds, bool(seen.ran)]",
    )

    assert answers[1]["value"] == [100, True], answers[0]["said"] + answers[1]["said"]


def test_a_race_takes_modules_of_earlier_cells_along() -> None:
    answers = cells(
        f"%%c cell --child-only\n{ONE}",
        "%%race cell --count 1 --rounds 20\nactors = ['bump', 'bump']\nlimit = 1\n"
        "def check(state, returned):\n    assert returned == (limit, limit)",
        "_.outcomes['holds']",
        "import racelab as rl\nwanted = 3\n"
        "mine = rl.Lab('mine', modules=['cell'], actors=[lambda: wanted], threads=[1], outcomes={'3': rl.ACCEPTABLE})\n"
        "rl.race(mine, count=1, rounds=5).outcomes['3']",
        "%race mine --count 1 --rounds 7",
        "_.rounds",
        "import sys; 'cell' in sys.modules and not isinstance(cell, rl.Built)",
    )

    assert [answer["ok"] for answer in answers] == [True] * 7, answers
    assert (answers[2]["value"], answers[3]["value"], answers[5]["value"]) == (20, 5, 7)
    assert answers[6]["value"] is False


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%c\nint x;", "no PyInit_<name> function"),
        ("%%c cell --nonsense\nint x;", "--nonsense"),
        ('%%c cell --flags "oh\nint x;', "No closing quotation"),
        ("%%race nothing\nactors = ['x']", "no module 'nothing'"),
        ("%%race json\nx = 1", "defines no actors"),
        ("%race", "required: target"),
    ],
)
def test_a_mistake_is_one_sentence(cell: str, said: str) -> None:
    (answer,) = cells(cell)

    assert not answer["ok"]
    assert said in answer["said"]
    assert "Traceback" not in answer["said"]


def test_check_judges_the_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell is the answer: nothing of it is imported into the kernel, no copy is touched, and it counts."""
    monkeypatch.setenv("RACELAB_WORK", str(tmp_path / "work"))
    pair = find_exercise("two_counters")
    judged = cells(
        *(f"%%check two_counters\n{pair.text(which)}" for which in ("starter", "solution")),
        "%%check no_such\nx",
        "import sys; 'two_counters' in sys.modules",
    )

    assert "FAIL" in judged[0]["value"]
    assert "PASS" in judged[1]["value"]
    assert "there are: " in judged[2]["said"]
    assert judged[3]["value"] is False
    files = [path.name for path in (tmp_path / "work").iterdir() if path.name[0] != "."]
    assert files == ["progress.json"]
    standing = Course(tmp_path / "work").of("two_counters")
    assert (standing.passed, standing.checks) == (True, 2)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's `work` of its own."""
    monkeypatch.setenv("RACELAB_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))
    return tmp_path / "work"


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("slug", "broken", "said"),
    [("two_counters", "nonsense here;", "two_counters.c:{}"), ("how_many", "LOW = = 1", "line {}")],
)
def test_check_names_the_line_of_the_cell(slug: str, broken: str, said: str) -> None:
    text = find_exercise(slug).text("solution") + f"{broken}\n"
    cell = f"%%check {slug}\n{text}"

    (judged,) = cells(cell)

    line = cell.splitlines().index(broken) + 1
    assert "reason='compile'" in judged["value"]
    assert re.search(said.format(line) + r"\b", judged["value"]), judged["value"]


def test_a_mistake_in_check_says_how_it_is_written() -> None:
    mistakes = {
        "": "required: exercise",
        "two_counters how_many": "unrecognized arguments: how_many",
        "two_counters --seconds": "--seconds: expected one argument",
        "two_counters --seconds 0": "number of seconds above 0",
        "two_counters --fast": "unrecognized arguments: --fast",
    }
    for said, judged in zip(
        mistakes.values(), cells(*(f"%%check {line}\nx" for line in mistakes)), strict=True
    ):
        assert not judged["ok"]
        assert said in judged["said"]
        assert "%%check two_counters --seconds 60" in judged["said"]
        assert "Traceback" not in judged["said"]


SEEN = """
from racelab import checking
seen, usual = [], checking.check
def check(*args, **how):
    seen.append(how["seconds"])
    return usual(*args, **how)
checking.check = check
"""


@pytest.mark.usefixtures("work")
def test_check_takes_seconds_and_counts_tries() -> None:
    """What is wrong with a question's answers is told bit by bit, in a cell as in a file."""
    text = re.sub(r"(?m)^([A-Z_]+) = None", r"\1 = 0.5", find_exercise("how_many").text("starter"))
    guesses = [f"%%check how_many {more}\n{text}# {more}" for more in ("", "--seconds 60", "")]

    *told, _ = answers = cells(SEEN, *guesses, "seen")[1:]

    assert "of them are not right; think" in told[0]["value"]
    assert "LOW" not in told[0]["value"]
    assert "LOW, " in told[1]["value"]
    assert "HIGH: " not in told[1]["value"]
    assert "HIGH: " in told[2]["value"]
    assert answers[-1]["value"] == [20.0, 60.0, 20.0]


# -- what a check shows while it runs ---------------------------------------------------------------


def notebook_of(*texts: str) -> list[list[dict[str, Any]]]:
    """Outputs of each cell, as a notebook holds them in the end; run in a real kernel."""
    client = pytest.importorskip("jupyter_client")
    pytest.importorskip("ipykernel")
    kernel = client.KernelManager()
    kernel.kernel_spec  # noqa: B018  (made here, so that it can be pointed at this interpreter)
    launch = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.kernel_spec.argv = [sys.executable, *launch]
    kernel.start_kernel(env={k: v for k, v in os.environ.items() if k != "PYTHON_GIL"}, cwd=ROOT)
    channel = kernel.client()
    channel.start_channels()
    try:
        channel.wait_for_ready(timeout=60)
        return [_outputs(channel, text) for text in texts]
    finally:
        channel.stop_channels()
        kernel.shutdown_kernel(now=True)


def _outputs(channel: Any, text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def take(message: Any) -> None:
        kind, content = message["msg_type"], message["content"]
        mark = content.get("transient", {}).get("display_id")
        if kind == "update_display_data":
            for one in found:
                if one["id"] == mark:
                    one["before"].append(one["data"])
                    one["data"] = content["data"]
        elif kind in ("display_data", "execute_result", "stream", "error"):
            data = content.get("data") or content
            found.append({"kind": kind, "id": mark, "data": data, "before": []})

    channel.execute_interactive(text, output_hook=take, timeout=120)
    return found


AT_ONCE = (
    "import racelab as rl, racelab.progress\nracelab.progress.PATIENCE_S = 0\n%load_ext racelab"
)


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    "cell",
    [
        "print('before')\nrl.check('how_many')",
        f"%%check how_many\n{find_exercise('how_many').text('starter')}",
    ],
)
def test_one_line_says_what_is_being_done_and_the_verdict_takes_its_place(cell: str) -> None:
    _, outputs, after = notebook_of(AT_ONCE, cell, "_.verdict")

    *printed, shown = outputs
    assert [one["data"]["text"] for one in printed] == (["before\n"] if "print" in cell else [])
    lines = [data["text/html"] for data in shown["before"]]
    assert any(re.search(r"how_many: \d+ s, trying it out", line) for line in lines), lines
    assert 'role="status"' in shown["data"]["text/html"]
    assert "how_many: FAIL" in shown["data"]["text/html"]
    assert after[0]["data"]["text/plain"] == "'FAIL'", "Out and _ are as ever"


SLOW = """
import time
from racelab.exercise import Exercise

exercise = Exercise("slow", "Wait", "01_interpreter", "easy", 5, "It waits.", ["Wait."], single=lambda _: time.sleep(4))
"""


@pytest.mark.usefixtures("work")
def test_the_line_moves_while_one_step_takes_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "book/exercises/slow"
    folder.mkdir(parents=True)
    (folder / "exercise.py").write_text(SLOW)
    (folder / "solution.py").write_text("WORD = 1\n")
    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path / "book"))

    _, outputs = notebook_of("import racelab as rl", "rl.check('slow')")

    (shown,) = outputs
    lines = [data["text/html"] for data in shown["before"]]
    seconds = {found[1] for line in lines if (found := re.search(r"slow: (\d+) s, trying", line))}
    assert len(seconds) >= 2, lines
    assert "slow: PASS" in shown["data"]["text/html"]


@pytest.mark.usefixtures("work")
def test_a_verdict_that_is_kept_is_shown_where_it_is_asked_for() -> None:
    _, kept, other, asked, twice = notebook_of(
        AT_ONCE, "seen = rl.check('how_many')", "1", "seen", "rl.check('how_many')\n2"
    )

    for outputs in (kept, twice[:1]):  # a line that says how it ended, nothing empty
        (line,) = (re.sub(r"<.*?>", "", one["data"]["text/html"]) for one in outputs)
        assert re.fullmatch(r"how_many: FAIL, \d+ s", line)
    assert [one["data"]["text/plain"] for one in (*other, *twice[1:])] == ["1", "2"]
    assert [(one["kind"], 'role="status"' in one["data"]["text/html"]) for one in asked] == [
        ("execute_result", True)
    ]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("name", ["RACELAB_PROGRESS", "RACELAB_STATIC", ""])
def test_pages_and_short_checks_show_the_verdict_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RACELAB_PROGRESS", raising=False)
    if name:
        monkeypatch.setenv(name, "0" if name == "RACELAB_PROGRESS" else "1")
    begin = AT_ONCE if name else AT_ONCE.replace("PATIENCE_S = 0", "PATIENCE_S = 100")

    _, outputs = notebook_of(begin, "rl.check('how_many')")

    assert [(one["kind"], one["before"]) for one in outputs] == [("execute_result", [])]
