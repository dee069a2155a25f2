"""Two threads bump one counter of `lost_update_broken` once each; prints what it counted.

Run  python ext/gdb/two_bumps.py
     gdb -x ext/gdb/lose.gdb --args python ext/gdb/two_bumps.py     loses one, every time
"""

import threading

from broken import module

counter = module("lost_update").Counter()
together = threading.Barrier(2)


def bump():
    together.wait()
    counter.bump()


work = [threading.Thread(target=bump) for _ in range(2)]
for thread in work:
    thread.start()
for thread in work:
    thread.join()
print(f"2 calls, counter at {counter.value}")
