"""Race the registry in blocks of rounds, one after another in one process, and count each block's failures.

Runs in a child process. argv: MODULE (drifting_broken or drifting_fixed), BLOCKS, ROUNDS in a block.
Leaves `result`: for each block the number of names that were entered twice. The delay is the lab's.
"""

import importlib
import sys

from racelab import _race

name, blocks, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
module = importlib.import_module(name)

result = []
for _ in range(blocks):
    facts = _race.run(
        setup=module.Name,
        actors=["enter", "enter"],
        offsets_ns=[0, 2000],
        observe="entered",
        rounds=rounds,
    )
    seen = [*facts["outcomes"].items(), *facts["outcomes_detached"].items()]
    result.append(sum(count for label, count in seen if label != "1"))
