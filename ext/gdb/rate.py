"""Race `lost_update` in this one process, so that a debugger can look on; prints rounds and lost updates.

Run  python ext/gdb/rate.py 2            for two seconds
     gdb -ex 'break lost_update_broken.c:31' -x ext/gdb/go_on.gdb --args python ext/gdb/rate.py 2
"""

import json
import sys

from broken import module

from racelab.racing import core

seen = core().run(
    setup=module("lost_update").Counter,
    actors=["bump", "bump"],
    observe_key="value",
    observe=lambda counter, _returned, threads: "counted" if counter.value == threads else "lost",
    seconds=float(sys.argv[1]),
)
outcomes = seen["outcomes"]
print(json.dumps({"rounds": seen["rounds"], "lost": outcomes.get("lost", 0)}), flush=True)
