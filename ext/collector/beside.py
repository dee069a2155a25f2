"""Collect garbage beside a thread that waits for a lock, and say how long each collection took.

Runs in a child process. argv: MODULE (collector_broken, ...), COLLECTIONS, HOLD_MS.
Leaves `result`: the time of each collection, ms, from the moment it was wanted to the moment it was done;
and of the last one, for a timeline, the spans of the three threads, in ns of time.monotonic_ns().
"""

import gc
import importlib
import os
import sys
import threading
import time

module, collections, hold_ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
library = importlib.import_module(module)
now = time.monotonic_ns
WAITS = "attached" if module.endswith("broken") else "detached"
schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)  # of this thread


def busy_ns():
    """How long this thread has run, or was ready to and had no core."""
    return time.thread_time_ns() + int(os.pread(schedstat, 100, 0).split()[1])


def collect_beside():
    """One thread has the lock, one waits for it, this one collects: when, if blocked; spans of the two."""
    spans = []

    def call(thread, state, function, *args):
        start, end = function(*args)
        spans.append({"thread": thread, "state": state, "start_ns": start, "end_ns": end})

    holder = threading.Thread(target=call, args=("holder", "detached", library.hold, hold_ms))
    waiter = threading.Thread(target=call, args=("waiter", WAITS, library.take))
    holder.start()
    while not library.is_held():
        time.sleep(0.0005)
    # With the GIL on and the waiter attached, this thread comes back from here when the lock is free.
    wanted = now() + hold_ms * 200_000
    waiter.start()
    busy = busy_ns()
    time.sleep(max(0, wanted - now()) / 1e9)
    gc.collect()
    done = now()
    blocked = done - wanted > 2 * (busy_ns() - busy)  # more than half of the time
    holder.join()
    waiter.join()
    return wanted, done, blocked, spans


gc.collect()
took = []
for _ in range(collections):
    wanted, done, blocked, spans = collect_beside()
    took.append((done - wanted) / 1e6)
spans.sort(key=lambda span: ["holder", "waiter"].index(span["thread"]))
state = "waiting" if blocked else "attached"
collecting = {"thread": "collector", "state": state, "start_ns": wanted, "end_ns": done}
result = {
    "ms": took,
    "spans": [collecting, *spans],
    "events": [{"label": "gc", "start_ns": wanted, "end_ns": done}],
}
