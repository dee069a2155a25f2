"""Start a Python program, wait until it stands still, then run a debugger on it; ends both.

Run  python ext/gdb/attach.py ext/gdb/doors.py gdb -p PID -batch -ex 'thread apply all bt'

The debugger's PID is replaced by the program's. "Stands still": no processor time for half a second.
"""

import ctypes
import subprocess
import sys
import time
from pathlib import Path

STILL_S = 0.5
LIMIT_S = 30


def let_others_trace() -> None:
    """Where Linux lets only parents trace (Yama): anybody may trace what we start. Elsewhere it does nothing."""
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)


def used(pid: int) -> int:
    """Processor time of a process so far, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def main(script: str, *command: str) -> int:
    """Start the script, wait, attach."""
    program = subprocess.Popen([sys.executable, script], preexec_fn=let_others_trace)
    try:
        time.sleep(STILL_S)
        end, before = time.monotonic() + LIMIT_S, -1
        while (now := used(program.pid)) != before and time.monotonic() < end:
            before = now
            time.sleep(STILL_S)
        words = [str(program.pid) if word == "PID" else word for word in command]
        return subprocess.run(words, check=False).returncode
    finally:
        program.kill()
        program.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
