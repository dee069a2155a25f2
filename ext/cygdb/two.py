"""Two threads: one call each. The second one comes later, and needs nobody's help for it."""

import threading
import time

from cy_counter_broken import Counter

counter = Counter()


def add(late):
    until = time.monotonic() + late
    while time.monotonic() < until:
        pass
    counter.bump()


threads = [threading.Thread(target=add, args=[late]) for late in (0.2, 0.7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("two calls, value", counter.value)
