"""A module that Meson builds with ThreadSanitizer. Fetches meson-python, so: RACELAB_NETWORK=1.

Run  RACELAB_NETWORK=1 racelab record tsan_meson
"""

import os
import re
import shutil
from pathlib import Path

from racelab import toolbox
from racelab.sessions import Session, program

DEPENDS = ["tsan"]

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "PYTHON=python3.13t sh ext/tsan_meson/build.sh"


def build():
    """Run build.sh with the interpreter of `make tsan`, and with the uv that `make env` has installed."""
    uv = shutil.which("uv") or str(ROOT / ".venv-tools/bin/uv")
    env = {
        "PYTHON": toolbox.interpreter_of("tsan"),
        "PATH": os.pathsep.join([str(Path(uv).parent), os.environ.get("PATH", os.defpath)]),
    }
    script = ROOT / "ext/tsan_meson/build.sh"
    return program("sh", script, timeout_s=420, env=env)()


def tidy(text):
    """Reports without the frames of the interpreter, and without build ids."""
    lines = [line for line in text.splitlines() if ".building-" not in line]
    return re.sub(r" \(BuildId: [0-9a-f]+\)|\+0x[0-9a-f]+", "", "\n".join(lines))


SESSIONS = {
    "meson": Session(
        title="The hall, built by Meson with ThreadSanitizer (frames of the interpreter are left out)",
        command=COMMAND,
        run=build,
        needs=("tsan", "clang", "network"),
        shape=(
            r"^C compiler for the host machine: clang",
            r"grep -c __tsan_",
            r"^\d+$",
            r"#0 (count_in)\b",
            r"^SUMMARY: .*(data race)",
            r"#0 (lib_log)\b",
            r"^done",
            r"^ThreadSanitizer: reported (2) warnings",
            r"^(66)$",
        ),
        tidy=tidy,
        long=True,
    ),
}
