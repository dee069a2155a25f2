"""Lost update, in C++: the same counter with std::atomic and std::mutex.

Question  Can two increments count as one, in C++?
Run       racelab race lost_update_cpp --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "lost_update_cpp",
    question="Can two increments count as one, in C++?",
    sources=["lost_update_cpp_{variant}.cpp"],
    setup="Counter",
    actors=["bump", "bump"],
    threads=[2, 3, 4, 8],
    observe=lambda counter, _returned, threads: (
        "all counted" if counter.value == threads else "updates lost"
    ),
    observe_key="value",
    outcomes={
        "all counted": ACCEPTABLE("every call has counted"),
        "updates lost": FORBIDDEN("increments overwrote each other"),
    },
)
