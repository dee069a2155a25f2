"""What the environment says about itself must be so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import racelab
from racelab import machine
from racelab.build import compile
from racelab.runner import run_child

SHOW = "import json, racelab; e = racelab.environment(); result = [json.loads(json.dumps(e.as_dict())), str(e)]"


def test_it_says_what_this_interpreter_is() -> None:
    here = machine.environment()

    assert here.build.startswith(sys.version.split()[0])
    assert here.free_threaded == ("free-threading" in sys.version)
    assert here.gil_enabled == getattr(sys, "_is_gil_enabled", lambda: True)()
    assert here.racelab == racelab.__version__
    assert here.cpu
    assert "gcc" in here.compiler.lower() or "clang" in here.compiler.lower()
    for text in (str(here), here._repr_html_()):
        assert here.compiler in text


def test_one_core_is_one_core() -> None:
    one = min(os.sched_getaffinity(0))
    seen = run_child(f"import os; os.sched_setaffinity(0, {{{one}}})\n{SHOW}")

    facts, text = seen.returned
    assert facts["cores"] <= 1
    assert "widen" in text


def test_a_quota_cuts_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have many cores and be allowed half of one."""
    (tmp_path / "group").mkdir()
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "group" / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "cgroup").write_text("0::/group\n")
    real = Path

    def elsewhere(text: str) -> Path:
        return real(
            {"/sys/fs/cgroup": str(tmp_path), "/proc/self/cgroup": str(tmp_path / "cgroup")}.get(
                text, text
            )
        )

    monkeypatch.setattr(machine, "Path", elsewhere)

    assert list(machine._quotas()) == [0.5]
    assert machine.cores_usable() == 0.5


@pytest.mark.skipif(not machine.free_threaded(), reason="needs a free-threaded build")
def test_why_the_gil_is_on() -> None:
    silent = compile(
        "#include <Python.h>\n"
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "silent3"};\n'
        "PyMODINIT_FUNC PyInit_silent3(void) { return PyModuleDef_Init(&module); }\n"
    )

    by_import = run_child(f"import silent3\n{SHOW}", modules=[silent])
    by_variable = run_child(SHOW, gil=1)
    by_option = run_child(SHOW, xoptions=["gil=1"])
    off = run_child(SHOW)

    assert "silent3" in by_import.returned[1]
    assert "PYTHON_GIL=1" in by_variable.returned[1]
    assert "-X gil=1" in by_option.returned[1]
    assert (off.returned[0]["gil_enabled"], off.returned[0]["notes"]) == (
        False,
        off.returned[0]["notes"],
    )
    assert not re.search("GIL is on", off.returned[1])


def test_importing_racelab_imports_nothing_heavy() -> None:
    code = "import sys, racelab; print(sorted({'numpy', 'matplotlib', 'IPython', 'asyncio', 'argparse', 'subprocess'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    """In a fresh process, in both orders: modules and functions must not hide each other."""
    code = (
        "import importlib, pkgutil, racelab\n"
        "names = racelab.__all__\n"
        "assert all(hasattr(racelab, name) for name in names)\n"
        "for module in ('build', 'lab', 'machine', 'processes', 'racing', 'result', 'runner', 'show', 'stats'):\n"
        "    importlib.import_module(f'racelab.{module}')\n"
        "import types\n"
        "result = [name for name in names if isinstance(getattr(racelab, name), types.ModuleType)]\n"
    )
    before = run_child(code)
    after = run_child("import racelab.build, racelab.lab, racelab.machine, racelab.racing\n" + code)

    assert (before.returned, after.returned) == ([], []), before.stderr


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        racelab.nothing  # noqa: B018
