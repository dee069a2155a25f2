"""Let threads keep one object each, let them end, and count the objects that are still there.

Runs in a child process. argv: MODULE (one of thread_end_*, or "threading" for a threading.local), THREADS.
Leaves `result`: how many threads kept an object, and how many of the objects are alive after the last
thread was joined and garbage was collected.
"""

import gc
import importlib
import sys
import threading
import weakref

name, threads = sys.argv[1], int(sys.argv[2])


class Thing:
    """Something whose end can be seen from outside."""


class Local(threading.local):
    """The same interface over a threading.local."""

    def keep(self, thing):
        self.thing = thing


keeper = Local() if name == "threading" else importlib.import_module(name)
seen = []


def body():
    thing = Thing()
    seen.append(weakref.ref(thing))
    keeper.keep(thing)


for _ in range(threads):  # one after the other: nothing here is a race
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
gc.collect()
result = {"kept": len(seen), "alive": sum(ref() is not None for ref in seen)}
