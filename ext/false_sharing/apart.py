"""Time two threads that bump a counter each, and say what one call costs a thread.

Runs in a child process. argv: MODULE, WORK_MS (about how long one thread alone takes), TIMES.
Leaves `result`, a row for each timing: who counted where, and the ns of a core that a call took.
"""

import importlib
import os
import sys
import threading
import time
from itertools import cycle

module = importlib.import_module(sys.argv[1])
work_ns, times = float(sys.argv[2]) * 1e6, int(sys.argv[3])
cores = sorted(os.sched_getaffinity(0))
of_core = time.thread_time_ns  # of this thread: what else runs on its core is left out


def together(counters, calls):
    """Ns of a core per call; each thread has its own place in `counters`."""
    pair = module.Pair()
    gate = threading.Barrier(len(counters))
    used = []

    def body(which, core):
        os.sched_setaffinity(0, {core})  # of this thread: two on one core would take turns
        gate.wait()
        before = of_core()
        pair.bump_many(which, calls)
        used.append(of_core() - before)

    team = [threading.Thread(target=body, args=both) for both in zip(counters, cycle(cores))]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return sum(used) / len(used) / calls


calls = int(work_ns / min(together([0], 10_000) for _ in range(3)))
distance = module.Pair().distance
ways = {
    "one thread alone": [0],
    f"two counters, {distance} bytes apart": [0, 1],
    "two threads, one counter": [0, 0],
}
result = [
    {"who": who, "core_ns": together(counters, calls)}
    for _ in range(times)
    for who, counters in ways.items()
]
