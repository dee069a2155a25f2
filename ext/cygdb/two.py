"""Two threads, one call each. The second call comes later, and needs nobody's help for it."""

import threading
import time

from cy_counter_broken import Counter

counter = Counter()
here = []


def add(late):
    here.append(late)
    while len(here) < 2:
        pass
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
