"""Lost update: an increment is three steps, and another thread fits in between.

Question  Can two increments count as one?
Run       racelab race lost_update --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "lost_update",
    question="Can two increments count as one?",
    sources=["lost_update_{variant}.c"],
    setup="Counter",
    actors=["bump", "bump"],
    threads=[2, 3, 4, 8, 16],
    observe=lambda counter, _returned, threads: (
        "all counted" if counter.value == threads else "updates lost"
    ),
    observe_key="value",
    outcomes={
        "all counted": ACCEPTABLE("every call has counted"),
        "updates lost": FORBIDDEN("increments overwrote each other"),
    },
)
