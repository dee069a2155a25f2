"""Time a counter that several threads bump, and say what one call costs.

Runs in a child process. argv: MODULE, WORK_MS (about how long one thread alone takes for all calls of a run),
TIMES (how often each is timed), and the numbers of threads.
Leaves `result`, a row for each timing: `core_ns` is what a call took of a core's time (waiting asleep costs none);
`ns` is the time that went by per call, whoever made it. "in C" is a loop in C, that is the increment and little else;
"from Python" is `bump()` in a Python loop, by one thread.
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
now, of_core = time.perf_counter_ns, time.thread_time_ns


def in_c(threads, calls):
    """One timing of `calls` calls, divided among so many threads."""
    counter = module.Counter()
    each = max(1, calls // threads)
    gate = threading.Barrier(threads)
    starts, ends, used = [], [], []

    def body(core):
        os.sched_setaffinity(0, {core})  # of this thread: two on one core would take turns
        gate.wait()
        starts.append(now())
        before = of_core()
        counter.bump_many(each)
        used.append(of_core() - before)
        ends.append(now())

    team = [threading.Thread(target=body, args=[core]) for core in islice(cycle(cores), threads)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    made = threads * each
    took = max(ends) - min(starts)
    return {"from": "in C", "threads": threads, "core_ns": sum(used) / made, "ns": took / made}


def from_python(calls):
    """One timing of one thread, the Python loop included."""
    bump = module.Counter().bump
    start, before = now(), of_core()
    for _ in repeat(None, calls):
        bump()
    used, took = of_core() - before, now() - start
    return {"from": "from Python", "threads": 1, "core_ns": used / calls, "ns": took / calls}


# A few short ones first: they warm up, and say how many calls make a run of about the wanted length.
in_c_calls = int(work_ns / min(in_c(1, 20_000)["core_ns"] for _ in range(5)))
python_calls = int(work_ns / min(from_python(2_000)["core_ns"] for _ in range(5)))
result = []
for _ in range(times):
    result += [in_c(threads, in_c_calls) for threads in teams]
    result.append(from_python(python_calls))
