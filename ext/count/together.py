"""The usual recipe: threads that wait for each other at a `threading.Barrier`, then make one call each."""

import threading


def together(*calls):
    """Make these calls at once, as nearly as Python can; what they returned, in order."""
    barrier = threading.Barrier(len(calls))
    returned = [None] * len(calls)

    def work(nth):
        barrier.wait()
        returned[nth] = calls[nth]()

    workers = [threading.Thread(target=work, args=(nth,)) for nth in range(len(calls))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return returned
