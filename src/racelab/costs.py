"""What a call costs: a lab's first actor, timed in children, for the measurement "cost" of its recording.

MEASUREMENTS = {"cost": partial(calls, "lazy_slot")}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["calls"]

#: Runs in a child. argv: LAB, MODULE, MS, TIMES, THREADS (numbers with commas between). Leaves rows in `result`.
SCRIPT = '''
import importlib, inspect, os, sys, threading, time
from itertools import cycle, islice, repeat
from racelab.lab import find_lab

slug, name, ms, times, teams = sys.argv[1:]
lab, module = find_lab(slug), importlib.import_module(name)
actor = lab.declared_actors[0]
cores = sorted(os.sched_getaffinity(0))
now, of_core = time.perf_counter_ns, time.thread_time_ns

def state():
    if lab.setup is None:
        return module
    if isinstance(lab.setup, str):
        return getattr(module, lab.setup)()
    return lab.setup(module) if inspect.signature(lab.setup).parameters else lab.setup()

def timed(threads, count):
    """One timing of `count` calls, divided among so many threads that share one state."""
    shared = state()
    body = getattr(shared, actor.body) if isinstance(actor.body, str) else lambda: actor.body(shared)
    each, gate, seen = max(1, count // threads), threading.Barrier(threads), []
    def work(core):
        os.sched_setaffinity(0, {core})  # of this thread: two on one core would take turns
        body(*actor.args)
        gate.wait()
        start, before = now(), of_core()
        for _ in repeat(None, each):
            body(*actor.args)
        used, end = of_core() - before, now()
        seen.append((start, end, used))
    team = [threading.Thread(target=work, args=[core]) for core in islice(cycle(cores), threads)]
    for thread in team: thread.start()
    for thread in team: thread.join()
    took = max(end for _, end, _ in seen) - min(start for start, _, _ in seen)
    return {"of": f"one call of {actor.label}()", "threads": threads,
            "core_ns": sum(used for *_, used in seen) / (threads * each), "ns": took / (threads * each)}

count = max(1, int(float(ms) * 1e6 / min(timed(1, 500)["core_ns"] for _ in range(5))))
result = [timed(int(team), count) for _ in range(int(times)) for team in teams.split(",")]
'''


def calls(
    slug: str, *, times: int = 5, ms: float = 5, processes: int = 2, threads: Sequence[int] = (1, 2)
) -> list[dict[str, Any]]:
    """Time the first actor of a lab, called again and again from Python on one state, the loop included.

    Repairs by one thread alone and by several that share the state; a broken variant by one alone, to which
    nothing can happen.

    Args:
        slug: a lab of the book with variants; its first actor must stand being called often.
        times: timings of each in a process.
        ms: about how long one thread works in a timing.
        processes: of each variant, by turns: what is luck of one is not of the other.
        threads: how many share the state.

    Returns:
        Rows with variant, "of", threads, `core_ns` (what a call took of a core's time) and `ns` (the time that
        went by for each call, whoever made it).

    Raises:
        RuntimeError: a child did not come to its end; the message says how.
        ValueError: the lab has no variants.
    """
    from racelab.build import compile
    from racelab.lab import find_lab
    from racelab.runner import run_child

    lab = find_lab(slug)
    if not lab.variants:
        raise ValueError(f"{slug}: a lab without variants; there is nothing to compare.")
    rows = []
    for _ in range(processes):
        for variant in lab.variants:
            built = compile(lab.source_files(variant), flags=list(lab.flags))
            teams = ",".join(str(n) for n in threads if n == 1 or variant.startswith("fixed"))
            args = [slug, built.name, str(ms), str(times), teams]
            seen = run_child(SCRIPT, modules=[built], args=args, timeout_s=60)
            if seen.returned is None:
                raise RuntimeError(f"{slug}, {variant}: {seen}")
            rows += [{"variant": variant, **row} for row in seen.returned]
    return rows
