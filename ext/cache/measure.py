"""What is recorded for `cache`: the races, what a look-up costs, and how often an import fills it."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).resolve().parent
DEPENDS = ["cache_once"]
VARIANTS = ("broken", "broken_section", "fixed", "fixed_atomic", "fixed_locked", "fixed_off")
RACES = [
    *({"variant": variant, "count": 400, "seconds": 30} for variant in VARIANTS),
    {"variant": "broken", "count": 400, "seconds": 30, "gil": 1},
]
#: What each strategy is called in the chapter, and where its module comes from.
STRATEGIES = {
    "no cache": HERE / "cache_fixed_off.c",
    "at import": HERE / "cache_fixed.c",
    "call_once": HERE.parent / "cache_once" / "cache_once_fixed.cpp",
    "atomic + mutex": HERE / "cache_fixed_atomic.c",
    "lock every call": HERE / "cache_fixed_locked.c",
}
#: Whose variant each is.
LABS = {
    strategy: {
        "lab": path.parent.name,
        "variant": path.stem.removeprefix(f"{path.parent.name}_"),
        "of": "one look-up",
    }
    for strategy, path in STRATEGIES.items()
}


def cost(batches: int = 12) -> list[dict]:
    """One row per strategy and number of threads; `ns` holds values, each for one look-up."""
    built = {rl.compile(path): name for name, path in STRATEGIES.items()}
    names = {one.name: name for one, name in built.items()}
    child = rl.run_child(
        HERE / "cost.py", modules=built, args=[batches, "1,2", *names], timeout_s=100
    )
    if child.outcome != "ok":
        raise RuntimeError(f"cost.py: {child}")
    return [
        {"strategy": names[row["module"]], **LABS[names[row["module"]]], **row}
        for row in child.returned
    ]


def first_import(name: str) -> int:
    """Import a module that this process may not have imported yet; how often that set it up."""
    import importlib

    return importlib.import_module(name).imports()


def import_lab(name: str) -> rl.Lab:
    """Two threads import one module at the same moment: one chance per process."""
    return rl.Lab(
        "imported",
        question="Can two imports at the same moment set a module up twice?",
        actors=[rl.Actor(first_import, args=(name,))] * 2,
        threads=[2],
        observe=lambda _state, returned, _threads: f"set up {max(returned)} x",
        outcomes={"set up 1 x": rl.ACCEPTABLE("one import did it, the other waited")},
        mode="cold",
    )


def imported() -> list[dict]:
    """In how many processes two imports at once set the module up how often."""
    built = rl.compile(STRATEGIES["at import"])
    seen = rl.race(import_lab(built.name), modules=[built], count=1000, seconds=40)
    return [{"processes": len(seen.ran), "set_up_once": len(seen.ran) - seen.failed_repetitions}]


MEASUREMENTS = {"cost": cost, "imported": imported}
