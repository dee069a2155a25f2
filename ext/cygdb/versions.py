"""python versions.py 3.1.8 3.2.9: what each Cython's cygdb does with the counter. It installs them beside each other."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import racelab

ASKED = ["cy break add_one", "cy run", "cy bt", "cy next", "cy locals", "cy print seen"]
INCLUDE = ["-I", sysconfig.get_path("include"), "-I", str(Path(racelab.__file__).parent.parent)]
MODULE = "cy_counter_broken" + sysconfig.get_config_var("EXT_SUFFIX")


def install(version, folder):
    """One Cython, in a folder of its own: uv where it is, else pip."""
    tools = Path(racelab.__file__).parents[2] / ".venv-tools" / "bin" / "uv"
    program = [tools, "pip"] if tools.exists() else [sys.executable, "-m", "pip"]
    subprocess.run(
        [*program, "install", "-q", "--no-deps", "--target", folder, f"cython=={version}"],
        check=True,
    )


def build(folder):
    """The counter, translated by that Cython and compiled for a debugger."""
    env = {**os.environ, "PYTHONPATH": str(folder / "lib")}
    source = (folder.parent / "cy_counter_broken.pyx").read_text()
    (folder / "cy_counter_broken.pyx").write_text(source)
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", "--gdb", "cy_counter_broken.pyx"],
        check=True,
        cwd=folder,
        env=env,
        capture_output=True,
    )
    subprocess.run(
        [
            "gcc",
            "-g",
            "-O0",
            "-w",
            "-shared",
            "-fPIC",
            *INCLUDE,
            "cy_counter_broken.c",
            "-o",
            MODULE,
        ],
        check=True,
        cwd=folder,
    )


def asked(folder, venv):
    """What cygdb said to six commands."""
    env = {**os.environ, "PYTHONPATH": f"{folder / 'lib'}:{folder}"}
    if venv:
        env["VIRTUAL_ENV"] = str(folder / "venv")
    code = "from Cython.Debugger.Cygdb import main; main()"
    command = [sys.executable, "-c", code, "--build-dir", ".", "--", "-nx", "-batch"]
    for one in ASKED:
        command += ["-ex", f"echo \\n>>{one}\\n", "-ex", one]
    program = ["--args", sys.executable, "../once.py"]
    return subprocess.run(
        [*command, *program], cwd=folder, env=env, capture_output=True, text=True, timeout=60
    )


def verdict(said):
    """In a few words."""
    text = said.stdout + said.stderr
    if "SyntaxError" in text:
        return "does not start: SyntaxError"
    if "activate_this.py" in text and "FileNotFoundError" in text:
        return "does not start: no activate_this.py"
    if "Undefined command" in text:
        return "does not start"
    parts = dict(part.split("\n", 1) for part in said.stdout.split("\n>>")[1:] if "\n" in part)
    good = {
        "cy break": "Breakpoint 1" in parts.get("cy run", ""),
        "cy bt": "in add_one()" in parts.get("cy bt", ""),
        "cy next": "RACE_POINT" in parts.get("cy next", "") or "seen" in parts.get("cy next", ""),
        "cy locals": "seen =" in parts.get("cy locals", ""),
        "cy print": "seen =" in parts.get("cy print seen", ""),
    }
    works = ", ".join(name for name, fine in good.items() if fine)
    fails = ", ".join(name for name, fine in good.items() if not fine)
    return f"{works or 'nothing'}; not: {fails or 'nothing'}"


for version in sys.argv[1:]:
    here = Path.cwd() / version
    here.mkdir()
    (here / "venv" / "bin").mkdir(parents=True)
    (here / "venv" / "bin" / "python").symlink_to(sys.executable)
    install(version, here / "lib")
    build(here)
    for venv in (False, True):
        print(
            f"{version:7} {'in a venv' if venv else 'no venv':10} {verdict(asked(here, venv))}",
            flush=True,
        )
