"""Time two threads that bump a counter each, and say what one call costs a thread.

Runs in a child process. argv: MODULE, WORK_MS (about how long one thread alone takes), TIMES.
Leaves `result`: a row for each timing, with the ns that a call took: one thread "alone", two threads on a counter
"of their own" each, and two threads on "the same" counter.
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
now = time.perf_counter_ns


def together(counters, calls):
    """Ns per call of a thread; each thread has its own place in `counters`."""
    pair = module.Pair()
    gate = threading.Barrier(len(counters))
    took = []

    def body(which, core):
        os.sched_setaffinity(0, {core})  # of this thread: two on one core would take turns
        gate.wait()
        start = now()
        pair.bump_many(which, calls)
        took.append(now() - start)

    team = [threading.Thread(target=body, args=both) for both in zip(counters, cycle(cores))]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return sum(took) / len(took) / calls


calls = int(work_ns / min(together([0], 10_000) for _ in range(3)))
ways = {"alone": [0], "of their own": [0, 1], "the same": [0, 0]}
result = [
    {"counters": name, "bytes_apart": module.Pair().distance, "ns": together(counters, calls)}
    for _ in range(times)
    for name, counters in ways.items()
]
