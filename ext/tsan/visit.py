"""Two threads enter a hall, so that ThreadSanitizer sees both races of hall.c. Each keeps its own bound method."""

import sys
import threading
import time

from hall import Hall


def visit(hall, barrier, late):
    enter = hall.enter
    barrier.wait()
    time.sleep(0.1 if late else 0)
    enter()
    time.sleep(0 if late else 0.3)


def two_visitors():
    barrier, hall = threading.Barrier(2), Hall()
    threads = [threading.Thread(target=visit, args=[hall, barrier, late]) for late in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    if "rent" in sys.argv:
        try:
            Hall().rent(1 << 46)
        except MemoryError:
            print("MemoryError")
    else:
        two_visitors()
    print("done")
