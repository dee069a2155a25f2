"""A terminal in JupyterLab: what the pages and every message tell a reader to type works there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import _lab
import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / ".venv-book/bin/python"
START_S = 120

pytestmark = pytest.mark.skipif(not BOOK.exists(), reason="needs JupyterLab: make lab")

#: Types one line into a new terminal, and prints what is shown up to the mark.
TYPE = """
import json, sys, urllib.request
from websocket import create_connection

port, line, mark = sys.argv[1:]
ask = urllib.request.Request(f"http://127.0.0.1:{port}/api/terminals?token=secret", method="POST")
name = json.load(urllib.request.urlopen(ask, timeout=30))["name"]
shell = create_connection(f"ws://127.0.0.1:{port}/terminals/websocket/{name}?token=secret", timeout=60)
shell.send(json.dumps(["stdin", line + "\\r"]))
shown = ""
while mark not in shown:
    kind, *what = json.loads(shell.recv())
    shown += what[0] if kind == "stdout" else ""
print(shown)
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[int]:
    """The port of a server as `make lab` starts it, its output no terminal: the harder case."""
    with _lab.started(tmp_path, START_S, HOME=str(tmp_path), SHELL="/bin/bash") as port:
        yield port


@pytest.mark.timeout(300)
def test_racelab_is_at_hand_and_nothing_else_has_changed(lab: int) -> None:
    """The kernel's own `racelab`, anywhere; `make` still finds the python3 that it found before."""
    others = ("python3", "pytest", "cython")
    line = (
        "cd /; command -v racelab; racelab exercises --json | head -c 9; echo; "
        + "".join(f"command -v {name} || echo no {name}; " for name in others)
        + f"make -s -C {ROOT} help | head -1; echo over''over"
    )
    shown = subprocess.run(
        [BOOK, "-c", TYPE, str(lab), line, "overover"],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    ).stdout.splitlines()

    at = next(n for n, text in enumerate(shown) if text.endswith("/.kernels/bin/racelab"))
    assert shown[at + 1] == json.dumps([{"slug": 0}])[:9]
    assert shown[at + 2 : at + 5] == [shutil.which(name) or f"no {name}" for name in others]
    assert shown[at + 5].startswith("Racing Without the GIL")
