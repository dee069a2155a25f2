"""Two threads call bump() once each. What orders the two calls? `order.py [shared|own] [ends|stays]`

The second thread calls a tenth of a second after the first: the two calls never overlap.
"""

import sys
import threading
import time

from lost_update_broken import Counter

reference, first_thread = sys.argv[1:]
counter = Counter()
barrier = threading.Barrier(2)


def call(late):
    bump = counter.bump  # a bound method that is this thread's own
    barrier.wait()
    if late:
        time.sleep(0.1)
    if reference == "shared":
        counter.bump()
    else:
        bump()
    if not late and first_thread == "stays":
        time.sleep(0.3)


threads = [threading.Thread(target=call, args=[late]) for late in (False, True)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done: value", counter.value)
