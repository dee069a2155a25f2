"""How long a look-up in each cache takes, with one thread and with several at once.

Runs in a child process. argv: BATCHES, THREADS (numbers with commas between), then names of modules with
`hit_ns(n)`. Leaves `result`: one row per module and number of threads,
{"module": name, "threads": T, "ns": [one value per batch and thread]}: ns for one look-up.
"""

import importlib
import sys
import threading

BATCH_NS = 200_000  # short beside a time slice: few batches are interrupted

batches, threads = int(sys.argv[1]), [int(number) for number in sys.argv[2].split(",")]


def sized(hit_ns):
    """How many look-ups take about BATCH_NS."""
    return max(20, int(BATCH_NS / max(hit_ns(200), 1.0)))


def together(hit_ns, team, times):
    """`batches` values of each thread, of the time in which all of them were busy."""
    start, values = threading.Barrier(team), [[] for _ in range(team)]
    done = threading.Event()

    def work(mine):
        start.wait()
        while len(mine) < batches + 1:
            mine.append(hit_ns(times))
        # Keep the others company until all have what they need.
        while min(map(len, values)) < batches + 1 and not done.wait(0):
            hit_ns(times)
        done.set()

    workers = [threading.Thread(target=work, args=[mine]) for mine in values]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [value for mine in values for value in mine[1:]]  # the first one warms up


result = []
for name in sys.argv[3:]:
    hit_ns = importlib.import_module(name).hit_ns
    times = sized(hit_ns)
    result += [
        {"module": name, "threads": team, "ns": together(hit_ns, team, times)} for team in threads
    ]
