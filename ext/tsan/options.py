"""What options of ThreadSanitizer change, one run for each: `python ext/tsan/options.py order|program|pytest|child|suppressions`.

For each run, a line with what ran and the words that are added, and one with: how many reports stand on the screen,
how many in files, the exit status, what the program itself printed last. Narrow enough for a phone.
"""

import re
import sys
import tempfile
from pathlib import Path

from racelab import outside

HERE = Path(__file__).resolve().parent
VISIT = [HERE / "visit.py"]
RENT = [HERE / "visit.py", "rent"]
TESTS = ["-m", "pytest", "-q", "--color=no", HERE / "test_hall.py"]
CHILD = ["-m", "pytest", "-q", "--color=no", HERE / "test_child.py"]
WORKER = [*TESTS, "-p", "xdist.plugin", "-n", "1"]

GROUPS = {
    "order": [
        (f"order.py {words}", "", [HERE / "order.py", *words.split()])
        for words in ("own stays", "own ends", "shared stays", "shared ends")
    ],
    "program": [
        ("visit.py", "", VISIT),
        ("visit.py", "halt_on_error=1", VISIT),
        ("visit.py", "exitcode=0", VISIT),
        ("visit.py", "log_path=LOG", VISIT),
        ("visit.py", "halt_on_eror=1", VISIT),
        ("visit.py rent", "", RENT),
        ("visit.py rent", "allocator_may_return_null=1", RENT),
    ],
    "suppressions": [
        ("visit.py", f"suppressions={name}", VISIT) if name else ("visit.py", "", VISIT)
        for name in ("", "suppress_library.txt", "suppress_hall.txt")
    ],
    "pytest": [
        ("pytest", "", TESTS),
        ("pytest -s", "", [*TESTS, "-s"]),
        ("pytest -rP", "", [*TESTS, "-rP"]),
        ("pytest", "log_path=LOG", TESTS),
        ("pytest", "halt_on_error=1", TESTS),
        ("pytest -s", "halt_on_error=1", [*TESTS, "-s"]),
        ("pytest -n 1", "halt_on_error=1", WORKER),
        ("pytest -n 1", "halt_on_error=1 log_path=LOG", WORKER),
    ],
    "child": [
        ("pytest test_child.py", "log_path=LOG", CHILD),
        ("pytest test_child.py", "halt_on_error=1 log_path=LOG", CHILD),
    ],
}
LIMIT_S = 60.0
TSAN = re.compile(r"ThreadSanitizer|^==|^ *#\d|^ .*\b(?:thread T|created by)|^\d+ race|^$")


def run(options, words, folder):
    """Run it under these options; what it printed, its status, and the logs that it left."""
    given = options.replace("LOG", f"{folder}/report").replace("=suppress", f"={HERE}/suppress")
    done = outside.run(
        [sys.executable, HERE / "under.py", *words],
        env={"TSAN_OPTIONS": f"print_suppressions=1 {given}"},
        timeout_s=LIMIT_S,
    )
    logs = sorted(Path(folder).glob("report.*"))
    status = "hung" if done.ended_by == "limit" else done.ended_by or done.status
    return done.text, status, "".join(log.read_text() for log in logs)


def row(what, options, words):
    """The two lines of a run, and what was suppressed below them."""
    with tempfile.TemporaryDirectory() as folder:
        text, status, log = run(options, words, folder)
    count = "WARNING: ThreadSanitizer"
    said = [line for line in text.splitlines() if line and not TSAN.search(line)]
    last = re.sub(r" in [\d.]+s", "", said[-1]).strip("= ")[:42] if said else "(nothing)"
    files = log.count(count) if log else "-"
    print(f"{what}, {options}" if options else what)
    print(f"{text.count(count):9}  {files:>8}  {status:>6}  {last}", flush=True)
    for matched in re.findall(r"^\d+ (?:race\w*):.*$", text, re.M):
        print(f"{'':9}suppressed: {matched}")


if __name__ == "__main__":
    print("on screen  in files  status  last line")
    for each in GROUPS[sys.argv[1]]:
        row(*each)
