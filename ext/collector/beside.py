"""Collect garbage beside a thread that waits for a lock, and say how long each collection took.

Runs in a child process. argv: MODULE (collector_broken, ...), COLLECTIONS, HOLD_MS.
Leaves `result`: the time of each collection, ms, from the moment it was wanted to the moment it was done;
and of the last one, for a timeline, the spans of the three threads, in ns of time.monotonic_ns().
"""

import gc
import importlib
import sys
import threading
import time

module, collections, hold_ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
library = importlib.import_module(module)
now = time.monotonic_ns
WAITS = "attached" if module.endswith("broken") else "detached"


def collect_beside():
    """One thread has the lock, one waits for it, this one collects: (wanted, done), spans of the two."""
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
    time.sleep(max(0, wanted - now()) / 1e9)
    gc.collect()
    done = now()
    holder.join()
    waiter.join()
    return wanted, done, spans


gc.collect()
took = []
for _ in range(collections):
    wanted, done, spans = collect_beside()
    took.append((done - wanted) / 1e6)
spans.sort(key=lambda span: ["holder", "waiter"].index(span["thread"]))
collecting = {"thread": "collector", "state": "waiting", "start_ns": wanted, "end_ns": done}
result = {
    "ms": took,
    "spans": [collecting, *spans],
    "events": [{"label": "gc", "start_ns": wanted, "end_ns": done}],
}
