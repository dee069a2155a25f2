"""`make book` on a small copy of the project: what must fail the build does, and the page is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = (".venv-book", ".venv-ft", ".venv-tools", ".kernels")
COPIED = ("tools", "book", "requirements", "src", "_config.yml")

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: racelab, display_name: Python 3.13t (racelab)}
racelab: {slug: probe, teach: 1, exercise: 0}
---
"""


def cell(code: str) -> str:
    return f"```{{code-cell}}\n{code}\n```\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with one chapter of one cell, sharing the environments."""
    if not (ROOT / "_build/vendor/.stamp").exists():
        pytest.fail("the site's assets are missing: run `make book` first")
    place = tmp_path_factory.mktemp("project")
    for name in SHARED:
        (place / name).symlink_to(ROOT / name)
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, place / name)
    (place / "_build").mkdir()
    shutil.copytree(ROOT / "_build/vendor", place / "_build/vendor")
    (place / "notebooks").mkdir()
    (place / "ext/probe").mkdir(parents=True)
    (place / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/01_probe\n"
    )
    (place / "book/index.md").write_text("# A small book\n")
    write(place, cell("print('fine')"))
    return place


def write(project: Path, body: str) -> None:
    (project / "notebooks/01_probe.md").write_text(f"{HEADER}# Probe\n\n{body}")


def build(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/book.py"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHON_GIL": "0"},  # must not reach the kernel
    )


def page(project: Path) -> str:
    return (project / "_build/html/notebooks/01_probe.html").read_text()


def test_a_good_chapter_builds_and_offers_a_plain_notebook(project):
    """The kernel's build has PYTHON_GIL unset, whatever the caller's shell has."""
    write(project, cell("import os, sys\nos.environ.get('PYTHON_GIL'), sys._is_gil_enabled()"))
    done = build(project)
    assert done.returncode == 0, done.stderr
    assert "(None, False)" in page(project)
    notebook = json.loads((project / "_build/html/_downloads/notebooks/01_probe.ipynb").read_text())
    assert notebook["metadata"]["kernelspec"]["name"] == "racelab"
    assert "index.html: " in done.stdout


def test_an_unchanged_book_is_not_executed_again(project):
    write(project, cell("import time; print(time.time_ns())"))
    build(project)
    first = page(project)
    done = build(project)
    assert done.returncode == 0, done.stderr
    assert page(project) == first
    assert "Executing" not in done.stderr


def test_an_edit_in_ext_runs_the_chapter_again(project):
    """jupyter-book's own cache looks at code cells alone and would keep the old output."""
    write(project, cell("open('../ext/probe/probe.c').read()"))
    (project / "ext/probe/probe.c").write_text("the first version")
    assert build(project).returncode == 0
    (project / "ext/probe/probe.c").write_text("the second version")
    done = build(project)
    assert done.returncode == 0, done.stderr
    assert "the second version" in page(project)


@pytest.mark.parametrize(
    ("body", "says", "attempts"),
    [
        # Twice, because a page that failed once must not count as read.
        (cell("1 / 0"), "ZeroDivisionError", 2),
        (cell("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"), "Kernel died", 1),
        ("See {ref}`nowhere-at-all`.\n", "nowhere-at-all", 1),
        ("See [this](no_such_page.md).\n", "no_such_page", 2),
    ],
    ids=["failing cell", "dead kernel", "broken reference", "broken link"],
)
def test_what_is_wrong_fails_the_build_and_names_the_page(project, body, says, attempts):
    write(project, body)
    for attempt in range(attempts):
        done = build(project)
        assert done.returncode != 0, f"build {attempt + 1} passed"
        assert "notebooks/01_probe.md: " in done.stderr
        assert says in done.stderr


def test_a_resource_from_the_network_fails_the_build(project):
    write(project, 'text\n\n<img src="https://example.org/x.png" alt="from elsewhere">\n')
    done = build(project)
    assert done.returncode != 0
    assert "loads https://example.org/x.png from the network" in done.stderr


def test_buttons_appear_with_an_address_and_only_then(project):
    """One setting: `repository.url`. Without it no button leads to a repository or to Binder."""
    write(project, cell("1"))
    assert build(project).returncode == 0
    assert "mybinder.org" not in page(project)
    assert "Source repository" not in page(project)

    config = project / "_config.yml"
    before = config.read_text()
    address = "https://github.com/someone/some-book"
    config.write_text(before.replace('url: ""', f"url: {address}", 1))
    try:
        done = build(project)
    finally:
        config.write_text(before)
    assert done.returncode == 0, done.stderr
    html = page(project)
    assert "https://mybinder.org/v2/gh/someone/some-book/main?urlpath=lab/tree/" in html
    assert f"{address}/edit/main/notebooks/01_probe.md" in html
