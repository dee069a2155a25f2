"""The kernel of the book: free-threaded 3.13t, the GIL off whatever is imported, found where we put it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-ft/bin/python"

IMPORT_EVERYTHING = """
import importlib, importlib.metadata, json, sys, warnings
tops = sorted(importlib.metadata.packages_distributions())
failed = {}
for name in tops:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = str(error)
    if sys._is_gil_enabled():
        print(json.dumps({"turned on by": name})); raise SystemExit
print(json.dumps({"imported": [n for n in tops if n not in failed], "failed": failed}))
"""

ASK_THE_KERNEL = """
import json, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="racelab")
code = ("import sys, os, sysconfig, zmq, tornado.speedups, matplotlib, ipywidgets, anywidget; "
        "print(sys.version_info[:2], sysconfig.get_config_var('Py_GIL_DISABLED'), "
        "sys._is_gil_enabled(), os.environ.get('PYTHON_GIL'))")
said = []
client.execute_interactive(code, timeout=60, output_hook=lambda m: said.append(m["content"].get("text", m["content"].get("evalue", ""))))
client.stop_channels(); manager.shutdown_kernel(now=True)
print("".join(said).strip())
"""


def run(command, **variables):
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHON_GIL", *variables)}
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=300,
        env={**env, **variables},
    )


def test_no_package_of_the_kernel_turns_the_gil_on():
    """Every top-level module that the lock brings, warnings as errors, PYTHON_GIL unset."""
    done = run([PYTHON, "-W", "error", "-c", IMPORT_EVERYTHING], MPLBACKEND="agg")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert "turned on by" not in seen, seen
    assert {"zmq", "tornado", "numpy", "matplotlib", "Cython", "ipykernel"} <= set(seen["imported"])
    # Modules that only pytest or pip may import by themselves; anything else here is a fault of the lock.
    assert set(seen["failed"]) <= {"pkg_resources"}, seen["failed"]


def test_the_check_above_can_fail(tmp_path):
    """A module without the slot, imported the same way, is noticed."""
    source = ROOT / "ext/interpreter/interpreter_broken.c"
    code = (
        "import racelab, sys, warnings; warnings.simplefilter('ignore')\n"
        f"racelab.load(racelab.compile({str(source)!r})); print(sys._is_gil_enabled())"
    )
    done = run([PYTHON, "-c", code], XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout.strip() == "True", done.stderr


def test_running_kernel_is_free_threaded_and_unforced():
    """Asked over the wire, as a notebook does, with the kernelspec found through JUPYTER_PATH."""
    python = ROOT / ".venv-book/bin/python"
    jupyter = str(ROOT / ".kernels/share/jupyter")
    done = run([python, "-c", ASK_THE_KERNEL], JUPYTER_PATH=jupyter)
    assert done.stdout.strip() == "(3, 13) 1 False None", done.stdout + done.stderr


def test_kernelspec_sets_no_gil():
    spec = json.loads((ROOT / ".kernels/share/jupyter/kernels/racelab/kernel.json").read_text())
    assert "PYTHON_GIL" not in spec.get("env", {})
    assert spec["display_name"] == "Python 3.13t (racelab)"


@pytest.mark.timeout(900)
def test_postbuild_makes_the_kernel_for_a_server_of_its_own(tmp_path):
    """As on Binder: a clone, an empty home folder, Jupyter's own prefix. The interpreters' cache is shared."""
    clone, home, prefix = (tmp_path / name for name in ("clone", "home", "prefix"))
    home.mkdir()
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{ROOT}", clone], check=True)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    variables = {
        "HOME": str(home),
        "XDG_CACHE_HOME": cache,
        "NB_PYTHON_PREFIX": str(prefix),
        "PATH": f"{ROOT / '.venv-book/bin'}:{os.environ['PATH']}",
    }
    done = run([clone / "postBuild"], **variables)
    assert done.returncode == 0, done.stderr

    spec = prefix / "share/jupyter/kernels/racelab/kernel.json"
    assert json.loads(spec.read_text())["argv"][0] == str(clone / ".venv-ft/bin/python")
    listed = run([prefix / "bin/racelab", "exercises"], HOME=str(home), RACELAB_BOOK=str(clone))
    assert "two_counters" in listed.stdout, listed.stderr
    viewers = (home / ".jupyter/labconfig/default_setting_overrides.json").read_text()
    assert '"markdown": "Jupytext Notebook"' in viewers
    variables["JUPYTER_PATH"] = str(prefix / "share/jupyter")
    asked = run([ROOT / ".venv-book/bin/python", "-c", ASK_THE_KERNEL], **variables)
    assert asked.stdout.strip() == "(3, 13) 1 False None", asked.stdout + asked.stderr
    shutil.rmtree(clone)
