"""Ten threads call one method: how far apart do they start, and how many overlap?

argv: wait (0 or 1), TRIALS. Leaves `result`: one row of times for each trial, ns.
"""

import sys
import threading
import time

wait, trials = map(int, sys.argv[1:])
THREADS = 10
now = time.monotonic_ns


def work():
    return sum(range(200))


result = []
for _ in range(trials):
    barrier, times = threading.Barrier(THREADS), []

    def closure(barrier=barrier, times=times):
        if wait:
            barrier.wait()
        begin = now()
        work()
        times.append([begin, now()])

    workers = [threading.Thread(target=closure) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    result.append(sorted(times))
