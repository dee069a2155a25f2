"""Two threads that work in one library, and garbage collections meanwhile.

Runs in a child process. argv: MODULE, SECONDS (of one call), COLLECTIONS.
Leaves `result`: how long each collection took, ms, and how many threads were at work at most.
"""

import gc
import importlib
import sys
import threading
import time

work = importlib.import_module(sys.argv[1]).work
seconds, collections = float(sys.argv[2]), int(sys.argv[3])
over = threading.Event()
together = [0, 0]


def worker(number):
    """In the library, or in front of it."""
    while not over.is_set():
        together[number] = max(together[number], work(seconds))


threads = [threading.Thread(target=worker, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
took = []
for _ in range(collections):
    time.sleep(1.5 * seconds)  # by now one works, and the other waits for it
    begin = time.perf_counter()
    gc.collect()
    took.append((time.perf_counter() - begin) * 1e3)
over.set()
for thread in threads:
    thread.join()
result = {"collections_ms": took, "at work at most": max(together)}
