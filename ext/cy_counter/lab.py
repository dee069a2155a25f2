"""Counter in Cython: the increment of a `cdef` attribute, in a `cdef class`.

Question  Can two increments of a cdef attribute count as one?
Run       racelab race cy_counter --threads 2

The twin of `lost_update`, which is written in C.
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "cy_counter",
    question="Can two increments of a cdef attribute count as one?",
    sources=["cy_counter_{variant}.pyx"],
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
