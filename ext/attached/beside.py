"""Collect garbage beside a thread that naps in C, and say how long each collection took.

Runs in a child process. argv: MODULE (attached_broken or attached_fixed), COLLECTIONS, NAP_MS, BYSTANDERS.
Leaves `result`: for each collection when it was wanted, begun and done, and for a timeline the spans
of each thread, all in ns on the clock of time.monotonic_ns(). `call` is the C function that it is in.
And how long the three together were ready to run and had no core: how busy the machine was.
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
LONG_NS = 200_000

spans, no_core_ns = [], []
over = threading.Event()


def span(thread, state, start_ns, end_ns, call=""):
    one = {"thread": thread, "state": state, "start_ns": start_ns, "end_ns": end_ns}
    spans.append({**one, "call": call} if call else one)


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
    clock, back = Blocked(), None
    while not over.is_set():
        start, end = nap(nap_ms)
        if back is not None and start - back > LONG_NS:
            span("napper", HELD_UP, back, start)
        span("napper", IN_C, start, end, "nap()")
        back = end
    no_core_ns.append(clock.no_core_ns())


def bystander():
    """Plain Python that has to do with neither: whenever it was blocked, somebody else did it."""
    begin, done = threading.current_thread().born, False
    clock = Blocked()
    before, blocked = clock.read()
    # With the GIL on, a nap or two may pass before it comes so far. What a thread was blocked counts from time 0.
    if blocked - begin > LONG_NS:
        span("bystander", HELD_UP, begin, before)
        begin = before
    while not done:
        done = over.is_set()
        t, so_far = clock.read()
        if t - before > LONG_NS and so_far - blocked > LONG_NS:
            span("bystander", "attached", begin, before)
            span("bystander", HELD_UP, before, t)
            begin = t
        before, blocked = t, so_far
    span("bystander", "attached", begin, before)
    no_core_ns.append(clock.no_core_ns())


gc.collect()
workers = [threading.Thread(target=body) for body in [napper, *[bystander] * bystanders]]
for worker in workers:
    worker.born = now()
    worker.start()

timings, clock = [], Blocked()
since = now()
for number in range(collections):
    # Come at another phase of the nap each time: multiples of the golden ratio spread evenly.
    pause_ns = int(nap_ms * 1_000_000 * (0.6 + 0.8 * (number * 0.618 % 1)))
    wanted = now() + pause_ns
    time.sleep(pause_ns / 1e9)
    before, blocked = clock.read()
    begun = now()
    gc.collect()
    done = now()
    after, so_far = clock.read()
    # Reading the clock is a moment's detaching: with the GIL on, somebody may take it. That is not counted.
    inside = so_far - blocked - (begun - before) - (after - done)
    timings.append({"wanted_ns": wanted, "begun_ns": begun, "done_ns": done, "blocked_ns": inside})
no_core_ns.append(clock.no_core_ns())
over.set()
for worker in workers:
    worker.join()

for at in timings:
    awake = at["begun_ns"]
    if sys._is_gil_enabled():
        awake = at["wanted_ns"]
        span("collector", "waiting", awake, at["begun_ns"])
    span("collector", "detached", since, awake, "time.sleep()")
    waited = at["blocked_ns"] > (at["done_ns"] - at["begun_ns"]) / 2
    state = "waiting" if waited else "attached"
    span("collector", state, at["begun_ns"], at["done_ns"], "gc.collect()")
    since = at["done_ns"]
spans.sort(key=lambda one: ["collector", "bystander", "napper"].index(one["thread"]))
events = [
    {"label": "gc", "thread": "collector", "start_ns": at["begun_ns"], "end_ns": at["done_ns"]}
    for at in timings
]
result = {
    "gil": int(sys._is_gil_enabled()),
    "collections": timings,
    "spans": spans,
    "events": events,
    "no_core_ms": sum(no_core_ns) / 1e6,
}
