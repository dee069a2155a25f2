"""AddressSanitizer and a debug interpreter on code that uses what it has freed.

Run  racelab record asan [--only block]
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from racelab import toolbox
from racelab.outside import Output
from racelab.outside import run as run_outside
from racelab.sessions import Session

DEPENDS = ["borrowed_ref", "borrowed_weakref"]
HERE = Path(__file__).resolve().parent
OPTIONS = {"ASAN_OPTIONS": None, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONMALLOC": None}

BUILD = "cc {flags}-g -O1 -fPIC -shared $({python}-config --includes) freed.c -o freed.so\n"
FOUR_CALLS = "'block()' 'of(object)' 'of(float)' 'twice(float)'"
SIX_CALLS = FOUR_CALLS + """ 'of(list)' 'of(type("F", (float,), {{}}))'"""
EACH = f"""for what in {SIX_CALLS}; do
  echo "== $what"
  {{before}}{{python}} -c "import freed; freed.$what" 2>&1 | grep -E 'SUMMARY|Assertion' || echo nothing was said
done"""


def interpreter(flavor):
    """The interpreter of a flavor, or of the book's environment."""
    found = sys.executable if flavor == "release" else toolbox.interpreter_of(flavor)
    return Path(os.path.realpath(found)) if found else None


def here(flavor):
    """Words for the folders of an interpreter."""
    python = interpreter(flavor)
    return {str(python.parent.parent): f"python-{flavor}"} if python else {}


def shell(flavor, text, *, timeout_s=60.0, seconds_of_cpu=120):
    """A run of some lines in a shell, in a folder with freed.c and its test, one interpreter's programs on PATH."""

    def go() -> Output:
        with tempfile.TemporaryDirectory(prefix="racelab-") as folder:
            for name in ("freed.c", "test_freed.py"):
                shutil.copy(HERE / name, folder)
            own = Path(sys.executable).parent
            known = [str(interpreter(one).parent) for one in (flavor, "release")]
            path = [*known, str(own), os.environ.get("PATH", "")]
            packages = [entry for entry in sys.path if entry.endswith("site-packages")]
            more = {"PATH": os.pathsep.join(path)}
            if "pytest" in text:
                more |= {"PYTHONPATH": os.pathsep.join([".", *packages])}
                more |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            limit = f"ulimit -c 0; ulimit -t {seconds_of_cpu}; "
            return run_outside(
                ["sh", "-c", limit + text],
                timeout_s=timeout_s,
                env={**OPTIONS, **more},
                folder=folder,
            )

    return go


def session(title, flavor, text, shape, **more):
    """A session of lines for a shell, as typed."""
    needs = () if flavor == "release" else (flavor,)
    return Session(
        title=title,
        command=text.replace("\n", "\n$ ") if "\n  " not in text else text,
        run=shell(flavor, text),
        needs=needs,
        shape=shape,
        paths=here(flavor),
        **more,
    )


def built(flavor, flags, text):
    """These lines, after those that build the module."""
    python = "python3.13t" if flavor == "release" else "python3.13td"
    preloaded = flavor == "release" and flags
    before = "LD_PRELOAD=$(cc -print-file-name=libasan.so) " if preloaded else ""
    return BUILD.format(flags=flags, python=python) + text.format(python=python, before=before)


def each(*said):
    """What is said of the calls, in their order: of all six, or of the first four, which are those of Predict."""
    return tuple(
        word for one, words in zip(SIX, said, strict=False) for word in (one, f"({words})")
    )


SIX = (
    *(r"== block\(\)", r"== of\(object", r"== of\(float", r"== twice\(float"),
    *(r"== of\(list", r"== of\(type"),
)
NOBODY = "nothing was said"
ASAN = "-fsanitize=address "
NO_LEAKS = "export ASAN_OPTIONS=detect_leaks=0\n"
WEAKREF = r"(use-after-poison in take_lamp), (borrowed_weakref_broken\.c:\d+)"

SESSIONS = {
    "block": session(
        "Memory of malloc(), read after free()",
        "asan",
        built("asan", ASAN, NO_LEAKS + "{python} -c 'import freed; freed.block()'"),
        (
            r"ERROR: AddressSanitizer: (heap-use-after-free)",
            r"^READ of size (1) at",
            r"in (peek) .*freed\.c:(\d+)",
            r"in (freed_block) .*freed\.c:(\d+)",
            r"^freed by thread",
            r"in (freed_block) .*freed\.c:(\d+)",
            r"^previously allocated by thread",
            r"in (freed_block) .*freed\.c:(\d+)",
            r"SUMMARY: AddressSanitizer: (heap-use-after-free)",
        ),
    ),
    "object": session(
        "An object, read after its last reference was given back",
        "asan",
        built("asan", ASAN, NO_LEAKS + "{python} -c 'import freed; freed.of(object)'"),
        (
            r"ERROR: AddressSanitizer: (use-after-poison)",
            r"in (peek) .*freed\.c:(\d+)",
            r"in (freed_of) .*freed\.c:(\d+)",
            r"SUMMARY: AddressSanitizer: (use-after-poison)",
            r"(Poisoned by user): +f7",
        ),
    ),
    "who_release": session(
        "The calls of Predict, in a release interpreter",
        "release",
        built("release", "", EACH.replace(SIX_CALLS, FOUR_CALLS)),
        each(*[NOBODY] * 4),
    ),
    "who_asan": session(
        "All six, in the interpreter that was built for it",
        "asan",
        built("asan", ASAN, NO_LEAKS + EACH),
        each(
            *("heap-use-after-free", "use-after-poison", NOBODY, "negative ref count"),
            *(NOBODY, "use-after-poison"),
        ),
    ),
    "who_preload": session(
        "All six, in a release interpreter with the sanitizer's library put in front",
        "release",
        built("release", ASAN, NO_LEAKS + EACH),
        each("heap-use-after-free", *[NOBODY] * 5),
    ),
    "who_debug": session(
        "The calls of Predict, in a debug interpreter, which counts references",
        "debug",
        built("debug", "", EACH.replace(SIX_CALLS, FOUR_CALLS)),
        each(NOBODY, NOBODY, NOBODY, r"freed\.c:46: .*negative ref count"),
    ),
    "other_headers": session(
        "The same in the same interpreter, with a module that was built for the release one",
        "debug",
        "cc -g -O1 -fPIC -shared $(python3.13t-config --includes) freed.c -o freed.cpython-313t-$(uname -m)-linux-gnu.so\n"
        "python3.13td -c 'import freed; freed.twice(float); print(\"nothing was said\")'",
        ("(nothing was said)",),
    ),
    "detached": session(
        "Python called by a detached thread: ctypes detaches around every call through CDLL",
        "debug",
        "python3.13td -c 'import ctypes; ctypes.CDLL(None).PyList_New(0)'",
        (r"Fatal Python error: .*(the current Python thread state is NULL)",),
    ),
    "pythonmalloc": session(
        "The usual advice: let objects come from malloc()",
        "release",
        "PYTHONMALLOC=malloc python3.13t -c pass",
        (r"(unknown allocator)",),
    ),
    "pytest_lost": session(
        "pytest keeps what is printed, and dies with it",
        "asan",
        built("asan", ASAN, NO_LEAKS + "{python} -m pytest -q -p no:cacheprovider test_freed.py"),
        lambda text: None if "ERROR: AddressSanitizer" in text else "no report",
    ),
    "pytest_s": session(
        "With -s, it prints at once",
        "asan",
        built(
            "asan", ASAN, NO_LEAKS + "{python} -m pytest -q -s -p no:cacheprovider test_freed.py"
        ),
        (r"(use-after-poison)", r"in (peek) .*freed\.c:(\d+)", r"(test_object)|SUMMARY"),
    ),
    "weakref": session(
        "A weak reference's object: the race under AddressSanitizer",
        "asan",
        "racelab race borrowed_weakref --sanitizer address --count 3 --seconds 1",
        (
            rf"sanitizer\({WEAKREF}\)",
            rf"^report .*{WEAKREF}",
            r"(read of size \d+)",
            r"(take_lamp)  borrowed_weakref_broken\.c:(\d+)",
        ),
    ),
    "weakref_fixed": session(
        "The same race, repaired",
        "asan",
        "racelab race borrowed_weakref --variant fixed --sanitizer address --count 3 --seconds 1",
        (r"^(per repetition  0 of 3)",),
    ),
    "shelf_asan": session(
        "A list's float: the race under AddressSanitizer",
        "asan",
        "racelab race borrowed_ref --sanitizer address --count 3 --seconds 1",
        lambda text: "reports" if "\nreport " in text else None,
    ),
    "shelf_debug": session(
        "The same race in a debug interpreter",
        "debug",
        "racelab race borrowed_ref --python python3.13td --count 4 --seconds 1",
        (r"(negative refcount)", r"(object has negative ref count)"),
    ),
}
