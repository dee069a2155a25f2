"""JupyterLab as `make lab` starts it, for the tests that open it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "secret"
#: Where it looks for, and leaves, what is a user's own.
FOLDERS = ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")


@contextlib.contextmanager
def started(home: Path, start_s: float, **variables: str) -> Iterator[int]:
    """A server, its output no terminal; yields its port.

    Args:
        home: takes the place of the user's own folders.
        start_s: how long it may take until it answers, s.
        variables: of its environment, beside those of this process.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, ROOT / "tools/lab.py", "--no-browser", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--allow-root"]
    environment = {**os.environ, **dict.fromkeys(FOLDERS, str(home)), **variables}
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        ) as server,
    ):
        try:
            _wait_for(port, server, home / "log", start_s)
            yield port
        finally:
            os.killpg(server.pid, 15)
            server.wait(timeout=30)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path, start_s: float) -> None:
    """Until the server answers."""
    address = f"http://127.0.0.1:{port}/api/status?token={TOKEN}"
    end = time.monotonic() + start_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.25)
    pytest.fail(f"JupyterLab did not answer within {start_s:g} s")
