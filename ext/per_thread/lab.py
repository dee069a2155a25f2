"""Per thread: a last error that belongs to whoever failed last.

Question  Can a failed call report the reason of another thread's failure?
Run       racelab race per_thread --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

NUMBERS = (1111111111111111, 2222222222222222)
REASONS = tuple(f"no order {number}" for number in NUMBERS)


def observe(_state, returned, _threads):
    if all(text == REASONS[i % 2] for i, text in enumerate(returned)):
        return "own reason"
    return "a stranger's reason" if set(returned) <= set(REASONS) else "a torn reason"


lab = Lab(
    "per_thread",
    question="Can a failed call report the reason of another thread's failure?",
    sources=["per_thread_{variant}.c"],
    actors=[Actor("why_not", args=(number,)) for number in NUMBERS],
    threads=[2, 3, 4, 8],
    observe=observe,
    observe_key=(),
    outcomes={
        "own reason": ACCEPTABLE("every failed call got its own reason"),
        "a stranger's reason": FORBIDDEN("another thread's call failed between failing and asking"),
        "a torn reason": FORBIDDEN("half one call's reason, half another's"),
    },
)
