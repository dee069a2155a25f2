"""Two threads that work in one library, and garbage collections meanwhile.

Runs in a child process. argv: MODULE, SECONDS (of one call), COLLECTIONS.
Leaves `result`: how long each collection took, ms.
"""

import gc
import importlib
import sys
import threading
import time

work = importlib.import_module(sys.argv[1]).work
seconds, collections = float(sys.argv[2]), int(sys.argv[3])
over = threading.Event()


def worker():
    """In the library, or in front of it."""
    while not over.is_set():
        work(seconds)


threads = [threading.Thread(target=worker) for _ in range(2)]
for thread in threads:
    thread.start()
result = []
for _ in range(collections):
    time.sleep(1.5 * seconds)  # by now one works, and the other waits for it
    begin = time.perf_counter()
    gc.collect()
    result.append((time.perf_counter() - begin) * 1e3)
over.set()
for thread in threads:
    thread.join()
