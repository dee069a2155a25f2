"""The shelf of `shelf.py` once more, in a child: the process that crashes is not the one that was started.

Run  python ext/gdb/child.py
"""

import multiprocessing

from shelf import meet


def meet_until_it_crashes():
    while True:
        meet()


if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=meet_until_it_crashes)
    child.start()
    child.join()
    print("the child has ended with", child.exitcode)
