"""NumPy under ThreadSanitizer, where RACELAB_TSAN_NUMPY names what build.sh has made.

Run  RACELAB_TSAN_NUMPY=.../numpy racelab record tsan_numpy
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from racelab import toolbox
from racelab.outside import run
from racelab.reports import symbolizer_option
from racelab.sessions import Session

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TESTS = "numpy/_core/tests/test_multithreading.py"


def packages():
    """Where that NumPy is, or None."""
    named = os.environ.get("RACELAB_TSAN_NUMPY", "")
    found = sorted(Path(named).glob("lib/*/site-packages/numpy")) if named else []
    return found[0].parent if found else None


@dataclass(frozen=True)
class WithNumPy(Session):
    """A session that needs a NumPy of its own."""

    def missing(self):
        """What it needs and is not here, in words."""
        why = "no NumPy for it here (ext/tsan_numpy/build.sh, RACELAB_TSAN_NUMPY)"
        return [*super().missing(), *([] if packages() else [why])]


def under(*words):
    """A run by the interpreter of `make tsan`, with that NumPy in front of this environment's packages."""

    def go():
        site = [entry for entry in sys.path if entry.endswith("site-packages")]
        options = [f"suppressions={ROOT}/src/racelab/tsan_suppressions.txt", *symbolizer_option()]
        command = [toolbox.interpreter_of("tsan"), *words]
        more = {
            "PYTHONPATH": os.pathsep.join([str(packages()), *site]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TSAN_OPTIONS": " ".join(options),
        }
        return run(command, env=more, folder=packages(), timeout_s=420)

    return go


def places():
    """Words for the folder in which build.sh ran."""
    built = Path(os.environ.get("RACELAB_TSAN_NUMPY", "numpy")).parent
    return {f"{built}{middle}/src/": "" for middle in ("", "/build/..")}


def tidy(text):
    """Without build ids and places in modules, frames of the interpreter, and the folders of the builds."""
    lines = [line for line in text.splitlines() if ".building-" not in line]
    text = re.sub(r" \(BuildId: [0-9a-f]+\)|\+0x[0-9a-f.]+", "", "\n".join(lines))
    return re.sub(r" \((\w+)\.cpython-\S+\.so\)", r" (\1)", text)


SESSIONS = {
    "two": WithNumPy(
        title="One thread fills an array, another one looks at it (frames of the interpreter are left out)",
        command="python3.13t two.py",
        run=under(HERE / "two.py"),
        needs=("tsan", "llvm-symbolizer"),
        shape=(
            r"^WARNING: ThreadSanitizer: (data race)",
            r"^  (?:Write|Read|Previous)",
            r"#\d+ .*numpy/_core/src/multiarray/",
            r"^  Previous (?:write|read) of size (8)",
            r"#\d+ .*numpy/_core/src/multiarray/",
            r"^SUMMARY: ThreadSanitizer: (data race) numpy/_core/",
            r"^done, NumPy (\S+)",
        ),
        tidy=tidy,
        paths=places(),
        tries=4,
        long=True,
    ),
    "own": WithNumPy(
        title="Threaded tests of NumPy's own",
        command=f"python3.13t -m pytest -q -s {TESTS} -k 'nonzero or multithreaded_repeat or parallel_reduction'",
        run=under(
            *("-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--noconftest"),
            *("-c", "/dev/null", "--rootdir", ".", "-W", "ignore", "--color=no", TESTS),
            *("-k", "nonzero or multithreaded_repeat or parallel_reduction"),
        ),
        needs=("tsan", "llvm-symbolizer"),
        shape=lambda text: re.findall(r"(\d+) passed", text) or None,
        tidy=tidy,
        paths=places(),
        long=True,
    ),
}
