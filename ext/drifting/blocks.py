"""Race the registry in blocks of rounds, one after another in one process, and count each block's failures.

Runs in a child process. argv: MODULE (drifting_broken or drifting_fixed), then the length of the
registry at the end of each block. Leaves `result`: for each block [length, failed, rounds], failed being
the rounds in which a name was not entered once. The delay is the lab's.
"""

import importlib
import sys

from racelab import _race

module = importlib.import_module(sys.argv[1])

result, length = [], 0
for end in map(int, sys.argv[2:]):
    rounds = end - length
    facts = _race.run(
        setup=module.Name,
        actors=["enter", "enter"],
        offsets_ns=[0, 2000],
        observe="entered",
        rounds=rounds,
    )
    once = facts["outcomes"].get("1", 0) + facts["outcomes_detached"].get("1", 0)
    result.append([end, rounds - once, rounds])
    length = end
