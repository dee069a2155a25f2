"""Threads that count words, each with tokenizers of its own: what do they lose by the lock?

Runs in a child process. argv: MODULE, THREADS, TIMES, MILLISECONDS (of each time).
Leaves `result`, once for each time: million words a second of all threads together, and what part
of their time the threads were blocked: neither running nor ready and without a core.
"""

import importlib
import os
import sys
import threading
import time

Tokenizer = importlib.import_module(sys.argv[1]).Tokenizer
threads, times, milliseconds = map(int, sys.argv[2:])
WORDS = 10  # and long: nearly all the time is spent in tok_next(), under its lock
text = (b"w" * 99_999 + b" ") * WORDS
together = threading.Barrier(threads)
seen = [[None] * times for _ in range(threads)]


def clocks(schedstat):
    """The time, and how much of it the calling thread has not been blocked; s."""
    while True:
        no_core = int(os.pread(schedstat, 100, 0).split()[1])
        now, ran = time.perf_counter(), time.thread_time()
        if no_core == int(os.pread(schedstat, 100, 0).split()[1]):  # of one moment
            return now, ran + no_core / 1e9


def worker(mine):
    """Makes its own tokenizers: two that lie side by side in memory would share a cache line."""
    schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    for turn in range(times):
        together.wait()
        begin, went_before = clocks(schedstat)
        end, texts = begin, 0
        while end - begin < milliseconds / 1e3:
            Tokenizer(text).count()
            texts += 1
            end = time.perf_counter()
        end, went = clocks(schedstat)
        mine[turn] = begin, end, texts, went - went_before
    os.close(schedstat)


workers = [threading.Thread(target=worker, args=(mine,)) for mine in seen]
for each in workers:
    each.start()
for each in workers:
    each.join()
result = {"words_per_us": [], "blocked": []}
for turn in zip(*seen, strict=True):
    begins, ends, texts, went = zip(*turn, strict=True)
    # From the first begin to the last end: threads that came one after the other get no credit.
    result["words_per_us"].append(sum(texts) * WORDS / (max(ends) - min(begins)) / 1e6)
    result["blocked"].append(max(0.0, 1 - sum(went) / (sum(ends) - sum(begins))))
