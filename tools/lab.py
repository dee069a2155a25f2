"""Open JupyterLab on the chapters: `make lab`. Text notebooks open as notebooks, our kernel first.

Settings come from tools/jupyter and hold for this run alone; the reader's own Jupyter stays as it is. In its
terminals `racelab` is the kernel's, as the pages write it.
"""

from __future__ import annotations

import os
import sys

from project import KERNELS, ROOT, python_of

COMMANDS = KERNELS / "bin"


def offer_racelab() -> None:
    """Make a folder that holds the command alone: whatever else is on PATH stays, above all the python3 of `make`."""
    COMMANDS.mkdir(parents=True, exist_ok=True)
    link = COMMANDS / f".racelab.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(python_of("ft").with_name("racelab"))
    link.replace(COMMANDS / "racelab")


def main() -> None:
    """Replace this process by JupyterLab; further arguments are passed on to it."""
    lab = python_of("book").with_name("jupyter-lab")
    os.chdir(ROOT)
    offer_racelab()
    os.environ.pop("PYTHON_GIL", None)
    os.environ |= {
        "JUPYTER_PATH": str(KERNELS / "share/jupyter"),
        "JUPYTER_CONFIG_PATH": str(ROOT / "tools/jupyter"),
        "RACELAB_BOOK": str(ROOT),
        "PATH": os.pathsep.join([str(COMMANDS), os.environ.get("PATH", os.defpath)]),
    }
    # Where its output is no terminal, Jupyter takes a login shell, which sets a PATH of its own.
    shell = f"--ServerApp.terminado_settings=shell_command={os.environ.get('SHELL') or 'sh'}"
    os.execv(lab, [str(lab), shell, *sys.argv[1:]])


if __name__ == "__main__":
    main()
