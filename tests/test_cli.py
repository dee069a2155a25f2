"""The command line: its contract is what scripts and fingers rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from racelab.cli import main

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _in_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "racelab", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload]


def test_race_json_is_one_object_with_the_contract_and_exit_1() -> None:
    done = run("race", "lost_update", "--widen", "--count", "2", "--rounds", "300", "--json")
    data = json.loads(done.stdout)

    assert done.returncode == 1
    assert done.stderr == ""
    assert data["outcomes"]["updates lost"]["grade"] == "FORBIDDEN"
    assert (data["lab"], data["variant"], data["widened"], data["rounds"]) == (
        "lost_update", "broken", True, 600,
    )  # fmt: skip


def test_a_clean_race_is_0_or_inconclusive() -> None:
    done = run("race", "lost_update", "--variant", "fixed", "--count", "1", "--rounds", "300")

    assert done.returncode in (0, 3)
    assert "updates lost" in done.stdout
    assert "below" in done.stdout


def test_where_nothing_shows_it_is_3() -> None:
    done = run(
        "race", "lost_update", "--variant", "fixed", "--count", "1", "--rounds", "50", "--gil", "1"
    )

    assert done.returncode == 3
    assert "INCONCLUSIVE" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["race", "nothing"], "nothing is no lab: give a lab's name (`racelab labs` lists them)"),
        (["race", "prices.c"], "prices.c is no lab: give a lab's name"),
        (["race", "lost_updat"], "no lab 'lost_updat'; did you mean 'lost_update'?"),
        (["race", "/no/lab.py"], "no such lab file"),
        (["race", "lost_update", "--variant", "x"], "no variant 'x'"),
        (["race", "lost_update", "--threads", "5"], "threads=(2, 3, 4, 5, 8, 16) in the lab"),
        (
            ["race", "lost_update", "--sanitizer", "thread", "--python", "/no/python"],
            "no such interpreter",
        ),
        (["scan", "lost_update", "--offsets", "a,b"], "between, as in --offsets=-100,0,100"),
    ],
)
def test_what_cannot_run_is_2_and_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["race", "lost_update", "--count", "0"],
        ["race", "lost_update", "--seconds", "-1"],
        ["race", "lost_update", "--gil", "2"],
        ["plan", "--rate", "2"],
        ["plan"],
        ["nonsense"],
    ],
)
def test_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)

    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_source_that_does_not_compile_is_2_and_shows_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.c").write_text("#include <Python.h>\nint x = ;\n")
    (tmp_path / "my_lab.py").write_text(
        "from racelab import Lab\nlab = Lab('bad', sources=['bad.c'], actors=['go'], threads=[1])\n"
    )

    assert main(["race", str(tmp_path / "my_lab.py")]) == 2
    said = capsys.readouterr().err
    assert "bad.c:2" in said
    assert "int x = ;" in said


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["--rate", "0.03"], 99),
        (["--rate", "3%"], 99),
        (["--rate", "0.01", "--confidence", "0.99"], 459),
        (["--rate", "1e-6", "--unit", "round"], 2_995_731),
    ],
)
def test_plan(words: list[str], needed: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["needed"] == needed
    assert main(["plan", *words]) == 0
    assert f"{needed:,}" in capsys.readouterr().out


def test_labs_lists_labs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["labs", "--json"]) == 0
    rows = {row["lab"]: row for row in json.loads(capsys.readouterr().out)}

    assert set(rows["lost_update"]) == {"lab", "title", "variants"}
    assert rows["lost_update"]["title"] == "Can two increments count as one?"
    assert {"broken", "fixed"} <= set(rows["lost_update"]["variants"])
    assert main(["labs"]) == 0
    assert "borrowed_ref" in capsys.readouterr().out


def test_doctor_tells_the_truth_on_one_core() -> None:
    one = min(os.sched_getaffinity(0))
    done = run("doctor", "--json", preexec_fn=lambda: os.sched_setaffinity(0, {one}))
    data = json.loads(done.stdout)
    checks = {check["name"]: check for check in data["checks"]}

    assert checks["cores"]["ok"] is False
    assert checks["cores"]["found"].startswith("1 usable")
    assert done.returncode == data["exit_status"] in (0, 3)
    if not data["races"]:
        assert "INCONCLUSIVE" in data["verdict"]


def test_doctor_without_a_compiler_says_so(tmp_path: Path) -> None:
    done = run(
        "doctor",
        env={**os.environ, "PATH": str(tmp_path), "CC": "", "XDG_CACHE_HOME": str(tmp_path)},
    )

    assert "apt-get install gcc" in done.stdout


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out

    for command in ("race", "scan", "plan", "labs", "doctor"):
        assert command in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from racelab import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"racelab {__version__}\n"


def test_nothing_is_shown_of_progress_in_a_pipe() -> None:
    done = run("race", "lost_update", "--count", "3", "--seconds", "1.5")

    assert done.stderr == ""


def test_scan_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "scan",
        "lost_update",
        "--variant",
        "fixed",
        "--offsets",
        "0,50",
        "--rounds",
        "200",
        "--count",
        "1",
    ]

    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [point["rounds"] for point in data["points"]] == [200.0, 200.0]


def test_save_writes_a_script_that_runs_without_racelab(tmp_path: Path) -> None:
    target = tmp_path / "repro.py"
    done = run("race", "raises", "--count", "1", "--save", str(target))
    alone = subprocess.run(
        [sys.executable, "-I", "-S", str(target), "5"], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert f"run it with `{sys.executable} {target}`" in done.stdout
    assert "nothing forbidden" not in done.stdout
    assert "import racelab" not in target.read_text()
    assert alone.returncode == 1, alone.stderr
    assert "error(LookupError)  FORBIDDEN" in alone.stdout


def test_a_script_that_cannot_be_written_changes_nothing_about_the_race(tmp_path: Path) -> None:
    (tmp_path / "lk.py").write_text(
        "import threading\nfrom racelab import ACCEPTABLE, Lab\nL = threading.Lock()\n"
        "def act(s):\n    with L: s.append(1)\n"
        "lab = Lab('lk', setup=list, actors=[act, act], observe=lambda s, r, t: str(len(s)), "
        "outcomes={'3': ACCEPTABLE})\n"
    )
    target, plot = tmp_path / "repro.py", tmp_path / "plot.SVG"
    done = run(
        "race", str(tmp_path / "lk.py"), "--count", "1", "--rounds", "9", "--save", str(target), "--plot", str(plot),
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    assert "racelab: no script: act uses L, a lock that a script cannot hold" in done.stderr
    assert not target.exists()
    assert "<svg" in plot.read_text()


def test_a_script_of_a_race_that_showed_nothing_says_so(tmp_path: Path) -> None:
    target = tmp_path / "repro.py"
    done = run(
        "race", "lost_update", "--variant", "fixed", "--count", "1", "--rounds", "50",
        "--save", str(target),
    )  # fmt: skip

    assert f"nothing forbidden was seen; script written all the same. wrote {target}" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plot", "x.foo"], "--plot x.foo: end the name in .svg, .png or .pdf."),
        (["--plot", "/nope/x.svg"], "--plot /nope/x.svg: there is no folder /nope"),
        (["--save", "/nope/x.py"], "/nope/x.py cannot be written: there is no folder /nope"),
        (["--save", "mine.py"], "mine.py was not written by racelab and stays as it is"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_race(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("answer = 42\n")
    commands = [["race"], ["scan"]] if words[0] == "--plot" else [["race"]]
    for command in commands:
        assert main([*command, "lost_update", *words]) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.out == ""  # no table: nothing was raced


LAB = """\
from racelab import ACCEPTABLE, Lab

lab = Lab("mine", actors=["go", "go"], observe=lambda *_: "ok", outcomes={{"ok": ACCEPTABLE}}, {more})
"""
MODULE = """\
#include <Python.h>
extern int gzputs(void *file, const char *text);
static PyObject *
go(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(%s);
}
static PyMethodDef methods[] = {{"go", go, METH_NOARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "mine", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_mine(void) { return PyModuleDef_Init(&definition); }
"""


def raced(folder: Path, more: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A lab of its own in that folder, raced from another one."""
    (folder / "my_lab.py").write_text(LAB.format(more=more))
    return run("race", str(folder / "my_lab.py"), "--count", "1", "--rounds", "20", *words, cwd="/")


def test_a_library_that_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(MODULE % "gzputs(NULL, NULL)")
    done = raced(tmp_path, 'sources=["mine.c"]')

    assert done.returncode == 2
    assert "mine does not link, because nothing brings gzputs: name its library" in done.stdout
    assert 'flags=["-lz"]' in done.stdout
    assert "or in sources= the file that has it" in done.stdout
    assert "importlib" not in done.stdout


def test_a_module_that_is_not_installed_is_said_in_one_sentence(tmp_path: Path) -> None:
    done = raced(tmp_path, 'modules=["mine"]')

    assert done.returncode == 2
    assert f"mine is not importable by {sys.executable}: install it there" in done.stdout
    assert "importlib" not in done.stdout


def test_a_module_is_found_beside_the_labs_file(tmp_path: Path) -> None:
    from racelab.build import compile

    (tmp_path / "mine.c").write_text(MODULE % "1")
    built = compile(tmp_path / "mine.c")
    (tmp_path / built.path.name).write_bytes(built.path.read_bytes())
    done = raced(tmp_path, 'modules=["mine"]', "--json")

    assert json.loads(done.stdout)["outcomes"]["ok"]["count"] == 20, done.stdout


def test_a_variant_that_cannot_be_says_how_it_could(tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(MODULE % "1")
    done = raced(tmp_path, 'sources=["mine.c"]', "--variant", "fixed")

    assert (
        "Put {variant} into sources: mine_{variant}.c, and the variant into mine_fixed.c."
        in done.stderr
    )


def test_an_interpreter_with_a_gil_is_called_one(tmp_path: Path) -> None:
    import shutil

    ask = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
    found = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if found is None or subprocess.check_output([found, "-c", ask], text=True).strip() != "0":
        pytest.skip("no interpreter with a GIL here")
    done = raced(tmp_path, 'modules=["math"]', "--python", found)

    assert done.returncode == 2
    assert "with a GIL: name a free-threaded 3.13 (python3.13t)." in done.stderr
    assert done.stderr.startswith(f"racelab: {found} is 3.")


@pytest.mark.parametrize("words", [["--offsets", "-100,0,50"], ["--offsets=-100,0,50"]])
def test_delays_may_begin_with_a_negative_one(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--variant", "fixed", "--rounds", "50", "--count", "1", "--json"]

    assert main(["scan", "lost_update", *words, *few]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [point["offset_ns"] for point in points] == [-100, 0, 50]


@pytest.mark.parametrize("command", ["race", "scan", "plan", "check"])
def test_help_says_what_the_exit_status_means_and_shows_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())

    assert "Exit status: 0" in said
    assert f"Example: racelab {command} " in said
    assert "imported when" not in said  # that is a word to whoever reads the source
