"""Two threads solve, a third one collects garbage: sooner or later `lock_and_world_broken` makes all three wait.

Run  python ext/gdb/solve.py
"""

import gc
import threading
import time

from broken import module

solve = module("lock_and_world").solve


def objective():
    time.sleep(0.001)


def solver():
    while True:
        solve(objective)


for _ in range(2):
    threading.Thread(target=solver).start()
while True:
    gc.collect()
