"""The C core of racelab: race callables against each other, round after round.

This is the only place where racy code runs, so it is used in child processes only.
`run` starts the threads, makes a fresh state for every round, releases the threads
together, grades what they left behind and tallies the outcomes, in memory that a parent
process may share and read at any time, also after this process died.

A run works in batches. In each batch the threads make the states, race over them one
round after another, and grade them; each state is freed by the thread that made it, and
each returned value by the thread that got it, so that memory stays flat (an object freed
by a thread that doesn't own it queues up for its owner).

Tally layout, version 1 (native byte order, offsets in bytes)
-------------------------------------------------------------
header, 256 bytes, `struct` format ``=QIIIIIIIIdQQQIIQII``:

====== ======= ==================================================================
offset type    field
====== ======= ==================================================================
0      u64     magic, ``TALLY_MAGIC`` (0: nothing written yet)
8      u32     version, ``TALLY_VERSION``
12     u32     header size (256)
16     u32     threads
20     u32     labels: capacity of each thread's label table
24     u32     size of a label entry (160)
28     u32     size of a thread block, its label table included
32     u32     skew bins (``SKEW_BINS``)
36     u32     state: 0 empty, 1 running, 2 finished, 3 ended by an exception
40     f64     clock ticks per second
48     u64     when the run started, CLOCK_MONOTONIC, ns
56     u64     when the last batch ended, CLOCK_MONOTONIC, ns
64     u64     rounds asked for (0: no limit)
72     u32     stride
76     u32     rounds in the batch under way
80     u64     rounds finished and graded in all batches that are over
88     u32     1 if the GIL was on, else 0
92     u32     release: 0 barrier, 1 tsc
====== ======= ==================================================================

then one block per thread:

====== ======= ==================================================================
0      u64     entered: rounds in which this thread has begun its calls
8      u64     finished: rounds in which its calls have returned (or raised)
16     u64     detached: rounds it entered after having detached while it waited
24     u64     graded: rounds this thread has graded
32     u32     phase: 0 idle, 1 making states, 2 racing, 3 grading, 4 freeing
36     u32     labels used
40     u64     context switches of this thread (set when it ends)
48     u64     rounds it entered after the common target had passed (release "tsc")
56     u64     reserved
64     u64[]   release skew of the rounds it graded, ``SKEW_BINS`` counts
...    entry[] label table
====== ======= ==================================================================

A label entry is 160 bytes, format ``=QQQQI124s``: count, count of rounds in which a
thread had detached (not part of count), index of the first round that showed it, ns from
the start of the run to that round, length of the text, text (UTF-8). The last entry of a
full table gathers everything else as ``(other outcomes)``. An entry is complete before
`labels used` counts it. ``entered > finished`` means that the thread is inside its calls.
"""

from collections.abc import Buffer, Callable, Collection, Sequence
from typing import Any, Literal, TypeAlias, final

Body: TypeAlias = str | Callable[..., object]
"""What an actor calls: an attribute name of the state, or any callable."""

Actor: TypeAlias = Body | tuple[Any, ...]
"""A body, or a tuple (body, *arguments)."""

TALLY_MAGIC: int
TALLY_VERSION: int
SKEW_BINS: int
RUNNING_WITHOUT_TSC: bool
"""True where the clock is clock_gettime (no x86, or built with -DRACELAB_NO_TSC)."""

def run(
    *,
    setup: Callable[[], object] | None,
    actors: Sequence[Actor],
    threads: int | None = None,
    rounds: int | None = None,
    seconds: float | None = None,
    observe: str | Callable[[Any, tuple[Any, ...], int], object] | None = None,
    observe_key: str | Sequence[str] | None = None,
    release: Literal["barrier", "tsc"] = "barrier",
    stride: int = 1,
    batch: int | None = None,
    offsets_ns: Sequence[float] | None = None,
    bursts: Sequence[int] | None = None,
    made_by: int | None = None,
    spin_limit_us: float | None = None,
    keep_returned: bool = True,
    stop_on: Collection[str] = (),
    cpus: Literal["spread", "any"] | Sequence[int] = "spread",
    tally: Buffer | None = None,
    labels: int = 64,
) -> dict[str, Any]:
    """Race `actors` over fresh states until a limit is reached, and count the outcomes.

    Blocks the caller, which takes no part and stays detached (it answers Ctrl-C). Each
    of the `threads` threads runs one actor. Threads in excess of actors repeat them in
    order. At least one of `rounds` and `seconds` must be given.

    Args:
        setup: called without arguments, once per round, in a thread that takes part;
            returns the fresh state. None: there is no state, and actors get none.
        actors: each an attribute name of the state, a callable, or a tuple (body,
            *arguments). A name is looked up once on the state's type where that gives a
            plain method, else at each call. A callable is called as
            ``body(state, *arguments)``, or ``body(*arguments)`` if setup is None.
        threads: how many threads race, 1 to 1024; default: one per actor. May exceed
            the cores: then waiting threads give the core away.
        rounds: stop after so many rounds.
        seconds: stop at the end of the batch that is under way after so many seconds
            (batches are sized to take a few milliseconds); one batch is run in any case.
        observe: how a round is labelled.
            None: by the returned values, as ``repr`` joined by ", ".
            A name: by the ``repr`` of that attribute of the state, read after the round.
            A callable: ``observe(state, returned, threads)``, label is its ``str``.
            `returned` is flat: the values of thread 0 in call order, then of thread 1...
            None and names are graded in C by tables and cost some 10 ns per round; a
            callable costs a Python call per round, unless `observe_key` is given.
        observe_key: promises that a callable `observe` is pure and depends only on these
            attributes of the state (a name or several, may be empty), the returned
            values and the number of threads. It is then called once per distinct
            combination, and everything else is graded in C.
        release: "barrier": all spin until the last one has arrived. "tsc": they then
            also spin to a common time-stamp target, which releases them within some 20 ns.
        stride: rounds per release, default 1. More is faster and overlaps less.
        batch: most rounds per batch, default 1024 (fewer for large bursts). The
            first batch is small, later ones grow while they take under 2 ms.
        offsets_ns: delay of each thread after the release, ns, one number per thread;
            the smallest is taken as 0, so negative ones are allowed. Default: none.
        bursts: calls per round of each thread, one number per thread. Default: 1 each.
        made_by: index of the thread that makes (and grades, and frees) all states;
            default None: each thread makes an equal share of each batch.
        spin_limit_us: how long a thread spins attached, us; then it detaches until it is
            released, because a thread that spins attached blocks stop-the-world. Such
            rounds are tallied apart. Default 50; 0 where the GIL is on.
        keep_returned: False drops returned values at once: `returned` is (), and
            observe=None is refused.
        stop_on: labels; the run ends after the batch in which one of them was seen.
        cpus: "spread": a CPU of its own for each thread, drawn at random, if there are
            enough, else not pinned. "any": not pinned; on a busy machine threads that wait
            for each other may then share a core, and nothing overlaps. A sequence: pin
            thread i to cpus[i % len(cpus)]. Linux only; elsewhere not pinned.
        tally: writable buffer of at least ``tally_size(threads, labels)`` bytes, 8-byte
            aligned, shared with whoever wants to watch. Overwritten. Default: private.
        labels: capacity of each thread's label table, 2 to 4096.

    Returns:
        outcomes: {label: rounds}, only rounds in which every thread stayed attached.
        outcomes_detached: {label: rounds} where a thread had detached while it waited.
        first: {label: (index of the round, ns since the start)} of its first showing.
        errors: {label: text of one exception that made it}.
        rounds, seconds, rounds_per_s: graded rounds, wall time, their ratio.
        seconds_making, seconds_racing, seconds_grading: wall time by phase.
        race_rounds_per_s: rounds over seconds_racing.
        skew_ns: {"p50", "p95", "max", "bins": [(from, to, rounds), ...]}, time between
            first and last thread released, offsets not counted; empty bins left out.
        stopped: "rounds", "seconds", or "stop_on".
        switches: context switches of the racing threads while they raced.
        ns_per_switch: core time per switch if threads exceed cores, else None.
        late: rounds in which a thread missed the common target (release "tsc").
        threads, cores, cpus (one per thread, or None), stride, release, offsets_ns,
        bursts, made_by, batch, spin_limit_us, gil, clock ("tsc" or "clock_gettime"),
        tick_hz, widened: the settings in force.
        And what `read_tally` returns beyond that.

        An exception raised by an actor is the outcome ``error(ExcType)`` of its round
        (lowest thread first); one raised by `observe` is ``observe-error(ExcType)``.

    Raises:
        ValueError, TypeError: an argument is wrong; the message names it and its value.
        KeyboardInterrupt, or whatever a signal handler raises: all threads have ended. If
            they do not end within 2 s (an actor hangs), it is raised all the same: leave
            the process by ``os._exit`` then.
        MemoryError and others: raised by `setup`, or out of memory here; threads ended.
            In all these cases `tally` holds every round graded so far.
    """

def tally_size(threads: int, labels: int = 64) -> int:
    """Return how many bytes a tally needs for so many threads and labels per thread."""

def read_tally(buffer: Buffer, /) -> dict[str, Any]:
    """Read a tally, also while another process writes it or after that process died.

    Returns:
        version, state ("empty", "running", "finished", "failed"), threads, stride, gil,
        release, tick_hz, started_ns, updated_ns, rounds (graded), rounds_finished
        (by all threads, graded or not), rounds_entered (by any), rounds_planned or None,
        outcomes, outcomes_detached, first, skew_ns (as `run` gives them), and
        thread: [{"entered", "finished", "detached", "graded", "phase", "switches", "late"}].
        For a buffer that was never written: state "empty", everything else 0 or empty.

    Raises:
        ValueError: the buffer is too small, or its magic or version is not ours.
    """

def tick_hz() -> float:
    """Return the clock's ticks per second; measured once, 2 ms, inherited by fork."""

def cores() -> int:
    """Return how many CPUs this process may run on (its affinity mask)."""

def gil_enabled() -> bool:
    """Return whether the GIL is on, here and now."""

def measure_skew(
    *,
    threads: int = 2,
    rounds: int = 100_000,
    release: Literal["barrier", "tsc"] = "barrier",
    cpus: Literal["spread", "any"] | Sequence[int] = "spread",
) -> dict[str, Any]:
    """Release threads that do nothing, and return what `run` returns."""

def calibrate(
    *,
    threads: int = 2,
    rounds: int | None = None,
    seconds: float = 0.05,
    release: Literal["barrier", "tsc"] = "barrier",
) -> dict[str, Any]:
    """Race a built-in counter whose increment is a load and a store, no compiler needed.

    Returns:
        What `run` returns, and `lost` (rounds that lost an update, detached ones
        included), `lost_rate` (per round) and `shows` (True if lost > 0): whether this
        machine, here and now, can show a race at all. Labels: "all counted",
        "updates lost".
    """

def switch_cost_ns(*, switches: int = 20_000) -> float:
    """Return what handing one core from a thread to another costs, ns.

    Two threads pinned to one CPU take turns by `sched_yield`; median of 5 trials. Both
    are detached. Where threads can't be pinned, they are not, and the figure is less.
    """

@final
class KnownRace:
    """A counter for calibration and tests; starts at 0."""

    value: int
    """How many increments have counted."""

    def bump(self) -> None:
        """Add 1 by a load and a store, with RACE_POINT() between: loses updates."""

    def bump_atomic(self) -> None:
        """Add 1 atomically: loses nothing."""

    def nothing(self) -> None:
        """Do nothing: what is left is the harness itself."""
