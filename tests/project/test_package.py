"""racelab as strangers get it: built as sdist and wheel, installed alone, used on code that is not of this project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".venv-tools/bin/uv"
FT = ROOT / ".venv-ft/bin/python"
HOOKS = """
import sys
from setuptools import build_meta
print(build_meta.build_sdist(sys.argv[1]))
"""


def run(*command, cwd, ok=(0,), **variables):
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHON_GIL", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**env, **variables},
    )
    assert done.returncode in ok, f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The source package, built from what git tracks, with the setuptools of the lock."""
    place = tmp_path_factory.mktemp("sdist")
    copy = place / "project"
    names = run("git", "ls-files", "src", "pyproject.toml", "setup.py", "README.md", cwd=ROOT)
    for name in [*names.stdout.split(), "LICENSE", "LICENSE-CC-BY"]:
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    name = run(FT, "-c", HOOKS, place, cwd=copy).stdout.split()[-1]
    return place / name


def ordinary_313() -> str | None:
    """A CPython 3.13 with a GIL, if this machine has one: on PATH, or in pyenv's folder."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser()) / "versions"
    candidates = [*sorted(pyenv.glob("3.13.*/bin/python3.13")), shutil.which("python3.13")]
    ask = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
    for candidate in filter(None, candidates):
        done = subprocess.run([str(candidate), "-c", ask], capture_output=True, text=True)
        if done.stdout.strip() == "0":
            return str(candidate)
    return None


def block(title: str) -> str:
    """The README's code block that begins with a comment naming this file."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    return next(text for text in blocks if text.startswith(f"# {title}"))


@pytest.fixture(scope="module", params=["3.13t", "3.13"])
def python(request, tmp_path_factory, sdist) -> Path:
    """A clean environment with racelab from the source package, and pytest, and nothing of the book."""
    base = str(FT.resolve()) if request.param == "3.13t" else ordinary_313()
    if base is None:
        pytest.skip("no CPython 3.13 with a GIL here; racelab is tested on 3.13t alone")
    place = tmp_path_factory.mktemp("clean") / "venv"
    variables = {"UV_PYTHON_DOWNLOADS": "never"}
    run(UV, "--no-config", "venv", "--quiet", "--python", base, place, cwd="/", **variables)
    python = place / "bin/python"
    install = (UV, "--no-config", "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "requirements/build.lock", cwd="/")
    pins = re.findall(
        r"^((?:pytest|pluggy|iniconfig|packaging|pygments|cloudpickle)==\S+)",
        (ROOT / "requirements/kernel.lock").read_text(),
        re.M,
    )
    run(*install, "--no-deps", *pins, cwd="/")
    run(*install, "--no-deps", "--no-build-isolation", sdist, cwd="/")
    return python


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """A stranger's folder: a C file of theirs and what the README told them to write."""
    shutil.copy(ROOT / "tests/project/stranger/tally.c", tmp_path)
    for name in ("my_lab.py", "test_tally.py"):
        (tmp_path / name).write_text(block(name))
    return tmp_path


def test_wheel_carries_no_book_and_the_header_that_labs_include(python):
    code = (
        "import racelab, pathlib; here = pathlib.Path(racelab.__file__).parent; "
        "print((here / 'race_point.h').exists(), (here / '_race.pyi').exists(), 'site-packages' in str(here))"
    )
    assert run(python, "-c", code, cwd="/").stdout.split() == ["True", "True", "True"]


def free_threaded(python: Path) -> bool:
    code = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
    return run(python, "-c", code, cwd="/").stdout.strip() == "1"


def raced(python: Path, folder: Path, *more: str) -> tuple[int, dict]:
    """Exit status and JSON of `racelab race my_lab.py`, widened so that one core is enough."""
    done = run(
        python.with_name("racelab"),
        *("race", "my_lab.py", "--widen", "--seconds", "2", "--json", *more),
        cwd=folder,
        ok=(0, 1, 2, 3),
        XDG_CACHE_HOME=str(folder / "cache"),
    )
    return done.returncode, json.loads(done.stdout)


def test_a_strangers_lab_races(python, elsewhere):
    """On a free-threaded build the bug shows; with a GIL the verdict is never a clean bill."""
    status, seen = raced(python, elsewhere)
    assert seen["lab"] == "tally"
    if free_threaded(python):
        assert (status, seen["gil"]) == (1, False), seen
        assert seen["outcomes"]["lost"]["count"] > 0
    else:
        assert status == 2, seen
        assert seen["outcomes"]["gil-enabled"]["count"] > 0
        status, seen = raced(python, elsewhere, "--gil", "1")
        assert (status, seen["gil"]) == (3, True), seen
        assert seen["rounds"] > 0


def test_a_strangers_test_file_races(python, elsewhere):
    done = run(
        python,
        *("-m", "pytest", "-q", "--race-seconds", "2", "--race-save", "races"),
        cwd=elsewhere,
        ok=(0, 1),
        XDG_CACHE_HOME=str(elsewhere / "cache"),
        RACELAB_WIDEN="1",
    )
    assert "races" in done.stdout
    assert re.search(r"1 (failed|skipped)", done.stdout), done.stdout
    if free_threaded(python) and "1 failed" in done.stdout:
        assert "Stand-alone script: races/race_two_adds.py" in done.stdout
        assert (elsewhere / "races/race_two_adds_files/tally.c").is_file()


def test_nobody_is_sent_to_the_other_racelab():
    """On PyPI the name belongs to another project: whoever is told to install it is told from where."""
    bare = re.compile(r"pip install [\"']?racelab(?!`: on PyPI)")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("README.md", "src", "book", "notebooks", "exercises", "ext", "tools")
        for path in [ROOT / folder, *(ROOT / folder).rglob("*")]
        if path.suffix in (".py", ".md", ".html", ".js") and "__pycache__" not in path.parts
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if bare.search(line)
    ]
    assert found == []
