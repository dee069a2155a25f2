"""Compile one `%%c` cell in an IPython shell in this process, a child; `result` is how long it took, s.

Arguments: a file with the cell's text, the cell's module name.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell


def _seconds(cell: str, name: str) -> float:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "racelab")
    begin = time.perf_counter()
    shell.run_cell_magic("c", name, cell)
    seconds = time.perf_counter() - begin
    assert shell.user_ns[name].add(2, 3) == 5, "the cell's module does not work"
    return seconds


result = _seconds(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2])
