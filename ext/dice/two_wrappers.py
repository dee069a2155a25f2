"""Two wrappers of one library: a module that locks, and ctypes, which knows nothing of that lock.

Runs in a child process. argv: MODULE, ROLLS (of each of two threads), OTHER (module or ctypes).
Leaves `result`: the number of rolls, and how many of them gave a number that was already there.
"""

import ctypes
import importlib
import sys
import threading

module = importlib.import_module(sys.argv[1])
rolls, other = int(sys.argv[2]), sys.argv[3]
library = ctypes.CDLL(module.__file__)  # the same file, so the same library and the same state
library.dice_roll.argtypes = [ctypes.c_int64]
library.dice_roll.restype = ctypes.c_int64
MANY = 2**32
die = module.Die(MANY)
together = threading.Barrier(2)
numbers = [[], []]


def with_lock(mine):
    """Through the module."""
    together.wait()
    for _ in range(rolls):
        mine.append(die.roll())


def without(mine):
    """Past the module, and past its lock."""
    together.wait()
    for _ in range(rolls):
        mine.append(library.dice_roll(MANY))


second = without if other == "ctypes" else with_lock
threads = [
    threading.Thread(target=body, args=(mine,))
    for body, mine in zip((with_lock, second), numbers, strict=True)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
everything = numbers[0] + numbers[1]
result = {
    "rolls": len(everything),
    "numbers that came twice": len(everything) - len(set(everything)),
}
