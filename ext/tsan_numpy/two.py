"""Two threads, one array: one fills it, the other one asks which items are not zero."""

import contextlib
import threading

import numpy as np

items = np.zeros(100)
barrier = threading.Barrier(2)


def fill():
    barrier.wait()
    for number in range(200):
        items.fill(number % 2)


def look():
    barrier.wait()
    for _ in range(200):
        with contextlib.suppress(RuntimeError):  # it changed meanwhile, and NumPy has noticed
            np.nonzero(items)


threads = [threading.Thread(target=body) for body in (fill, look)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done, NumPy", np.__version__)
