"""Time each lock of locks.c, taken by one thread alone and by two that want the same one.

Runs in a child process. argv: MODULE, MS (about how long one thread alone works in a timing), TIMES.
Leaves `result`, a row for each timing: `core_ns` is what a change took of a core's time (waiting asleep costs
none), `ns` the time that went by per change, whoever made it.
"""

import importlib
import os
import sys
import threading
import time
from itertools import cycle, islice

module = importlib.import_module(sys.argv[1])
work_ns, times = float(sys.argv[2]) * 1e6, int(sys.argv[3])
cores = sorted(os.sched_getaffinity(0))
now, of_core = time.perf_counter_ns, time.thread_time_ns
KINDS = (
    "atomic",
    "PyMutex",
    "critical section",
    "pthread mutex",
    "critical section of two",
    "two PyMutexes",
)


def timed(kind, threads, changes):
    """One timing of `changes` changes, divided among so many threads. Every other one has the pair turned round."""
    a, b = module.Pair(), module.Pair()
    each = max(1, changes // threads)
    gate = threading.Barrier(threads)
    starts, ends, used = [], [], []

    def body(number, core):
        os.sched_setaffinity(0, {core})  # of this thread: two on one core would take turns
        # An atomic and a lock of one are those of `a`; only with two locks does the order matter.
        one, other = (b, a) if number % 2 and "two" in kind else (a, b)
        gate.wait()
        starts.append(now())
        before = of_core()
        one.run(kind, other, each)
        used.append(of_core() - before)
        ends.append(now())

    team = [
        threading.Thread(target=body, args=seat)
        for seat in enumerate(islice(cycle(cores), threads))
    ]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    made = threads * each
    took = max(ends) - min(starts)
    return {"kind": kind, "threads": threads, "core_ns": sum(used) / made, "ns": took / made}


changes = {
    kind: int(work_ns / min(timed(kind, 1, 20_000)["core_ns"] for _ in range(3))) for kind in KINDS
}
result = [
    timed(kind, threads, changes[kind])
    for _ in range(times)
    for kind in KINDS
    for threads in (1, 2)
]
