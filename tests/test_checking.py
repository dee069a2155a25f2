"""The checker can be trusted: three verdicts, learners' words, and no trick gets a PASS."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import ANY

import pytest

from racelab import answers, checking, lab
from racelab.build import Built
from racelab.checking import check
from racelab.child import crash_handlers
from racelab.course import Course
from racelab.exercise import (
    Exercise,
    ExerciseError,
    blocks_of,
    exercises,
    exercises_folder,
    find_exercise,
    load_exercise,
    plain,
    render,
)
from racelab.reports import parse
from racelab.show import find_ext

ROOT = find_ext().parent
#: The step itself, which most tests here go without.
SANITIZED = checking._Check._sanitized


@pytest.fixture(scope="module")
def pair() -> Exercise:
    """The exercise that the tests below try to fool the checker with."""
    return load_exercise(ROOT / "exercises/two_counters/exercise.py")


@pytest.fixture(autouse=True)
def no_sanitizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ThreadSanitizer adds is tested by itself."""
    monkeypatch.setattr(checking._Check, "_sanitized", lambda _self: None)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's `work` of its own."""
    monkeypatch.setenv("RACELAB_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))
    return tmp_path / "work"


def racelab(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "racelab", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


def with_line(text: str, after: str, line: str) -> str:
    """The text with a line put behind the first one that holds `after`."""
    head, found, tail = text.partition(after)
    assert found, f"{after!r} is not in the text"
    end = tail.index("\n")
    return head + found + tail[:end] + f"\n{line}" + tail[end:]


# -- tricks -----------------------------------------------------------------------------------------

IN_INIT = "exec_module(PyObject *module)\n{"
IN_STATS = "cache_stats(PyObject *op, PyObject *Py_UNUSED(ignored))\n{"

TRICKS = {
    "prints PASS": (
        IN_INIT,
        '    printf("PASS\\n"); fflush(stdout);',
        "race",
    ),
    "ends the process in C": (IN_STATS, "    exit(0);", "single"),
    "ends the process when two threads are there": (
        IN_STATS,
        '    if (PyImport_GetModule(PyUnicode_FromString("racelab._race"))) _exit(0);',
        "race",
    ),
    "replaces a builtin": (
        IN_INIT,
        '    PyRun_SimpleString("import builtins; builtins.next = lambda *a: (3, 2)");',
        "tampered",
    ),
    "replaces the judge": (
        IN_INIT,
        '    PyRun_SimpleString("import sys\\nfor m in list(sys.modules.values()):\\n'
        " if hasattr(m, 'pair'): m.pair = lambda *a: 'a pair it held'\");",
        "tampered",
    ),
    "turns the GIL on": ("", "", "gil"),
    "turns the GIL on while it is raced": (
        IN_STATS,
        '    static int once; if (PyImport_GetModule(PyUnicode_FromString("racelab._race")) && !once++)\n'
        '        PyRun_SimpleString("import sys, warnings, importlib.util as u\\n'
        "warnings.simplefilter('ignore')\\n"
        "s = u.spec_from_file_location('helper', sys.modules['two_counters'].__spec__.origin)\\n"
        'u.module_from_spec(s)");',
        "gil",
    ),
    "asks for the GIL by the environment": (
        IN_INIT,
        '    setenv("PYTHON_GIL", "1", 1);',
        "race",
    ),
    "ends the process as soon as it is loaded": (
        "#include <unistd.h>",
        "__attribute__((constructor)) static void leave(void) { exit(0); }",
        "single",
    ),
    "replaces attributes from C": (
        IN_INIT,
        '    PyObject *judge = PyImport_ImportModule("racelab.lab");\n'
        '    PyObject_SetAttrString(judge, "Lab", Py_None);',
        "tampered",
    ),
    "catches everything": (
        "cache_reset(PyObject *op, PyObject *Py_UNUSED(ignored))\n{",
        "    signal(SIGSEGV, SIG_IGN); signal(SIGABRT, SIG_IGN); PyErr_Clear();",
        "tampered",
    ),
    "hands back a constant": (
        IN_STATS,
        '    return Py_BuildValue("(ll)", 0L, 0L);',
        "single",
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_trick_is_no_pass(pair: Exercise, trick: str) -> None:
    """Each of them is put into the starter, which would fail the race."""
    after, line, reason = TRICKS[trick]
    text = pair.text("starter").replace(
        "#include <stdatomic.h>", "#include <signal.h>\n#include <stdatomic.h>\n#include <unistd.h>"
    )
    if (
        "helper" in line
    ):  # a second module in the same file, which does not say that it needs no GIL
        text += """
static struct PyModuleDef helper_def = {PyModuleDef_HEAD_INIT, .m_name = "helper"};
PyMODINIT_FUNC PyInit_helper(void) { return PyModule_Create(&helper_def); }
"""
    if not line and reason == "gil":
        text = text.replace("    {Py_mod_gil, Py_MOD_GIL_NOT_USED},\n", "")
    else:
        text = with_line(text, after, line)

    verdict = check(pair, text)

    assert (verdict.verdict, verdict.reason) == ("FAIL", reason), str(verdict)


#: C that turns a crash into an end, or into a call that returns.
HANDLED = """#include <Python.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>
static _Thread_local sigjmp_buf back;
static void leave(int number)
{{
    (void)number;
    {0};
}}
static void calm(void)
{{
    int all[] = {{SIGSEGV, SIGBUS, SIGABRT}};
    for (int i = 0; i < 3; i++) {{
        struct sigaction action = {{.sa_handler = leave, .sa_flags = SA_NODEFER}};
        sigaction(all[i], &action, NULL);
    }}
}}
"""
#: At once, or only where two threads are there: then what judges by itself is through.
WHEN = {
    "at once": "    calm();",
    "in a race": '    PyObject *name = PyUnicode_FromString("racelab._race");\n'
    "    PyObject *there = PyImport_GetModule(name);\n    if (there != NULL) {\n        calm();\n    }\n"
    "    Py_XDECREF(there);\n    Py_XDECREF(name);",
}
LEAVES, JUMPS = HANDLED.format("_exit(0)"), HANDLED.format("siglongjmp(back, 1)")
IN_A_CALL = {
    "reset_cache": "PyObject *data)\n{",
    "borrowed_pair": "PyObject *const *args, Py_ssize_t n)\n{",
}
RETURNS = {
    "reset_cache": "return PyLong_FromUnsignedLong(sum_up(make_table(), PyBytes_AsString(data), PyBytes_Size(data)));",
    "borrowed_pair": "{ PyErr_Clear(); Py_RETURN_NONE; }",
}


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("how", ["leaves", "jumps"])
@pytest.mark.parametrize("slug", IN_A_CALL)
def test_hiding_a_crash_is_no_pass(slug: str, how: str, when: str) -> None:
    """Where the starter uses memory that is freed; what it reads there before it crashes is seen, too."""
    one = load_exercise(ROOT / f"exercises/{slug}/exercise.py")
    head = LEAVES if how == "leaves" else JUMPS
    text = one.text("starter").replace("#include <Python.h>\n", head)
    body = WHEN[when]
    if how == "jumps":
        body += f"\n    if (sigsetjmp(back, 1)) {RETURNS[slug]}"

    verdict = check(one, with_line(text, IN_A_CALL[slug], body))

    assert verdict.verdict == "FAIL", str(verdict)
    # In a race somebody may have read what is freed before anybody looks at the handlers.
    allowed = ["tampered"] if when == "at once" else ["tampered", "race"]
    assert verdict.reason in allowed, str(verdict)


def test_an_interpreter_without_ctypes_judges_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the handler of SIGSEGV" in crash_handlers()
    monkeypatch.setitem(sys.modules, "ctypes", None)

    assert crash_handlers() == {}


ONLY_CRASHES = """
from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Exercise

def single(module):
    module.drop()
    assert module.take() == 7, "take() must be 7"

exercise = Exercise(
    "null_box", title="Look once", chapter="08_caches", level="easy", minutes=5, goal="take() is 7.", hints=("Once?",),
    single=single,
    lab=Lab(
        "null_box", modules=["null_box"], setup=lambda module: module, actors=["take", "drop"],
        question="Is what was seen there still there?", observe=lambda *_: "seven",
        outcomes={"seven": ACCEPTABLE("it was there"), "crash(*)": FORBIDDEN("it was not")}, rounds=50,
    ),
)
"""
NULL_BOX = """
#include <Python.h>
#include "racelab/race_point.h"

static const volatile int seven = 7;
static const volatile int *volatile box;

static PyObject *
take(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    // BEGIN STARTER
    // if (box == NULL) {
    //     box = &seven;
    // }
    // RACE_POINT();
    // return PyLong_FromLong(*box);
    // BEGIN SOLUTION
    const volatile int *seen = box;
    if (seen == NULL) {
        box = seen = &seven;
    }
    RACE_POINT();
    return PyLong_FromLong(*seen);
    // END
}

static PyObject *
drop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    box = NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"take", take, METH_NOARGS, NULL},
    {"drop", drop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "null_box", .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_null_box(void)
{
    return PyModuleDef_Init(&definition);
}
"""


@pytest.mark.parametrize("when", WHEN)
def test_jumping_out_of_what_only_crashes_is_no_pass(tmp_path: Path, when: str) -> None:
    """Nothing else would tell: the bug shows itself by the crash alone, and it is gone."""
    folder = tmp_path / "null_box"
    folder.mkdir()
    (folder / "exercise.py").write_text(ONLY_CRASHES)
    (folder / "solution.c").write_text(NULL_BOX)
    one = load_exercise(folder / "exercise.py")
    text = one.text("starter").replace("#include <Python.h>\n", JUMPS)
    jump = (
        f"{WHEN[when]}\n    if (sigsetjmp(back, 1)) {{\n        return PyLong_FromLong(7);\n    }}"
    )
    begin = "take(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))\n{"

    verdict = check(one, with_line(text, begin, jump))

    assert (verdict.verdict, verdict.reason) == ("FAIL", "tampered"), str(verdict)
    assert "the handler of SIGSEGV" in str(verdict)


def sleepy(text: str, microseconds: int) -> str:
    """An answer that keeps its bug, sleeps before it, and has no race point left."""
    pause = f"    Py_BEGIN_ALLOW_THREADS usleep({microseconds}); Py_END_ALLOW_THREADS"
    for function in ("cache_stats", "cache_reset"):
        text = with_line(text, f"{function}(PyObject *op, PyObject *Py_UNUSED(ignored))\n{{", pause)
    text = text.replace("#include <stdatomic.h>", "#include <stdatomic.h>\n#include <unistd.h>")
    return text.replace("    RACE_POINT();\n", "")


@pytest.mark.parametrize("microseconds", [1, 20_000])
def test_sleeping_is_no_pass(pair: Exercise, microseconds: int) -> None:
    """An answer that is slow enough never meets anybody; so many rounds are asked for that it shows."""
    verdict = check(pair, sleepy(pair.text("starter"), microseconds), seconds=4)

    assert verdict.verdict in ("FAIL", "INCONCLUSIVE"), str(verdict)


def test_much_slower_than_the_starter_asks_for_more_rounds(pair: Exercise) -> None:
    """What decides for a fast answer does not decide for one that hardly meets anybody."""
    judge = checking._Check(replace(pair, cost=None), pair.text("solution"), 1.0)
    for count, speed in ((judge.power, 300_000.0), (judge.yours, 10_000.0)):
        count.result = SimpleNamespace(
            rounds_per_s=speed, mode="rounds", failed_rounds=10, rate_per_round=None
        )
    usual = judge._needed
    built = Built.__new__(Built)

    judge._ask_for_more(built, built)

    assert judge._needed >= 30 * usual
    assert "30 times as long" in judge.steps[-1].text


def test_a_judge_without_a_race_is_guarded_too() -> None:
    """With a collector of its own making an answer could have everything its way."""
    one = load_exercise(ROOT / "exercises/let_others_run/exercise.py")
    replaces = 'PyRun_SimpleString("import gc; gc.freeze = lambda: None")'
    begin = "PyInit_let_others_run(void)\n{"

    verdict = check(one, with_line(one.text("solution"), begin, f"    {replaces};"))

    assert verdict.verdict == "FAIL", str(verdict)
    if verdict.reason != "single":  # which a machine that is busy may bring about
        assert "gc.freeze" in str(verdict)


def test_an_answer_that_is_too_dear_to_be_measured_is_no_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be measured was let through once."""
    one = load_exercise(ROOT / "exercises/reset_cache/exercise.py")
    assert check(one, one.text("no_cache")).reason == "cost"

    monkeypatch.setattr(checking, "COST_S", 3.0)
    endless = "PyObject *data)\n{"
    judge = checking._Check(
        one,
        with_line(one.text("solution"), endless, "    for (volatile int on = 1; on;) {\n    }"),
        1.0,
    )
    with pytest.raises(checking._Stop) as stop:
        judge._cheap(judge._compiled())

    assert (stop.value.verdict, stop.value.reason) == ("FAIL", "cost")


PYTHON_TRICKS = {
    "equals everything": (
        "which_borrowed",
        "import unittest.mock\nfor _name in [n for n in globals() if n.isupper()]:\n"
        "    globals()[_name] = {k: unittest.mock.ANY for k in globals()[_name]}\n",
        "single",
    ),
    "ends the process": ("which_lock", "import os\nos._exit(0)\n", "single"),
    "leaves by SystemExit": ("which_lock", "raise SystemExit(0)\n", "single"),
    "replaces what judges": (
        "how_many",
        "import builtins, math\nmath.isclose = lambda *_, **__: True\n"
        "for _name in [n for n in globals() if n.isupper()]:\n    globals()[_name] = 1.0\n",
        "tampered",
    ),
    "replaces the judge": (
        "how_many",
        "import sys\nfor _m in list(sys.modules.values()):\n"
        "    if hasattr(_m, 'about_bound'): _m.single = lambda _: None; _m.QUESTIONS = {}\n",
        "tampered",
    ),
    "replaces what is told": (
        "how_many",
        "import json, sys\n_real = json.dumps\n_judge = sys.modules['racelab.exercise'].Guard\n"
        "json.dumps = lambda o, **k: _real({'event': 'done', 'gil': False}\n"
        "    if type(o) is dict and o.get('event') in ('done', 'error') else o)\n"
        "sys.exit = lambda *_: None\nfor _name in [n for n in globals() if n.isupper()]:\n"
        "    globals()[_name] = 1.0\n",
        "tampered|single",
    ),
    "replaces the exercise": (
        "how_many",
        "import sys\nsys.modules['__main__'].exercise = sys\nsys.single = lambda _: None\n",
        "single",
    ),
    "replaces what it is tried on": (
        "silent_test",
        "import sys\nfor _m in list(sys.modules.values()):\n"
        "    if hasattr(_m, 'Raises'): _m.Raises.lookup = _m.Broken.lookup\n",
        "trial|tampered",
    ),
    "fails always": (
        "silent_test",
        "def test_cache_is_filled_once(make_cache):\n    raise AssertionError\n",
        "trial",
    ),
    "never fails": (
        "silent_test",
        "def test_cache_is_filled_once(make_cache):\n    pass\n",
        "trial",
    ),
}


SWALLOWS = {
    "around the pair": {
        "    if key is last_key:\n        return last_size": "    try:\n        if key is last_key:\n"
        "            return last_size\n    except:\n        pass",
    },
    "around all of it": {
        "def size_of(key):": "def size_of(key):\n    try:\n        return asked(key)\n    except:\n"
        "        return measure(key)\n\n\ndef asked(key):",
        "    if key is last_key:\n        return last_size": "    if key is last_key and type(last_size) is int:\n"
        "        return int(last_size)",
    },
}


@pytest.mark.parametrize("what", SWALLOWS)
def test_swallowing_every_exception_is_no_pass(what: str) -> None:
    """In Cython, where the starter raises now and then, because an object is not what it was."""
    one = load_exercise(ROOT / "exercises/cython_cache/exercise.py")
    text = one.text("starter")
    for old, new in SWALLOWS[what].items():
        assert old in text
        text = text.replace(old, new)

    verdict = check(one, text)

    assert (verdict.verdict, verdict.reason) == ("FAIL", "race"), str(verdict)


def test_what_equals_everything_is_no_answer() -> None:
    module = SimpleNamespace(LOW=0.5, WORDS={"a": ["b", None]}, helper=any)
    plain(module)
    module.WORDS["a"].append(ANY)

    with pytest.raises(AssertionError, match="WORDS: write a plain value, not a _ANY"):
        plain(module)


ASKS = """
from racelab.exercise import Exercise

def single(module):
    assert module.WORD == "lock", "WORD: not this one"

exercise = Exercise("one_word", title="Say which", chapter="12_critical_section", level="easy", minutes=5,
                    goal="The right word.", hints=("Which?",), single=single)
"""


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("'lock'", "PASS"),
        ("'luck'", "WORD: not this one"),
        ("__import__('unittest.mock').mock.ANY", "WORD: write a plain value"),
        ("type('Word', (str,), {'__eq__': lambda *_: True})()", "WORD: write a plain value"),
    ],
)
def test_values_are_looked_at_before_they_are_compared(
    tmp_path: Path, word: str, said: str
) -> None:
    folder = tmp_path / "one_word"
    folder.mkdir()
    (folder / "exercise.py").write_text(ASKS)
    (folder / "solution.py").write_text("WORD = 'lock'\n# one\n")

    verdict = check(load_exercise(folder / "exercise.py"), f"WORD = {word}\n# mine\n")

    assert said in str(verdict), str(verdict)


UNDECIDED = """
from racelab.exercise import Cost, Exercise, Trial, Undecided

def single(module):
    if "single" in module.WORD:
        raise Undecided("single saw 3 of 10 ticks")

def tried(module):
    if "trial" in module.WORD:
        raise Undecided("the trial saw 3 of 10 ticks")

def body(module):
    if "cost" in module.WORD:
        raise Undecided("it took 3 s to see 10 ticks")
    return int

exercise = Exercise("one_word", title="Say which", chapter="12_critical_section", level="easy", minutes=5,
                    goal="The right word.", hints=("Which?",), single=single,
                    trials=(Trial("a clock", tried, fails=True, why="It must fail.", runs=3),),
                    cost=Cost(body, limit=5, why="Too dear."))
"""


def undecided(folder: Path, answer: str) -> checking.Verdict:
    """The verdict where what judges raises `Undecided`, by what the answer says."""
    (folder / "one_word").mkdir()
    file = folder / "one_word/exercise.py"
    file.write_text(UNDECIDED)
    (file.parent / "solution.py").write_text("WORD = ''\n# one\n")
    return check(load_exercise(file), answer)


@pytest.mark.parametrize(
    ("answer", "step", "saw"),
    [
        ("WORD = 'single'", "answers", "single saw 3 of 10 ticks"),
        ("WORD = 'trial'", "a clock", "the trial saw 3 of 10 ticks"),
    ],
)
def test_what_judges_may_say_that_the_machine_kept_it_from_judging(
    tmp_path: Path, answer: str, step: str, saw: str
) -> None:
    verdict = undecided(tmp_path, f"{answer}\n# mine\n")

    assert (verdict.verdict, verdict.reason, verdict.exit_status) == ("INCONCLUSIVE", "too-slow", 3)
    assert dict(verdict.steps)[step] == saw
    assert "check again" in verdict.says


def test_what_is_timed_may_say_so_too(tmp_path: Path) -> None:
    (tmp_path / "one_word").mkdir()
    file = tmp_path / "one_word/exercise.py"
    file.write_text(UNDECIDED)
    (file.parent / "solution.py").write_text("WORD = ''\n# one\n")
    judge = checking._Check(load_exercise(file), "WORD = 'cost'\n# mine\n", 1.0)

    with (
        checking.tempfile.TemporaryDirectory() as judge.folder,
        pytest.raises(checking._Stop) as stop,
    ):
        judge._cheap(judge._compiled())

    assert (stop.value.verdict, stop.value.reason) == ("INCONCLUSIVE", "too-slow")
    assert judge.steps[-1] == ("cost", "it took 3 s to see 10 ticks")


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ("raise Undecided('not me')", "FAIL"),  # at its import it is an error like any other
        (
            "class Word(str):\n    def __contains__(self, _): raise Undecided('not me')\nWORD = Word()",
            "INCONCLUSIVE",
        ),
        (
            "import racelab.exercise\nracelab.exercise.Undecided = KeyError\nWORD = 'single'",
            "FAIL",  # tampered
        ),
    ],
)
def test_an_answer_that_says_so_itself_gains_nothing(
    tmp_path: Path, lines: str, verdict: str
) -> None:
    answer = f"from racelab.exercise import Undecided\n{lines}\n# mine\n"

    assert undecided(tmp_path, answer).verdict == verdict


@pytest.mark.parametrize("trick", PYTHON_TRICKS)
def test_trick_in_python_is_no_pass(trick: str) -> None:
    slug, more, reasons = PYTHON_TRICKS[trick]
    one = load_exercise(ROOT / f"exercises/{slug}/exercise.py")

    verdict = check(one, one.text("starter") + "\n" + more)

    assert verdict.verdict == "FAIL", str(verdict)
    assert verdict.reason in reasons.split("|"), str(verdict)


AT_ONCE = '    PyRun_SimpleString("{0}");'
LATER = '    static int n; if (n++ == 3) PyRun_SimpleString("{0}");'
REPLACEMENTS = {
    "a builtin": "import builtins; builtins.next = lambda *a: (3, 2)",
    "a name of threading": "import threading; threading.Thread.run = threading.Lock = print",
    "the lab's class": "import racelab.lab; racelab.lab.Lab = print",
    "a name that hides a builtin": "import racelab.lab; racelab.lab.pow = print",
    "nothing": "import json; json.own = print",
}


@pytest.mark.parametrize("what", REPLACEMENTS)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_the_race_itself_is_guarded(pair: Exercise, what: str, when: str) -> None:
    """Not only the step before it: whoever behaves until two threads are there is found out, too."""
    assert pair.lab is not None
    after, line = (IN_INIT, AT_ONCE) if when == "at once" else (IN_STATS, LATER)
    text = with_line(pair.text("solution"), after, line.format(REPLACEMENTS[what]))
    built = checking._Check(pair, None, 1.0)._build(text, "answer")

    seen = checking.race(pair.lab, modules=[built], guard=True, count=1, rounds=64, progress=False)

    assert bool(seen.outcomes.get("tampered")) == (what != "nothing"), seen.outcomes
    assert ("tampered" in seen.forbidden) == (what != "nothing")


def test_the_same_tampering_does_no_harm_to_an_honest_answer(pair: Exercise) -> None:
    """The guard looks at names that judge: an answer may import and define what it likes."""
    text = with_line(
        pair.text("solution"), IN_INIT, '    PyRun_SimpleString("import json, decimal");'
    )

    assert check(pair, text).verdict == "PASS"


# -- verdicts ---------------------------------------------------------------------------------------


def test_compile_error_is_at_the_learners_line(pair: Exercise, tmp_path: Path) -> None:
    file = tmp_path / "two_counters.c"
    text = with_line(pair.text("starter"), IN_STATS, "    long x = 1")
    file.write_text(text)
    line = text.splitlines().index("    long x = 1") + 1

    verdict = check(pair, file)

    assert (verdict.verdict, verdict.reason) == ("FAIL", "compile")
    assert f"two_counters.c:{line}" in verdict.says


def test_another_module_name_is_said_so(pair: Exercise, tmp_path: Path) -> None:
    file = tmp_path / "mine.c"
    file.write_text(pair.text("starter").replace("PyInit_two_counters", "PyInit_mine"))

    verdict = check(pair, file)

    assert verdict.reason == "compile"
    assert "PyInit_two_counters" in verdict.says


@pytest.mark.parametrize("name", ["ada.pyx", "ada-smith.pyx", "7 tries.pyx"])
def test_a_cython_answer_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """People hand in files named after themselves; Cython would take the module's name from there."""
    one = load_exercise(ROOT / "exercises/cache_race/exercise.py")
    file = tmp_path / name
    file.write_text(one.text("solution"))
    judge = checking._Check(one, file, 1.0)

    judge._single(judge._compiled())

    assert dict(judge.steps)["by itself"] == "right answers"


@pytest.mark.parametrize("name", ["ada.c", "ada-smith.c", "7 tries.c"])
def test_a_c_answer_may_be_called_anything(pair: Exercise, tmp_path: Path, name: str) -> None:
    """A comment may name another init function, too."""
    file = tmp_path / name
    file.write_text("/* Not PyInit_ada. */\n" + pair.text("solution"))
    judge = checking._Check(pair, file, 1.0)

    judge._single(judge._compiled())

    assert dict(judge.steps)["by itself"] == "right answers"


def test_a_module_that_is_called_otherwise_is_told_in_a_text_too(pair: Exercise) -> None:
    verdict = check(pair, pair.text("starter").replace("PyInit_two_counters", "PyInit_mine"))

    assert verdict.reason == "compile"
    assert "PyInit_two_counters" in verdict.says


def test_an_error_in_a_file_of_another_name_is_at_its_line(tmp_path: Path) -> None:
    one = load_exercise(ROOT / "exercises/cache_race/exercise.py")
    text = one.text("solution") + "\nraise ValueError('not this one')\n"
    file = tmp_path / "ada.pyx"
    file.write_text(text)

    verdict = check(one, file)

    line = text.splitlines().index("raise ValueError('not this one')") + 1
    said = dict(verdict.steps)["by itself"]
    assert said.endswith(f"line {line} of ada.pyx: raise ValueError('not this one')"), said


@pytest.fixture
def including(pair: Exercise, tmp_path: Path) -> checking._Check:
    """A check of a solution that includes a header beside it."""
    (tmp_path / "mine.h").write_text("#include <stdatomic.h>\n")
    text = pair.text("solution").replace("<stdatomic.h>", '"mine.h"')
    assert '"mine.h"' in text
    file = tmp_path / "ada.c"
    file.write_text(text)
    judge = checking._Check(pair, file, 1.0)
    judge._compiled()
    return judge


def test_an_answer_finds_its_own_header_at_every_step(including: checking._Check) -> None:
    """It is compiled three times: as it is, with each step held open, and for ThreadSanitizer."""
    assert isinstance(including._answer(flags=checking.EVERY_STEP), Built)
    assert isinstance(including._answer(sanitizer="thread"), Built)


def test_an_answer_that_was_saved_meanwhile_is_judged_as_it_was_read(
    including: checking._Check,
) -> None:
    assert including.file is not None
    changed = including.read[0].replace('"mine.h"', "<stdatomic.h>")
    including.file.write_text("this would not compile\n")
    including.read = changed, "ada.c"

    built = including._answer()

    assert isinstance(built, Built)
    assert including.file is None


def on_one_core(file: Path, which: str, change: str = "", before: str = "") -> dict[str, object]:
    """The verdict of a check in an interpreter pinned to one core."""
    core = str(min(os.sched_getaffinity(0)))
    script = f"""
import json
from pathlib import Path
from racelab import checking
from racelab.exercise import load_exercise
checking._Check._sanitized = lambda _self: None
{before}
exercise = load_exercise(Path({str(file)!r}))
print(json.dumps(checking.check(exercise, exercise.text({which!r}){change}).as_json()))
"""
    done = subprocess.run(
        ["taskset", "-c", core, sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


HANGS = """
from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Exercise

exercise = Exercise(
    "two_ways",
    title="Take two locks in one order",
    chapter="12_critical_section",
    level="easy",
    minutes=10,
    goal="Both calls end.",
    hints=("In which order?",),
    lab=Lab(
        "two_ways",
        modules=["two_ways"],
        setup=lambda module: module,
        actors=["there", "back"],
        observe=lambda *_: "both ended",
        outcomes={"both ended": ACCEPTABLE("one after the other"), "hang": FORBIDDEN("each waits for the other")},
        mode="hang",
        rounds=50,
        stall_s=0.5,
    ),
    advice={"hang": "One order for all."},
)
"""
TWO_WAYS = """
#include <Python.h>
#include "racelab/race_point.h"

static PyMutex one, two;

static PyObject *
both(PyMutex *first, PyMutex *second)
{
    PyMutex_Lock(first);
    RACE_POINT();
    PyMutex_Lock(second);
    PyMutex_Unlock(second);
    PyMutex_Unlock(first);
    Py_RETURN_NONE;
}

static PyObject *
there(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return both(&one, &two);
}

static PyObject *
back(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    // BEGIN STARTER
    // return both(&two, &one);
    // BEGIN SOLUTION
    return both(&one, &two);
    // END
}

static PyMethodDef methods[] = {
    {"there", there, METH_NOARGS, NULL},
    {"back", back, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "two_ways", .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_two_ways(void)
{
    return PyModuleDef_Init(&definition);
}
"""


@pytest.fixture
def two_ways(tmp_path: Path) -> Path:
    """An exercise about calls that never end: its race is in mode "hang"."""
    folder = tmp_path / "two_ways"
    (folder / "wrong").mkdir(parents=True)
    (folder / "exercise.py").write_text(HANGS)
    (folder / "solution.c").write_text(TWO_WAYS)
    (folder / "wrong/other_first.c").write_text(
        "// Caught by race.\n// Still two orders.\n// BEGIN 1\n    PyMutex_Lock(&two);\n    RACE_POINT();\n"
        "    PyMutex_Lock(&one);\n    PyMutex_Unlock(&one);\n    PyMutex_Unlock(&two);\n    Py_RETURN_NONE;\n// END\n"
    )
    return folder / "exercise.py"


ONE_CORE = [("starter", "FAIL"), ("solution", "PASS"), ("wrong", "FAIL")]


#: What passes in the slower modes is left to the long tests.
MODES = [
    pytest.param(
        mode,
        which,
        word,
        marks=pytest.mark.race if which == "solution" and mode != "rounds" else (),
        id=f"{mode}-{which}-{word}",
    )
    for mode in ("rounds", "cold", "hang")
    for which, word in ONE_CORE
]


@pytest.mark.parametrize(("mode", "which", "word"), MODES)
def test_on_one_core_the_verdict_is_widened_and_right(
    two_ways: Path, mode: str, which: str, word: str
) -> None:
    file, wrong = {
        "rounds": (ROOT / "exercises/two_counters/exercise.py", "too_early"),
        "cold": (ROOT / "exercises/cache_race/exercise.py", "looks_once"),
        "hang": (two_ways, "other_first"),
    }[mode]
    one = load_exercise(file)
    assert one.lab is not None
    assert one.lab.mode == mode

    seen = on_one_core(file, wrong if which == "wrong" else which)

    assert (seen["verdict"], seen["widened"]) == (word, True), seen


@pytest.mark.parametrize("mode", ["rounds", "hang"])
def test_on_one_core_without_a_race_point_it_is_inconclusive(two_ways: Path, mode: str) -> None:
    """What shows there is the window that is held open: an answer without one is neither right nor wrong."""
    change = '.replace("RACE_POINT();", "")'
    file = two_ways if mode == "hang" else ROOT / "exercises/two_counters/exercise.py"

    seen = on_one_core(file, "starter", change)

    assert (seen["verdict"], seen["reason"]) == ("INCONCLUSIVE", "no-race-point"), seen


MOVED = {
    "rounds": '.replace("    RACE_POINT();\\n", "").replace("ignored))\\n{", "ignored))\\n{\\n    RACE_POINT();")',
    "cold": '.replace("    RACE_POINT()\\n", "").replace("    global _t", "    RACE_POINT()\\n    global _t")',
    "hang": '.replace("    RACE_POINT();\\n", "").replace("Lock(first);", "Lock(first);", 1)'
    '.replace("    PyMutex_Lock(first);", "    RACE_POINT();\\n    PyMutex_Lock(first);")',
}


@pytest.mark.parametrize("mode", MOVED)
def test_on_one_core_a_race_point_outside_of_the_window_is_no_pass(
    two_ways: Path, mode: str
) -> None:
    """Moved in the starter: nothing holds the window open then but what the checker itself puts everywhere."""
    file = {
        "rounds": ROOT / "exercises/two_counters/exercise.py",
        "cold": ROOT / "exercises/cache_race/exercise.py",
        "hang": two_ways,
    }[mode]
    starter = load_exercise(file).text()
    moved = eval(f"starter{MOVED[mode]}", {"starter": starter})
    assert moved != starter
    assert moved.count("RACE_POINT()") >= starter.count("RACE_POINT()")

    seen = on_one_core(file, "starter", MOVED[mode])

    assert (seen["verdict"], seen["reason"], seen["widened"]) == ("FAIL", "race", True), seen


def test_on_one_core_without_a_compiler_for_it_it_is_inconclusive(two_ways: Path) -> None:
    """Where RACE_POINT() stands cannot be told then, so what it shows is not enough for a PASS."""
    seen = on_one_core(two_ways, "solution", before="checking.EVERY_STEP = ('-fno-such-thing',)")

    assert (seen["verdict"], seen["reason"]) == ("INCONCLUSIVE", "no-power"), seen


@pytest.mark.race
@pytest.mark.parametrize("exercise", exercises(ROOT / "exercises"), ids=str)
def test_on_one_core_every_exercise_can_be_told(exercise: Exercise) -> None:
    """Starter and wrong answers fail, and the solution passes; those that race say that they were widened."""
    assert exercise.file is not None
    wrong = [name for name in exercise.wrong if exercise.caught_by(name) != "sanitizer"]
    for which in ("starter", "solution", *wrong):
        seen = on_one_core(exercise.file, which)

        assert seen["verdict"] == ("PASS" if which == "solution" else "FAIL"), (which, seen)
        if seen["reason"] in ("right", "race"):
            assert seen["widened"] == (exercise.lab is not None), (which, seen)


@pytest.mark.parametrize(
    ("label", "seen", "fits"),
    [
        ("crash(*)", "crash(SIGSEGV)", True),
        ("crash(*)", "a crash(SIGSEGV)", False),
        ("error(*)", "error(IndexError)", True),
        ("a wrong *", "a wrong sum", True),
        ("hang", "hang", True),
        ("hang", "hangs", False),
    ],
)
def test_advice_with_a_star_is_found(label: str, seen: str, fits: bool) -> None:
    assert lab.fits(label, seen) == fits


REPORT = """WARNING: ThreadSanitizer: data race (pid=1)
  Write of size 8 at 0x7f by thread T2:
    #0 Py_DECREF /include/python3.13t/object.h:900:5 (two_counters.so+0x1) (BuildId: a)
    #1 {0} (two_counters.so+0x1) (BuildId: a)
    #2 cfunction_vectorcall /src/Objects/methodobject.c:425:24 (python3.13t+0x2)

  Previous read of size 8 at 0x7f by thread T1:
    #0 memcpy <null> (python3.13t+0x3)
    #1 list_clear /src/Objects/listobject.c:7:1 (python3.13t+0x3)
    #2 cache_stats /modules/sources/1/two_counters.c:3:5 (two_counters.so+0x4)

SUMMARY: ThreadSanitizer: data race /x.c:1 in y
"""
FOREIGN = REPORT.format("dict_insert /src/Objects/dictobject.c:9:5")
MINE = REPORT.format("cache_reset /modules/sources/1/two_counters.c:12:5")


def sanitized(text: str, monkeypatch: pytest.MonkeyPatch) -> checking._Check:
    """A check whose ThreadSanitizer has written this."""
    one = load_exercise(ROOT / "exercises/two_counters/exercise.py")
    seen = SimpleNamespace(reports=[(report, 1) for report in parse(text)], rounds=200)
    monkeypatch.setattr(checking, "sanitizer_python", lambda _which: sys.executable)
    monkeypatch.setattr(checking._Check, "_build", lambda *_a, **_k: Built.__new__(Built))
    monkeypatch.setattr(checking, "race", lambda *_a, **_k: seen)
    judge = checking._Check(one, None, 1.0)
    judge.read = ("\n".join(f"line {n};" for n in range(1, 20)), "mine")
    return judge


def test_what_thread_sanitizer_sees_deep_in_the_interpreter_is_not_the_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = sanitized(FOREIGN, monkeypatch)

    SANITIZED(judge)

    assert judge.steps[-1].text == "ThreadSanitizer reported only CPython's own in 200 rounds"


def test_both_accesses_are_shown_at_the_learners_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind a report that is CPython's own."""
    judge = sanitized(FOREIGN + MINE, monkeypatch)

    with pytest.raises(checking._Stop) as stop:
        SANITIZED(judge)

    assert stop.value.reason == "sanitizer"
    assert "Which lock" in stop.value.says
    assert judge.steps[-1].text.splitlines() == [
        "data race",
        "write in cache_reset(), two_counters.c:12: line 12;",
        "read in cache_stats(), two_counters.c:3: line 3;, inside of list_clear()",
    ]


def test_a_report_on_cython_code_names_lines_of_the_pyx() -> None:
    """The real interpreter: its frames would be in the C code that Cython has made."""
    one = load_exercise(ROOT / "exercises/cython_cache/exercise.py")
    try:
        checking.sanitizer_python("thread")
    except checking.RaceError as missing:
        pytest.skip(str(missing))
    judge = checking._Check(one, one.text("starter"), 1.0)
    judge.read = (one.text("starter"), "mine")

    with pytest.raises(checking._Stop) as stop:
        SANITIZED(judge)

    assert stop.value.reason == "sanitizer"
    assert re.search(r"in size_of\(\), cython_cache\.pyx:\d+: .*last_key", judge.steps[-1].text)


def test_an_exercise_may_advise_on_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = sanitized(MINE, monkeypatch)
    judge.exercise = replace(judge.exercise, advice={"sanitizer(*)": "Lock both."})

    with pytest.raises(checking._Stop, match="Lock both"):
        SANITIZED(judge)


def test_without_its_interpreter_thread_sanitizer_is_one_quiet_line(
    pair: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
    monkeypatch.delenv("RACELAB_TSAN_PYTHON", raising=False)
    judge = checking._Check(pair, None, 1.0)

    SANITIZED(judge)

    assert [step.name for step in judge.steps] == ["note"]
    assert "make tsan" in judge.steps[0].text


def test_why_thread_sanitizer_was_left_out_is_told_truly(pair: Exercise) -> None:
    """An answer that does not compile for it is no interpreter that is not there."""
    try:
        checking.sanitizer_python("thread")
    except checking.RaceError as missing:
        pytest.skip(str(missing))
    only_there = (
        "#ifdef __SANITIZE_THREAD__\n#error not for me\n#endif\n"
        "#ifdef __clang__\n#if __has_feature(thread_sanitizer)\n#error not for me\n#endif\n#endif\n"
    )
    text = only_there + pair.text("solution")
    judge = checking._Check(pair, text, 1.0)
    judge._compiled()

    SANITIZED(judge)

    assert judge.steps[-1].name == "note"
    assert "not for me" in judge.steps[-1].text
    assert "does not compile" in judge.steps[-1].text
    assert "make tsan" not in judge.steps[-1].text


def test_thread_sanitizer_sees_an_answer_with_a_header_of_its_own(
    including: checking._Check,
) -> None:
    try:
        checking.sanitizer_python("thread")
    except checking.RaceError as missing:
        pytest.skip(str(missing))

    SANITIZED(including)

    assert including.steps[-1].name == "sanitizer", including.steps


# -- words --------------------------------------------------------------------------------------------


def stuck(pair: Exercise, line: str) -> tuple[checking.Verdict, str]:
    """The verdict on a solution that does this first thing in note(), and its step."""
    text = with_line(pair.text("solution"), "cache_note(PyObject *op, PyObject *found)\n{", line)
    verdict = check(pair, text.replace("#include <stdatomic.h>", "#include <pthread.h>"))
    return verdict, dict(verdict.steps)["by itself"]


def test_a_deadlock_with_one_thread_is_seen_early_and_says_which_call(pair: Exercise) -> None:
    verdict, said = stuck(pair, "    PyMutex_Lock(&((Cache *)op)->mutex);")

    assert (verdict.verdict, verdict.reason) == ("FAIL", "single")
    assert said == "it did not come to an end; it hung in `cache.note(found)`"
    assert "takes twice" in verdict.says
    assert verdict.seconds < answers.STILL_S + 5


def test_an_endless_loop_with_one_thread_is_none_that_waits(
    pair: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "SINGLE_S", 1.0)
    verdict, said = stuck(pair, "    for (volatile int on = 1; on;) {\n    }")

    assert "`cache.note(found)`" in said
    assert "computed all the time" in verdict.says


def test_sleeping_or_waiting_for_a_while_is_no_deadlock(
    pair: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may wait with a time limit; that it will end can be seen from outside."""
    monkeypatch.setattr(answers, "STILL_S", 0.5)
    for line in ("import time; time.sleep(1.5)", "import threading; threading.Event().wait(1.5)"):
        code = f'    static int once;\n    if (!once++) PyRun_SimpleString("{line}");'
        begin = "cache_note(PyObject *op, PyObject *found)\n{"
        judge = checking._Check(pair, with_line(pair.text("solution"), begin, code), 1.0)

        judge._single(judge._compiled())

        assert judge.steps[-1].text == "right answers"


def test_an_assertion_is_told_though_the_process_dies_or_hangs_behind_it(
    pair: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learner can do more with what was expected than with a crash at the interpreter's end."""
    monkeypatch.setattr(checking, "WALL_S", 10.0)
    begin = "cache_stats(PyObject *op, PyObject *Py_UNUSED(ignored))\n{"
    for last in ("raise(SIGSEGV)", "for (;;) pause()"):
        text = with_line(
            pair.text("solution"),
            begin,
            '    static int once; if (!once++) Py_AtExit(leave);\n    return Py_BuildValue("(ll)", 7L, 7L);',
        ).replace(
            "static PyObject *\ncache_stats",
            f"#include <signal.h>\n#include <unistd.h>\nstatic void leave(void) {{ {last}; }}\n"
            "static PyObject *\ncache_stats",
        )

        verdict = check(pair, text)

        said = dict(verdict.steps)["by itself"]
        assert said.startswith("a new cache has stats() == (0, 0), not (7, 7)"), said
        assert "did not" not in verdict.says


def nothing_raced() -> SimpleNamespace:
    """What comes of children that cannot import what judges."""
    note = "ImportError: libpython"
    ran: list[object] = []
    seen = SimpleNamespace(ran=ran, outcomes={"not-run": 4}, gil=None, mode="rounds")
    seen.repetitions = [SimpleNamespace(note=note)]
    return seen


def test_what_judges_and_cannot_be_loaded_is_nobodys_fail(pair: Exercise, tmp_path: Path) -> None:
    """An interpreter whose racelab is broken, or an exercise that has gone meanwhile."""
    gone = replace(pair, file=tmp_path / "two_counters/exercise.py")
    built = checking._Check(pair, None, 1.0)._build(pair.text("solution"), "solution")
    judge = checking._Check(gone, pair.text("solution"), 1.0)
    with pytest.raises(checking.RaceError, match="says nothing about your answer: Exer"):
        judge._single(built)

    judge = checking._Check(pair, pair.text("solution"), 1.0)
    judge.power.result = judge.yours.result = nothing_raced()
    with pytest.raises(checking.RaceError, match="the starter cannot be raced, either"):
        judge._must_have_raced()


def test_a_racelab_that_is_broken_in_the_child_is_exit_status_2(desk: Path, tmp_path: Path) -> None:
    """Not 1, which says that the answer is wrong."""
    find_exercise("how_many").start()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/sitecustomize.py").write_text(
        "import os, sys\nif 'check' not in sys.argv: sys.modules['racelab.exercise'] = None\n"
    )
    path = [str(tmp_path / "broken"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "racelab", "check", "how_many"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )

    assert done.returncode == 2, done
    assert "says nothing about your answer: ImportError" in done.stderr or (
        "says nothing about your answer: ModuleNotFoundError" in done.stderr
    )
    assert len(done.stderr.splitlines()) == 1
    assert Course().of("how_many").checks == 0
    assert desk.exists()


def test_a_starter_that_fails_too_rarely_is_raced_with_its_window_open(
    pair: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is busy has no time for as many rounds as a rare failure asks for."""
    monkeypatch.setitem(checking.AT_LEAST, "rounds", 10**9)

    for seconds in (4, 16, 64):
        verdict = check(pair, pair.text("solution"), seconds=seconds)
        if verdict.verdict != "INCONCLUSIVE":  # else it is busy at present, too
            break

    assert (verdict.verdict, verdict.widened) == ("PASS", True), str(verdict)
    assert any("too rarely" in step.text for step in verdict.steps)
    assert "every step" in dict(verdict.steps)


def test_an_error_in_an_answer_is_at_its_line() -> None:
    asked = load_exercise(ROOT / "exercises/how_many/exercise.py")
    text = asked.text("starter") + "\nLOW = 1 / NIGHTS_WITHOUT\n"

    verdict = check(asked, text)

    line = text.splitlines().index("LOW = 1 / NIGHTS_WITHOUT") + 1
    assert dict(verdict.steps)["answers"] == (
        "NameError: name 'NIGHTS_WITHOUT' is not defined\n"
        f"line {line} of how_many.py: LOW = 1 / NIGHTS_WITHOUT"
    )


def test_a_broken_line_is_quoted() -> None:
    asked = load_exercise(ROOT / "exercises/how_many/exercise.py")

    verdict = check(asked, asked.text("starter") + "\nLOW = (1,\n")

    assert verdict.reason == "compile"
    assert ": LOW = (1," in verdict.says


@pytest.mark.parametrize(
    ("slug", "which"),
    [
        ("two_counters", "volatile"),
        ("declare_it", "only_atomic"),
        ("silent_test", "starter"),
        ("how_many", "starter"),
    ],
)
def test_every_fail_ends_with_the_way_to_the_hints(slug: str, which: str) -> None:
    one = load_exercise(ROOT / f"exercises/{slug}/exercise.py")

    verdict = check(one, one.text(which))

    assert verdict.verdict == "FAIL"
    assert verdict.says.endswith(f"hints: racelab hint {slug}")
    assert verdict.says.count("racelab hint") == 1


@pytest.mark.parametrize(
    ("slug", "step", "says"),
    [
        ("let_others_run", "behaviour", "It behaves as asked. It was not raced"),
        ("which_borrowed", "answers", "All answers are right. Nothing was raced"),
        ("silent_test", "right cache", r"\d+ runs on \d kinds of code"),
    ],
)
def test_a_pass_without_a_race_says_what_was_checked_and_claims_no_bound(
    slug: str, step: str, says: str
) -> None:
    one = load_exercise(ROOT / f"exercises/{slug}/exercise.py")

    verdict = check(one, one.text("solution"))

    assert verdict.verdict == "PASS"
    assert step in dict(verdict.steps)
    assert re.search(says, verdict.says)
    assert "95 %" not in verdict.says


def test_several_outcomes_are_counted_and_advised_on(pair: Exercise) -> None:
    judge = checking._Check(
        replace(pair, advice={"torn": "About torn.", "crash(*)": "About crashes."}), None, 1.0
    )
    seen = {"crash(SIGSEGV)": 50, "torn": 7, "odd": 2, "rare": 1}
    judge.yours.result = SimpleNamespace(
        forbidden=seen, grades={}, gil=False, mode="rounds", failed_rounds=60, rounds=100, ran=[]
    )

    with pytest.raises(checking._Stop) as stop:
        judge._fail()

    assert judge.steps[-1].text.splitlines()[1:] == [
        "50 times crash(SIGSEGV)",
        "7 times torn",
        "2 times odd",
    ]
    assert stop.value.says == "torn: About torn.\ncrash(SIGSEGV): About crashes."


def test_guessing_is_told_how_many_before_which(desk: Path) -> None:
    """Four choices are not found by four checks that each name what is wrong."""
    asked = find_exercise("how_many")
    asked.start()
    text = re.sub(r"(?m)^([A-Z_]+) = None", r"\1 = 0.5", asked.text("starter"))

    said = []
    for guess in range(3):
        (desk / "how_many/how_many.py").write_text(f"{text}\n# guess {guess}\n")
        verdict = check("how_many")
        Course().note(verdict)
        said.append(dict(verdict.steps)["answers"])

    assert re.match(r"\d of them are not right; think", said[0]), said[0]
    assert "LOW" not in said[0]
    assert "LOW, " in said[1]
    assert "\n" not in said[1]
    assert "\nHIGH: " in said[2]


def test_what_is_not_filled_in_is_said_at_once() -> None:
    assert answers.told("A: not filled in yet\nB: which of the two?", 0) == "A: not filled in yet"
    assert answers.told("there is no test_take any more", 0) == "there is no test_take any more"


def test_a_pass_names_its_bound(pair: Exercise) -> None:
    verdict = check(pair, pair.text("solution"))

    assert verdict.verdict == "PASS"
    assert verdict.rounds >= checking.clean_needed(verdict.power_failed / verdict.power_rounds) / 2
    assert "95 % sure the rate is below" in verdict.says
    assert verdict.exit_status == 0


def test_what_is_too_weak_is_inconclusive(pair: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """A starter that never fails, natural or widened, proves nothing about an answer."""
    solution = pair.text("solution")
    monkeypatch.setattr(type(pair), "text", lambda _self, _which="starter": solution)

    verdict = check(pair, solution + "\n", seconds=3)

    assert (verdict.verdict, verdict.reason, verdict.exit_status) == ("INCONCLUSIVE", "no-power", 3)


def test_a_starter_that_turns_the_gil_on_is_raced_without_it() -> None:
    """Under the GIL it would show nothing, and no answer could ever be judged."""
    one = load_exercise(ROOT / "exercises/declare_it/exercise.py")

    silent = check(one, one.text("only_atomic"))
    promised = check(one, one.text("only_declares"))

    assert (silent.verdict, silent.reason) == ("FAIL", "gil"), str(silent)
    assert silent.says.startswith(one.advice["gil"])
    assert (promised.verdict, promised.reason) == ("FAIL", "race"), str(promised)
    assert promised.power_failed
    assert any("PYTHON_GIL=0" in step.text for step in promised.steps)


def test_a_question_is_answered_in_words_of_its_own() -> None:
    """All that is wrong, line by line, and where to go on: nothing about threads."""
    asked = load_exercise(ROOT / "exercises/how_many/exercise.py")

    verdict = check(asked, asked.text("starter"))
    said = dict(verdict.steps)["answers"]

    assert (verdict.verdict, verdict.reason) == ("FAIL", "single")
    assert said.startswith("LOW: ")
    assert "\nPROCESSES: " in said
    assert verdict.says.endswith("racelab hint how_many")
    assert "thread" not in str(verdict)


COMPUTES = """
import sys, time
from racelab.exercise import Exercise, Trial

def long(module):
    # Only the hard way of asking is slow here, whatever the answer is.
    while module.__doc__ == "slow":
        time.perf_counter()
    module.test(sys.float_info)

exercise = Exercise("one_test", title="Write a test", chapter="12_critical_section", level="easy", minutes=5,
                    goal="A test.", hints=("Which?",), {how})
"""
HOWS = {
    "single": "single=long",
    "trial": 'trials=(Trial("a float", long, fails=False, why="Floats are fine.", runs=2),)',
}
ENDLESS = "def test(_):\n    while True:\n        pass\n"


@pytest.fixture(params=HOWS)
def computes(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], checking._Check]:
    """Makes a check of an answer where the stored solution does this."""

    def of(solution: str, answer: str) -> checking._Check:
        file = tmp_path / "one_test/exercise.py"
        file.parent.mkdir()
        file.write_text(COMPUTES.format(how=HOWS[request.param]))
        (file.parent / "solution.py").write_text(solution)
        return checking._Check(load_exercise(file), answer, 1.0)

    return of


@pytest.mark.parametrize("limit", ["busy", "time"])
def test_what_the_stored_solution_cannot_do_here_either_is_no_fail(
    computes: Callable[[str, str], checking._Check], monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """A machine that has no time for the answer: neither right nor wrong."""
    monkeypatch.setattr(checking, "SINGLE_S", 1.0)
    monkeypatch.setattr(checking, "TRIAL_S", 1.0)
    slow = '"slow"\ndef test(_):\n    pass\n'
    if limit == "time":
        monkeypatch.setattr(checking, "WALL_S", 3.0)
        slow = "import time\ndef test(_):\n    time.sleep(60)\n"

    verdict = computes(slow, slow + "# mine\n").run()

    assert (verdict.verdict, verdict.reason, verdict.exit_status) == ("INCONCLUSIVE", "too-slow", 3)
    assert "neither did the stored solution" in verdict.steps[-1].text
    assert "check again" in verdict.says


def test_what_the_stored_solution_can_do_here_is_asked_for(
    computes: Callable[[str, str], checking._Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "SINGLE_S", 1.0)
    monkeypatch.setattr(checking, "TRIAL_S", 1.0)

    verdict = computes("def test(_):\n    pass\n", ENDLESS).run()

    assert verdict.verdict == "FAIL", str(verdict)
    assert "it did not come to an end" in str(verdict)
    assert "computed all the time" in verdict.says


def test_a_deadlock_is_the_answers_own_whatever_the_stored_solution_does(
    computes: Callable[[str, str], checking._Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "SINGLE_S", 1.0)
    monkeypatch.setattr(checking, "TRIAL_S", 1.0)
    locks = "import _thread\ndef test(_):\n    one = _thread.allocate_lock()\n    one.acquire()\n    one.acquire()\n"

    verdict = computes(ENDLESS, locks).run()

    assert verdict.verdict == "FAIL", str(verdict)
    assert "takes twice" in verdict.says


def test_a_turn_that_takes_all_the_time_still_leaves_some_for_the_open_window(
    pair: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counts were thrown away, and the verdict was about 0 of 0 rounds."""
    solution = pair.text("solution")
    monkeypatch.setattr(type(pair), "text", lambda _self, _which="starter": solution)

    verdict = check(pair, solution + "\n", seconds=0.5)

    assert (verdict.verdict, verdict.reason, verdict.widened) == ("INCONCLUSIVE", "no-power", True)
    assert verdict.power_rounds > 0
    assert verdict.rounds > 0
    assert "0 of 0" not in str(verdict)
    assert "--seconds 2.5." in verdict.says


def test_what_is_being_done_says_how_far_it_is_and_how_long_it_may_take(
    pair: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is busy it takes longer, which nobody could tell from a check that hangs."""
    monkeypatch.setitem(checking.AT_LEAST, "rounds", 10**9)
    said: list[str] = []

    check(pair, pair.text("solution"), seconds=2, on_doing=said.append)

    assert said[:2] == ["compiling", "trying it out, at most 8 s, or 60 s on a busy machine"]
    how_far = re.compile(
        r"(racing|every step held open): [\d,]+ (of about [\d,]+ )?rounds, at most \d+ s( \(the starter .*\))?"
    )
    racing = [text for text in said if re.match(r"racing: |every step held open: ", text)]
    assert racing
    assert all(how_far.fullmatch(text) for text in racing), racing
    assert any("of about 1,000,000,000 rounds, at most 2 s" in text for text in racing)


def test_more_time_is_asked_for_as_a_notebook_takes_it() -> None:
    says = "1,000 clean rounds would decide. Give it more: --seconds 2.5."
    verdict = checking.Verdict("two_counters", "INCONCLUSIVE", "too-slow", (), says)

    assert (
        "more: rl.check(&quot;two_counters&quot;, seconds=2.5), or %%check two_counters --seconds 2.5.<"
        in verdict._repr_html_()
    )
    assert "more: --seconds 2.5." in str(verdict)


# -- marks ------------------------------------------------------------------------------------------


def marked(folder: Path, text: str, suffix: str = ".c") -> Path:
    file = folder / f"solution{suffix}"
    file.write_text(text)
    return file


GOOD = "a\n    // BEGIN STARTER\n    // old;\n    // BEGIN SOLUTION\n    new;\n    // END\nb\n"


def test_one_source_gives_both(tmp_path: Path) -> None:
    file = marked(tmp_path, GOOD)

    assert render(file, "starter") == "a\n    old;\nb\n"
    assert render(file, "solution") == "a\n    new;\nb\n"
    assert render(file, "solution", {1: "    odd;"}) == "a\n    odd;\nb\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("// END\n", ":1: END without BEGIN"),
        ("// BEGIN SOLUTION\nx\n", "has no END"),
        (
            "// BEGIN SOLUTION\nx\n// BEGIN STARTER\n// y\n// END\n",
            ":3: BEGIN STARTER inside of SOLUTION",
        ),
        (
            "// BEGIN SOLUTION\nx\n// BEGIN SOLUTION\ny\n// END\n",
            ":3: BEGIN SOLUTION inside of SOLUTION",
        ),
        ("// BEGIN OTHER\n// END\n", ":1: BEGIN OTHER is not STARTER or SOLUTION"),
        ("// BEGIN STARTER\nlive();\n// END\n", "stored as a comment"),
        ("x(); // END\n", ":1: a mark stands alone"),
    ],
)
def test_sloppy_marks_are_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ExerciseError) as caught:
        render(marked(tmp_path, text), "starter")

    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "// BEGIN 1\nx\n", "// BEGIN 1\n// BEGIN 2\n// END\n", "// END\n"]
)
def test_sloppy_wrong_answers_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExerciseError):
        blocks_of(marked(tmp_path, text))


def test_a_wrong_answer_cannot_name_a_block_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExerciseError, match="no block 2"):
        render(marked(tmp_path, GOOD), "solution", {2: "x"})


# -- learners' files --------------------------------------------------------------------------------


def test_start_keeps_what_the_learner_wrote_and_reset_keeps_it_beside(desk: Path) -> None:
    exercise = find_exercise("two_counters")
    path = exercise.start()
    path.write_text("mine")

    assert exercise.start().read_text() == "mine"
    first = exercise.reset()
    assert path.read_text() == exercise.text("starter")
    assert exercise.reset() is None, "a starter need not be kept"
    path.write_text("mine too")
    second = exercise.reset()
    assert (first.read_text(), second.read_text()) == ("mine", "mine too")
    assert path.is_relative_to(desk)


@pytest.mark.usefixtures("desk")
def test_reset_never_writes_over_what_an_earlier_one_kept() -> None:
    exercise = find_exercise("two_counters")
    path = exercise.start()
    kept = []
    for text in ("first", "second"):
        path.write_text(text)
        kept.append(exercise.reset())
    kept[0].unlink()

    path.write_text("third")
    last = exercise.reset()

    assert (kept[1].read_text(), last.read_text()) == ("second", "third")
    assert last.name == "two_counters.c.before-reset-3"


def test_the_folder_is_found_from_anywhere_in_the_book_and_said_where_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RACELAB_BOOK", raising=False)
    monkeypatch.chdir(ROOT / "exercises/two_counters")
    assert exercises_folder() == ROOT / "exercises"
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))
    monkeypatch.chdir(tmp_path)
    assert exercises_folder() == ROOT / "exercises"

    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path))
    with pytest.raises(ExerciseError, match="has no folder exercises"):
        exercises_folder()


def test_check_before_start_says_what_to_do(desk: Path) -> None:
    done = racelab("check", "two_counters")

    assert done.returncode == 2
    assert "racelab start two_counters" in done.stderr
    assert not desk.exists()


@pytest.mark.usefixtures("desk")
def test_an_exercise_that_is_not_there_is_one_sentence() -> None:
    done = racelab("check", "no_such")

    assert done.returncode == 2
    assert "there are: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["two_conters"], "did you mean two_counters?"),
        (["two_counters", "--seconds", "nan"], "nan: give a number of seconds above 0"),
        (["two_counters", "--seconds", "inf"], "give a number of seconds above 0"),
        (["two_counters", "--seconds", "-1"], "-1: give a number of seconds above 0"),
        (["two_counters", "--seconds", "abc"], "invalid number of seconds value: 'abc'"),
        (["two_counters", "--file", "missing.c"], "there is no such file"),
        (["two_counters", "--file", "exercises"], "is a folder"),
        (["two_counters", "--file", "/dev/zero"], "is no ordinary file"),
        (["two_counters", "--file", "README.md"], "is a .c file"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    desk: Path, words: list[str], said: str
) -> None:
    done = racelab("check", *words)

    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not desk.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"\x7fELF\0\0", "is no text"),
        (b"/" * (answers.MOST_BYTES + 1), "1,048,577 bytes"),
    ],
)
def test_a_file_that_is_no_answer_is_one_sentence(
    pair: Exercise, tmp_path: Path, data: bytes, said: str
) -> None:
    file = tmp_path / "two_counters.c"
    file.write_bytes(data)

    with pytest.raises(ExerciseError, match=said):
        check(pair, file)


def test_a_file_that_cannot_be_read_is_one_sentence(
    pair: Exercise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "two_counters.c"
    file.write_text("int x;")

    def refuse(_self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    with pytest.raises(ExerciseError, match="cannot be read: Permission denied"):
        check(pair, file)


def in_terminal(words: list[str]) -> list[tuple[float, bytes]]:
    """What the command writes to a terminal, and when."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "racelab", *words])
    written = []
    begin = time.monotonic()
    with contextlib.suppress(OSError):  # the terminal's other end is gone
        while data := os.read(terminal, 1 << 16):
            written.append((time.monotonic() - begin, data))
    os.waitpid(pid, 0)
    os.close(terminal)
    return written


def test_in_a_terminal_something_moves_every_second(desk: Path) -> None:
    find_exercise("cache_race").start()
    file = desk / "cache_race/cache_race.pyx"
    file.write_text(find_exercise("cache_race").text("solution"))

    written = in_terminal(["check", "cache_race", "--seconds", "60"])
    text = b"".join(data for _, data in written).decode()
    lines = [line for line in text.split("\r\x1b[K") if line]
    times = [at for at, _ in written]
    gaps = [b - a for a, b in itertools.pairwise(times)]

    assert max(gaps) < 2, gaps
    assert any(
        re.search(
            r"cache_race: \d+ s, racing: [\d,]+ (of about [\d,]+ )?repetitions, at most \d+ s", line
        )
        for line in lines
    ), lines
    assert lines[-1].startswith("cache_race "), "the verdict takes the line's place"


def test_in_a_pipe_there_is_nothing_but_the_verdict(desk: Path) -> None:
    find_exercise("how_many").start()

    done = racelab("check", "how_many")

    assert done.stderr == ""
    assert done.stdout.startswith("how_many ")
    assert "\x1b" not in done.stdout
    assert desk.exists()


def test_from_start_to_pass_in_a_terminal(desk: Path) -> None:
    assert racelab("start", "two_counters").returncode == 0
    failed = racelab("check", "two_counters")
    hints = [racelab("hint", "two_counters").stdout for _ in range(2)]
    (desk / "two_counters/two_counters.c").write_text(
        find_exercise("two_counters").text("solution")
    )
    passed = racelab("check", "two_counters", "--json")
    listing = racelab("exercises").stdout

    assert (failed.returncode, passed.returncode) == (1, 0)
    assert "a pair it never held" in failed.stdout
    assert hints[0].startswith("Hint 1 of ")
    assert hints[1].startswith("Hint 2 of ")
    assert json.loads(passed.stdout)["verdict"] == "PASS"
    assert "passed" in listing
    assert Course().of("two_counters").checks == 2


def test_a_broken_progress_file_stops_nobody(desk: Path) -> None:
    desk.mkdir()
    (desk / "progress.json").write_text("{half")

    assert Course().of("two_counters").checks == 0
    assert (desk / "progress.json.broken").read_text() == "{half"


def test_list_of_exercises_is_what_the_contract_says() -> None:
    rows = json.loads(racelab("exercises", "--json").stdout)

    assert [set(row) for row in rows] == [{"slug", "title", "chapter", "level", "minutes"}] * len(
        rows
    )
    assert [row["slug"] for row in rows] == [one.slug for one in exercises(ROOT / "exercises")]
