"""Time a counter that several threads bump, and say what one call costs.

Runs in a child process. argv: MODULE, WORK_MS (about how long one thread alone takes for all calls of a run),
TIMES (how often each is timed), and the numbers of threads.
Leaves `result`: a row for each timing, with the ns that went by per call, whoever made it. "in C": a loop of
`bump_many`, that is the increment and little else. "from Python": `bump()` in a Python loop, by one thread.
"""

import importlib
import os
import sys
import threading
import time
from itertools import cycle, islice, repeat

module = importlib.import_module(sys.argv[1])
work_ns = float(sys.argv[2]) * 1e6
times, *teams = map(int, sys.argv[3:])
cores = sorted(os.sched_getaffinity(0))
now = time.perf_counter_ns


def in_c(threads, calls):
    """Ns per call, from the first start to the last end."""
    counter = module.Counter()
    each = max(1, calls // threads)
    gate = threading.Barrier(threads)
    starts, ends = [], []

    def body(core):
        os.sched_setaffinity(0, {core})  # of this thread: two on one core would take turns
        gate.wait()
        starts.append(now())
        counter.bump_many(each)
        ends.append(now())

    team = [threading.Thread(target=body, args=[core]) for core in islice(cycle(cores), threads)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return (max(ends) - min(starts)) / (threads * each)


def from_python(calls):
    """Ns per call of one thread, the Python loop included."""
    bump = module.Counter().bump
    start = now()
    for _ in repeat(None, calls):
        bump()
    return (now() - start) / calls


# The first try of each warms up, and says how many calls make a run of about the wanted length.
calls = {
    "in C": int(work_ns / min(in_c(1, 10_000) for _ in range(3))),
    "from Python": int(work_ns / min(from_python(1_000) for _ in range(3))),
}
result = []
for _ in range(times):
    for threads in teams:
        ns = in_c(threads, calls["in C"])
        result.append({"from": "in C", "threads": threads, "ns": ns})
    result.append({"from": "from Python", "threads": 1, "ns": from_python(calls["from Python"])})
