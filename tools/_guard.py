"""Run one command that must not outlive whoever started it: `python _guard.py COMMAND...`.

Standard input is a pipe which the starter holds open and never writes to. When it closes (the
starter finished, was interrupted, or was killed with SIGKILL and could do nothing any more), the
whole process group goes. The starter runs this file in a session of its own, so that the group is
this process, the command, and the command's children.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

NOT_FOUND = 127
KILLED_BY = 128


def _end_with_starter() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run the command; return its exit status, or 128 + the signal that ended it."""
    threading.Thread(target=_end_with_starter, daemon=True).start()
    try:
        status = subprocess.call(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        return NOT_FOUND
    return status if status >= 0 else KILLED_BY - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
