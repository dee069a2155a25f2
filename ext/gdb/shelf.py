"""Two threads share a shelf of `borrowed_ref_broken`: sooner or later one of them crashes.

Run  python ext/gdb/shelf.py
"""

import threading

from broken import module

Shelf = module("borrowed_ref").Shelf


def read(shelf, times):
    done = 0
    while done < times:
        shelf.first()
        done += 1


def replace(shelf, times):
    done = 0
    while done < times:
        shelf.replace()
        done += 1


def meet(times=100_000):
    shelf = Shelf()
    work = [threading.Thread(target=f, args=(shelf, times)) for f in (read, replace)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()


if __name__ == "__main__":
    while True:  # until it crashes
        meet()
