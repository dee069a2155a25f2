"""Time the ways to find a thread's own state.

Runs in a child process. argv: REPEATS.
Leaves `result`: rows of way and ns (one access, averaged over a stretch of accesses).
"""

import sys

import access

N = 100_000

access.enter(object())
result = [
    {"way": way, "ns": access.ns(way, N)}
    for _ in range(int(sys.argv[1]))  # round by round: a busy moment hits all ways alike
    for way in access.names()
]
