"""Run a Python program under ThreadSanitizer: `python ext/tsan/under.py [-m MODULE | FILE] [arguments]`.

Compiles this chapter's modules with clang and -fsanitize=thread, lets the interpreter that `make tsan` has
made find them, and this environment's pytest, and becomes that interpreter. TSAN_OPTIONS is taken as it is; only the
symbolizer is added, where ThreadSanitizer would not find it.
"""

import os
import sys
from pathlib import Path

import racelab as rl
from racelab.racing import sanitizer_python
from racelab.reports import symbolizer_option

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "hall.c", HERE.parent / "lost_update/lost_update_broken.c"
SITE = [entry for entry in sys.path if entry.endswith("site-packages")]


def environment(python: str) -> dict[str, str]:
    """Where the modules and pytest are, and the symbolizer for TSAN_OPTIONS."""
    built = [rl.compile(source, python=python, sanitizer="thread") for source in SOURCES]
    options = [os.environ.get("TSAN_OPTIONS", ""), *symbolizer_option()]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*(str(one.path.parent) for one in built), *SITE]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
        "TSAN_OPTIONS": " ".join(options).strip(),
    }


if __name__ == "__main__":
    interpreter = sanitizer_python("thread")
    os.execve(interpreter, [interpreter, *sys.argv[1:]], environment(interpreter))
