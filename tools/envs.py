"""Make the project's environments from hashed locks: `python3 tools/envs.py book|kernel|checks|nbgrader`.

book     .venv-book    the host's ordinary CPython: jupyter-book, JupyterLab
kernel   .venv-ft      free-threaded CPython 3.13t: racelab and the packages of the notebooks
checks   .venv-checks  the host's ordinary CPython: ruff, mypy, the browser driver
nbgrader .venv-nbgrader, on demand: hands exercises out and collects them (book/nbgrader.md)

An environment carries a stamp, written last: the hash of everything it was made from. No stamp, or
another one, and it is made anew; so an interrupted run never looks finished.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from project import KERNEL_NAME, KERNELS, ROOT, digest, fail, only_one, remove, run, say

LOCKS = ROOT / "requirements"
OLDEST_HOST = (3, 10)
# tornado publishes no cp313t wheel; everything else must come as a wheel, because some sdists of the
# kernel's packages want compilers or libraries that a learner has not got.
FROM_SOURCE = ("tornado",)
KERNEL_FLAGS = (
    *("--only-binary", ":all:"),
    *(part for name in FROM_SOURCE for part in ("--no-binary", name)),
    "--no-build-isolation",  # what builds them is in the lock too, with its hash
)
# What no notebook needs, or cannot have beside other packages: pytest plugins that exclude one another, and
# what `racelab class serve` is built on.
BESIDE = ("plugins", "class")
# Bytecode now, once: a build of the book starts seconds sooner.
INSTALL = ("pip", "install", "--quiet", "--require-hashes", "--compile-bytecode")


def main(arguments: list[str] | None = None) -> int:
    """Make the environments named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "names", nargs="+", choices=["tools", "book", "kernel", "checks", "nbgrader"]
    )
    parser.add_argument("--py", default=os.environ.get("PY") or "3.13t", help="default: 3.13t")
    chosen = parser.parse_args(arguments)
    if sys.version_info < OLDEST_HOST:
        fail(
            f"{sys.executable} is Python {sys.version.split()[0]}; the project needs 3.10 or newer. "
            "Name another one: make PYTHON=python3.12 ..."
        )
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        fail(
            f"{sys.executable} is a free-threaded build, for which not all tools of the book have wheels. "
            "Take .venv-ft/bin from your PATH, or name an ordinary Python: make PYTHON=/usr/bin/python3 ..."
        )
    for name in chosen.names:
        with only_one(f"env-{name}"):
            if name == "tools":
                tools()
            elif name == "kernel":
                tools()
                kernel(chosen.py)
            else:
                tools()
                ordinary(name)
    return 0


def tools() -> None:
    """`.venv-tools` holds uv, the installer, itself installed from a hashed lock by pip."""
    place, lock = ROOT / ".venv-tools", LOCKS / "tools.lock"
    wanted = digest([lock], sys.version, sys.executable)
    if _is_made(place, wanted):
        return
    say("tools: installing uv (some seconds)")
    remove(place)
    _venv_with_pip(place)
    run(
        [
            *(place / "bin/python", "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--require-hashes", "-r", lock),
        ],
        what="Installing uv from PyPI (is the network there?)",
        quiet=True,
    )
    _stamp(place, wanted)


def ordinary(name: str) -> None:
    """`.venv-book`, `.venv-checks` or `.venv-nbgrader`, on the host's interpreter."""
    place, lock = ROOT / f".venv-{name}", LOCKS / f"{name}.lock"
    wanted = digest([lock], sys.version, sys.executable)
    if _is_made(place, wanted):
        return
    start = time.monotonic()
    say(f"{name}: installing {place.name} from {lock.relative_to(ROOT)} (usually under a minute)")
    uv("venv", "--quiet", "--clear", "--python", sys.executable, place)
    uv(*INSTALL, "--python", place, "-r", lock)
    _stamp(place, wanted)
    say(f"{name}: ready after {time.monotonic() - start:.0f} s")


def kernel(version: str) -> None:
    """`.venv-ft` on the free-threaded interpreter, with racelab in it, and its kernelspec."""
    place, lock = ROOT / ".venv-ft", LOCKS / "kernel.lock"
    python = _interpreter_of(place, version) or interpreter(version)
    packages = digest([lock, LOCKS / "build.lock"], str(python), version)
    if not _is_made(place, packages):
        start = time.monotonic()
        say(f"kernel: installing {place.name} from {lock.relative_to(ROOT)} (usually a minute)")
        uv("venv", "--quiet", "--clear", "--python", python, place)
        # Two steps, not one `sync`, which begins to build tornado before setuptools is there.
        uv(*INSTALL, "--python", place, "-r", LOCKS / "build.lock")
        uv(*INSTALL, "--python", place, *KERNEL_FLAGS, "-r", lock)
        _stamp(place, packages)
        say(f"kernel: packages ready after {time.monotonic() - start:.0f} s")
    (place / ".made-from").write_text(json.dumps([str(python), version]))
    for name in BESIDE:
        _beside(place, packages, name)
    _racelab(place, packages)
    _kernelspec(place, version)


def _beside(place: Path, packages: str, name: str) -> None:
    """Packages in a folder of their own, from a lock of their own: only a run that asks for them loads them."""
    folder, lock = place / name, LOCKS / f"{name}.lock"
    wanted, stamp = digest([lock], packages), folder / ".stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"kernel: installing {folder.relative_to(ROOT)} from {lock.relative_to(ROOT)} (a second)")
    remove(folder)
    uv(
        *(*INSTALL, "--no-deps", "--only-binary", ":all:", "--python", place),
        *("--target", folder, "-r", lock),
    )
    stamp.write_text(wanted)


def _racelab(place: Path, packages: str) -> None:
    """Install racelab itself, editable: Python edits count at once, C edits when this runs again."""
    compiled = [*(ROOT / "src/racelab").glob("*.[ch]"), ROOT / "pyproject.toml", ROOT / "setup.py"]
    wanted, stamp = digest(compiled, packages), place / ".racelab-installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("kernel: installing racelab (compiles its C core, some seconds)")
    uv(
        *("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--reinstall-package"),
        *("racelab", "--python", place, "-e", ROOT),
    )
    stamp.write_text(wanted)


def _kernelspec(place: Path, version: str) -> None:
    """Install the kernelspec into a folder of the project's own, found through JUPYTER_PATH."""
    folder = KERNELS / "share/jupyter/kernels" / KERNEL_NAME
    display = f"Python {version} ({KERNEL_NAME})"
    spec = folder / "kernel.json"
    python = str(place / "bin/python")
    if spec.exists():
        now = json.loads(spec.read_text())
        if now.get("display_name") == display and now.get("argv", [""])[0] == python:
            return
    run(
        [
            *(python, "-m", "ipykernel", "install", "--prefix", KERNELS),
            *("--name", KERNEL_NAME, "--display-name", display),
        ],
        what="Installing the kernelspec",
        quiet=True,
    )
    spec_now = json.loads(spec.read_text())
    if "PYTHON_GIL" in spec_now.get("env", {}):
        fail(f"{spec} sets PYTHON_GIL, which would hide modules that turn the GIL on; remove it.")


def _interpreter_of(place: Path, version: str) -> Path | None:
    """What the environment was made from, if it is still there and nobody asks for another one."""
    note = place / ".made-from"
    if not note.exists():
        return None
    python, made_for = json.loads(note.read_text())
    asked = os.environ.get("RACELAB_PYTHON") or python
    same = made_for == version and asked == python and Path(python).exists()
    return Path(python) if same else None


def interpreter(version: str) -> Path:
    """The free-threaded interpreter: found, or built by tools/interpreter.py."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/interpreter.py"), "--py", version],
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    return Path(done.stdout.strip())


def _venv_with_pip(place: Path) -> None:
    """`python3 -m venv`, which Debian and Ubuntu ship as a package of its own."""
    command = [sys.executable, "-m", "venv", str(place)]
    if subprocess.run(command, capture_output=True).returncode == 0:
        return
    package = f"python3.{sys.version_info.minor}-venv"
    root_debian = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if not root_debian:
        fail(
            f"{sys.executable} cannot make virtual environments. "
            f"On Debian or Ubuntu: apt-get install {package}; then run the same command again."
        )
    say(f"tools: {sys.executable} lacks its venv module; installing {package}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], what="apt-get update", quiet=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    run(install, what=f"Installing {package}", env=environment, quiet=True)
    remove(place)
    run(command, what="Making a virtual environment", quiet=True)


def uv(*arguments: str | Path) -> None:
    """Run the locked uv, deaf to the caller's own uv settings and active environment."""
    run(
        [ROOT / ".venv-tools/bin/uv", "--no-config", *arguments],
        what=f"uv {arguments[0]} {arguments[1]}",
        env={"VIRTUAL_ENV": "", "UV_PYTHON_DOWNLOADS": "never"},
        quiet=True,
    )


def _is_made(place: Path, wanted: str) -> bool:
    stamp = place / ".stamp"
    alive = (place / "bin/python").exists()
    return alive and stamp.exists() and stamp.read_text() == wanted


def _stamp(place: Path, wanted: str) -> None:
    (place / ".stamp").write_text(wanted)


if __name__ == "__main__":
    raise SystemExit(main())
