"""Two threads go through two doors of `endings_broken`, one in each direction: sooner or later both stand still.

Run  python ext/gdb/doors.py
"""

import threading

from broken import module

doors = module("endings").Doors()


def walk(through):
    while True:
        through()


for way in (doors.enter, doors.leave):
    threading.Thread(target=walk, args=(way,)).start()
