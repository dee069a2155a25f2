"""Collect garbage beside a thread that naps in C, and say how long each collection took.

Runs in a child process. argv: MODULE (attached_broken or attached_fixed), COLLECTIONS, NAP_MS, BYSTANDERS.
Leaves `result`: for each collection when it was wanted, begun and done, and for a timeline the spans
of each thread; all in ns on the clock of time.monotonic_ns().
"""

import gc
import importlib
import os
import sys
import threading
import time

module, (collections, nap_ms, bystanders) = sys.argv[1], map(int, sys.argv[2:])
nap = importlib.import_module(module).nap
now = time.monotonic_ns

IN_C = "attached" if module.endswith("broken") else "detached"
# Without the GIL only a stop-the-world pause can keep a running thread from its next line for long;
# with the GIL it is usually another thread that has it.
HELD_UP = "waiting" if sys._is_gil_enabled() else "stopped"
LONG_NS = nap_ms * 1_000_000 // 20

spans = []
over = threading.Event()


def span(thread, state, start_ns, end_ns):
    spans.append({"thread": thread, "state": state, "start_ns": start_ns, "end_ns": end_ns})


class Blocked:
    """How long the calling thread has been kept from running by anything but a busy machine.

    Wall time, less the time it ran, less the time it was ready and no core was free.
    """

    def __init__(self):
        self.file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)

    def no_core_ns(self):
        return int(os.pread(self.file, 100, 0).split()[1])

    def read(self):
        """The time, and how much of it this thread has been blocked so far; both in ns, of one moment."""
        while True:
            no_core = self.no_core_ns()
            t, ran = now(), time.thread_time_ns()
            if self.no_core_ns() == no_core:  # nobody took the core in between
                return t, t - ran - no_core


def napper():
    """Naps in C, comes back to Python for a moment, naps again."""
    back = None
    while not over.is_set():
        start, end = nap(nap_ms)
        if back is not None and start - back > LONG_NS:
            span("napper", HELD_UP, back, start)
        span("napper", IN_C, start, end)
        back = end


def bystander():
    """Plain Python that has to do with neither: whenever it was blocked, somebody else did it."""
    clock = Blocked()
    before, blocked = clock.read()
    begin, done = before, False
    while not done:
        done = over.is_set()
        t, so_far = clock.read()
        if t - before > LONG_NS and so_far - blocked > LONG_NS:
            span("bystander", "attached", begin, before)
            span("bystander", HELD_UP, before, t)
            begin = t
        before, blocked = t, so_far
    span("bystander", "attached", begin, before)


gc.collect()
workers = [threading.Thread(target=body) for body in [napper, *[bystander] * bystanders]]
for worker in workers:
    worker.start()

timings, clock = [], Blocked()
for number in range(collections):
    # Come at another phase of the nap each time: multiples of the golden ratio spread evenly.
    pause_ns = int(nap_ms * 1_000_000 * (0.6 + 0.8 * (number * 0.618 % 1)))
    wanted = now() + pause_ns
    time.sleep(pause_ns / 1e9)
    begun, blocked = clock.read()
    gc.collect()
    done, so_far = clock.read()
    timings.append(
        {"wanted_ns": wanted, "begun_ns": begun, "done_ns": done, "blocked_ns": so_far - blocked}
    )
over.set()
for worker in workers:
    worker.join()

for at in timings:
    if sys._is_gil_enabled():
        span("collector", "waiting", at["wanted_ns"], at["begun_ns"])
    waited = at["blocked_ns"] > (at["done_ns"] - at["begun_ns"]) / 2
    span("collector", "waiting" if waited else "attached", at["begun_ns"], at["done_ns"])
spans.sort(key=lambda one: ["collector", "bystander", "napper"].index(one["thread"]))
events = [{"label": "gc", "start_ns": at["begun_ns"], "end_ns": at["done_ns"]} for at in timings]
result = {"collections": timings, "spans": spans, "events": events}
