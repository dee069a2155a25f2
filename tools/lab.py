"""Open JupyterLab on the chapters: `make lab`. Text notebooks open as notebooks, our kernel first.

Settings come from tools/jupyter and hold for this run alone; the reader's own Jupyter stays as it is.
"""

from __future__ import annotations

import os
import sys

from project import KERNELS, ROOT, python_of


def main() -> None:
    """Replace this process by JupyterLab; further arguments are passed on to it."""
    lab = python_of("book").with_name("jupyter-lab")
    os.chdir(ROOT)
    os.environ.pop("PYTHON_GIL", None)
    os.environ |= {
        "JUPYTER_PATH": str(KERNELS / "share/jupyter"),
        "JUPYTER_CONFIG_PATH": str(ROOT / "tools/jupyter"),
        "RACELAB_BOOK": str(ROOT),
    }
    os.execv(lab, [str(lab), *sys.argv[1:]])


if __name__ == "__main__":
    main()
