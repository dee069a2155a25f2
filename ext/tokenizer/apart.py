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
seen = [[None] * times for _ in range(threads)]


def worker(mine):
    """Makes its own tokenizers: two that lie side by side in memory would share a cache line."""
    for turn in range(times):
        together.wait()
        begin = end = time.perf_counter()
        texts = 0
        while end - begin < milliseconds / 1e3:
            Tokenizer(text).count()
            texts += 1
            end = time.perf_counter()
        mine[turn] = begin, end, texts


workers = [threading.Thread(target=worker, args=(mine,)) for mine in seen]
for each in workers:
    each.start()
for each in workers:
    each.join()
result = []
for turn in zip(*seen, strict=True):
    begins, ends, texts = zip(*turn, strict=True)
    # From the first begin to the last end: threads that came one after the other get no credit.
    result.append(sum(texts) * WORDS / (max(ends) - min(begins)) / 1e6)
