"""What is recorded of this lab: its races, and what each lock costs two threads with objects of their own."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).resolve().parent


def cost(times=20, milliseconds=40):
    """Rows of variant, threads, million words a second of all of them, and how much they were blocked.

    `ns` is the time that went by for each word, whoever read it.
    """
    rows = []
    for variant in ("broken", "fixed", "fixed_critical", "fixed_global"):
        built = rl.compile(HERE / f"tokenizer_{variant}.c")
        for threads in (1, 2):
            child = rl.run_child(
                HERE / "apart.py",
                modules=[built],
                args=[built.name, threads, times, milliseconds],
                timeout_s=60,
            )
            if child.outcome != "ok":
                raise RuntimeError(f"{variant}, {threads} threads: {child.outcome}\n{child.stderr}")
            rows += [
                {
                    "variant": variant,
                    "of": "one word of 99,999 letters",
                    "threads": threads,
                    "words_per_us": speed,
                    "ns": 1000 / speed,
                    "blocked": blocked,
                }
                for speed, blocked in zip(*child.returned.values(), strict=True)
            ]
    return rows


MEASUREMENTS = {"cost": cost}
