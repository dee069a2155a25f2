"""Threads that count words, each with tokenizers of its own: what do they lose by the lock?

Runs in a child process. argv: MODULE, THREADS, TIMES, MILLISECONDS (of each time).
Leaves `result`: million words a second of all threads together, once for each time.
"""

import importlib
import sys
import threading
import time

Tokenizer = importlib.import_module(sys.argv[1]).Tokenizer
threads, times, milliseconds = map(int, sys.argv[2:])
WORDS = 1_000
text = (b"w" * 99 + b" ") * WORDS
together = threading.Barrier(threads)
rates = [[0.0] * times for _ in range(threads)]


def worker(mine):
    """Makes its own tokenizers: two that lie side by side in memory would share a cache line."""
    for turn in range(times):
        together.wait()
        begin, texts = time.perf_counter(), 0
        while time.perf_counter() - begin < milliseconds / 1e3:
            Tokenizer(text).count()
            texts += 1
        mine[turn] = texts * WORDS / (time.perf_counter() - begin) / 1e6


workers = [threading.Thread(target=worker, args=(mine,)) for mine in rates]
for each in workers:
    each.start()
for each in workers:
    each.join()
result = [sum(turn) for turn in zip(*rates, strict=True)]
