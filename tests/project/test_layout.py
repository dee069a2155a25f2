"""What must agree with what: locks with their inputs, chapters with the table of contents, files with the design."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))
ENVIRONMENT = (ROOT / "environment.yml").read_text()


def names(lock: Path) -> set[str]:
    return {m[1].lower() for m in re.finditer(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.M)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_has_hashes(lock):
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text())
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+==[\w.!+]+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_lock_holds_what_its_input_asks_for(lock):
    wanted = lock.with_suffix(".in").read_text()
    for line in wanted.splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)", line)
        if match and not line.startswith("-"):
            assert match[1].lower() in names(lock), f"{match[1]} is not in {lock.name}: make locks"


def test_no_address_of_a_registry_in_the_locks():
    for path in [*LOCKS, ROOT / "requirements/assets.json"]:
        assert "://" not in path.read_text(), path


def test_assets_are_pinned_by_integrity():
    for package in json.loads((ROOT / "requirements/assets.json").read_text())["packages"]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert package["integrity"].startswith("sha512-")


def dependencies() -> list[str]:
    return [d for d in yaml.safe_load(ENVIRONMENT)["dependencies"] if isinstance(d, str)]


def test_conda_python_cannot_resolve_to_a_free_threaded_build():
    """A bare `python=3.14` may come as cp314t, under which the server's compiled packages are missing."""
    python = [d for d in dependencies() if re.match(r"python\b", d)]
    assert len(python) == 1
    version, build = re.fullmatch(r"python=([\d.]+)\.\*=(\S+)", python[0]).groups()
    assert build in {"*_cpython", f"*_cp{version.replace('.', '')}"}
    assert "freethreading" not in ENVIRONMENT.replace("free-threaded", "")


def test_repo2docker_reads_the_same_python_version():
    """Its own expression, matched from the start; a version it does not know becomes Python 3.10 silently."""
    python = next(d for d in dependencies() if d.startswith("python"))
    found = re.match(r"python\s*=+\s*([\d\.]*)", python)
    assert found
    assert found[1].rstrip(".") in {"3.10", "3.11", "3.12", "3.13", "3.14"}


def test_environment_has_the_tools_and_the_book_lock():
    assert {"make", "c-compiler", "cxx-compiler", "gdb"} <= set(dependencies())
    pip = next(d for d in yaml.safe_load(ENVIRONMENT)["dependencies"] if isinstance(d, dict))["pip"]
    assert pip == ["-r requirements/book.lock"]


def test_no_folder_hides_the_root_environment_file():
    """repo2docker ignores environment.yml in the root where there is a binder folder."""
    assert not (ROOT / "binder").exists()
    assert not (ROOT / ".binder").exists()


def test_table_of_contents_decides_the_numbers():
    """`_toc.yml` alone decides the order: numbers rise with it and every chapter is in it."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    listed = [f.removeprefix("notebooks/") for f in files if re.match(r"notebooks/\d\d_", f)]
    assert listed == sorted(listed)
    assert listed == [path.stem for path in CHAPTERS]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_form(chapter):
    """The parts that every chapter has, cells short enough to read, no stored output."""
    text = chapter.read_text()
    head = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.S)[1])
    number, slug = chapter.stem.split("_", 1)
    assert head["racelab"]["slug"] == slug
    assert head["kernelspec"]["name"] == "racelab"
    assert 10 <= head["racelab"]["teach"] <= 30
    if int(number) > 2:  # the first two are about the interpreter: nothing to repair and race yet
        assert head["racelab"]["exercises"], "name the exercises that belong to this chapter"
    assert f"\n({slug.replace('_', '-')})=\n" in text
    for part in ("Predict", "Repair", "Exercise", "Recap", "Read on"):
        assert re.search(rf"^## {part}$", text, re.M), f"chapter {number} has no part {part!r}"
    assert "Teaching notes" in text
    for cell in re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.M | re.S):
        lines = [line for line in cell.splitlines() if line.strip() and not line.startswith(":")]
        limit = 30 if lines and lines[0].startswith("%%c") else 15
        for line in lines:
            assert len(line) <= 78, f"too wide for the page: {line}"
        assert len(lines) <= limit, f"a cell of {len(lines)} lines: {lines[0]}"


def test_the_welcome_figure_was_recorded_from_the_code_that_is_here():
    """A figure of another counter than the one in ext/ would be a claim without a run: make record."""
    lines = (ROOT / "notebooks/recorded/welcome.jsonl").read_text().splitlines()
    code = "import racelab as rl; print(rl.compile('ext/lost_update/lost_update_broken.c').sha256)"
    now = subprocess.run(
        [ROOT / ".venv-ft/bin/python", "-c", code], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    assert {json.loads(line)["source_sha256"] for line in lines} == {now}, "run `make record`"


def test_make_help_names_every_command_of_the_readme():
    shown = subprocess.run(["make", "-C", ROOT, "help"], capture_output=True, text=True).stdout
    readme = (ROOT / "README.md").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", readme)):
        assert re.search(rf"^  {target}\b", shown, re.M), f"`make {target}`: not in `make help`"


def test_nothing_committed_names_this_machine():
    """Paths and hosts of whoever worked here have no place in the project."""
    files = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True
    ).stdout.split()
    home = str(Path("~").expanduser()) + "/"
    for name in files:
        text = (ROOT / name).read_text(errors="replace") if (ROOT / name).is_file() else ""
        for word in (f"{ROOT}/", home):
            assert word not in text, f"{name} names {word}"
