"""Two threads ask why there is no such order, each about a number of its own, and keep what is not theirs.

Runs in a child process. argv: MODULE (per_thread_broken or per_thread_fixed), SECONDS.
Leaves `result`: how many answers were read, and some of the wrong ones: who asked, what the answer was.
"""

import importlib
import sys
import threading
import time

module, seconds = sys.argv[1], float(sys.argv[2])
why_not = importlib.import_module(module).why_not

wrong = {}
asked = []
together = threading.Barrier(2)


def ask(number):
    own = f"no order {number}"
    mine, calls = set(), 0
    together.wait()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(100):
            text = why_not(number)
            calls += 1
            if text != own and len(mine) < 1000:
                mine.add(text)
    wrong[number] = mine
    asked.append(calls)


numbers = (1111111111111111, 2222222222222222)
threads = [threading.Thread(target=ask, args=(number,)) for number in numbers]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()


def torn_in_the_middle(text):
    """How far the text is from being half and half; a whole one comes first."""
    ones = text.count("1")
    return (0 < ones < 16, abs(ones - 8))


result = {
    "asked": sum(asked),
    "wrong": [
        [number, text]
        for number in numbers
        for text in sorted(wrong[number], key=torn_in_the_middle)[:3]
    ],
}
