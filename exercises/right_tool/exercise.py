"""A test of a pool that no plugin can make fail: to be rewritten for pytest-run-parallel and for the fixture `race`."""

import ast
import inspect
import random
import threading
import time
from itertools import cycle, islice
from pathlib import Path
from weakref import WeakKeyDictionary

from racelab import ACCEPTABLE, FORBIDDEN, Actor
from racelab.exercise import Exercise, Trial
from racelab.lab import Invariant, fits

WINDOW_S = 0.005
THREADS, CALLS, ROUNDS = 8, 4, 4
MODES = "rounds", "cold", "hang"


class Broken:
    """A pool that finds a buffer and removes it in two steps, with a window that nobody misses."""

    def __init__(self):
        self.free = [bytearray(16) for _ in range(4)]

    def take(self):
        """A buffer, which may be another thread's as well."""
        last = self.free[-1:]
        time.sleep(WINDOW_S)
        del self.free[-1:]
        return last[0] if last else bytearray(16)

    def give_back(self, buffer):
        """Put it into the list again."""
        self.free.append(buffer)


class Right(Broken):
    """The same in one step."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def take(self):
        """A buffer that nobody else has."""
        time.sleep(WINDOW_S)
        with self.lock:
            return self.free.pop() if self.free else bytearray(16)


#: What is behind each pool that was handed out, and what is behind the next one.
BEHIND, KIND = WeakKeyDictionary(), [Right]


class Pool:
    """What a test is handed, whichever pool is behind it: nothing but what it does tells one from the other."""

    __slots__ = ("__weakref__",)

    def take(self):
        """A buffer."""
        return BEHIND[self].take()

    def give_back(self, buffer):
        """Put it into the pool again."""
        BEHIND[self].give_back(buffer)


def make_pool():
    """A new pool of four buffers."""
    made = Pool()
    BEHIND[made] = KIND[0]()
    return made


# -- a test in threads, with every window of its own held open --------------------------------------


def pause():
    """Between any two lines of a learner's function."""
    time.sleep(random.random() * 0.003)


class Slower(ast.NodeTransformer):
    """Puts a call of `pause` between the statements of every block of a function."""

    def __init__(self):
        self.inside = 0

    def visit_FunctionDef(self, node):
        """All blocks in it."""
        self.inside += 1
        self.generic_visit(node)
        self.inside -= 1
        return node

    def generic_visit(self, node):
        """Also what is deeper."""
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody") if self.inside else ():
            block = getattr(node, name, None)
            if isinstance(block, list) and len(block) > 1:
                paused = [ast.parse("__pause()").body[0] for _ in block]
                mixed = [one for both in zip(paused, block, strict=True) for one in both]
                setattr(node, name, mixed[1:])
        return node


def loaded(module):
    """The learner's file, loaded anew and with pauses."""
    file = module.__file__
    tree = Slower().visit(ast.parse(Path(file).read_text(encoding="utf-8")))
    names = {"__name__": module.__name__, "__file__": file, "__pause": pause}
    exec(compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True), names)
    return names


def called(test, fixtures):
    """Call a test with the fixtures that it names."""
    for name in (wanted := inspect.signature(test).parameters):
        if name not in fixtures:
            raise LookupError(f"fixture {name!r} not found; there are: {', '.join(fixtures)}")
    return test(**{name: fixtures[name] for name in wanted})


def together(bodies):
    """What they return, run in a thread each and let go together; raises what the first one raised."""
    barrier = threading.Barrier(len(bodies))
    returned, errors = [None] * len(bodies), []

    def work(at):
        try:
            barrier.wait()
            returned[at] = bodies[at]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return returned


def in_plugin(kind):
    """One session as pytest-run-parallel makes it: one test, many threads, the same fixtures for all."""

    def run(module):
        KIND[0] = kind
        test = loaded(module)["test_take"]
        fixtures = {"make_pool": make_pool, "pool": make_pool()}

        def calls():
            for _ in range(CALLS):
                called(test, fixtures)

        together([calls] * THREADS)

    return run


def race(
    *actors, setup=None, check=None, outcomes=None, observe=None, allow=(), threads=0, **_options
):
    """A few rounds of what the fixture does, in threads of this process."""
    label_of = observe or Invariant(check)
    grades = outcomes or {Invariant.HOLDS: ACCEPTABLE}

    def body(actor, state):
        if isinstance(actor, Actor):
            call = getattr(state, actor.body) if isinstance(actor.body, str) else actor.body
            first = (state,) if setup and call is actor.body else ()
            return lambda: call(*first, *actor.args)
        if isinstance(actor, str):
            return getattr(state, actor)
        return (lambda: actor(state)) if setup else actor

    for _ in range(ROUNDS):
        state = setup() if setup else None
        team = islice(cycle(actors), threads or len(actors))
        try:
            returned = together([body(actor, state) for actor in team])
            label = label_of(state, returned, len(returned))
        except Exception as error:
            label = f"error({type(error).__name__})"
        grade = next((grade for known, grade in grades.items() if fits(known, label)), FORBIDDEN)
        if grade.name == "FORBIDDEN" and label not in allow:
            raise AssertionError(f"forbidden outcomes: {label}")


def raced(kind):
    """One run of the raced test."""

    def run(module):
        KIND[0] = kind
        fixtures = {"make_pool": make_pool, "pool": make_pool(), "race": race}
        called(loaded(module)["test_take_raced"], fixtures)

    return run


# -- questions --------------------------------------------------------------------------------------

NEEDS = {
    "a": ("hang", "what you want to see is a round that does not end"),
    "b": ("cold", "how often is there a first request in one process?"),
    "c": (
        "rounds",
        "a window of nanoseconds, open again in every call: how do you get most tries?",
    ),
}


def single(module):
    """Both tests are there, and a mode for each report."""
    for name in ("test_take", "test_take_raced"):
        assert callable(getattr(module, name, None)), f"there is no {name} any more"
    mode = getattr(module, "MODE", None)
    assert mode is not None, "MODE: one mode for each of a, b, c"
    assert set(mode) == set(NEEDS), "MODE: one mode for each of a, b, c"
    odd = [f"MODE[{key!r}]: one of {', '.join(MODES)}" for key in NEEDS if mode[key] not in MODES]
    assert not odd, "\n".join(odd)
    wrong = [f"MODE[{key!r}]: {why}" for key, (right, why) in NEEDS.items() if mode[key] != right]
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "right_tool",
    title="Give a plugin something to find",
    chapter="05_plugins",
    level="medium",
    minutes=15,
    goal="Three reports have a mode of race(); both tests fail on a pool that gives one buffer to two threads, and pass on one that does not.",
    hints=(
        "A plugin runs a test against itself. What do two calls of this test have in common? Ask for another fixture.",
        "When eight threads share the pool, say what must hold while all of them take: what I was given, nobody else has now.",
        "A set of the ids in use, for all threads: look, put yours in, take it out. Take it out before you give the buffer back, or the next one to get it sees it there.",
        "race's check may take three arguments: the state, what each thread's call returned, and the number of threads. Buffers may be equal without being the same.",
        "race(..., check=lambda _pool, returned, _threads: returned[0] is not returned[1]). For MODE: where is there one chance in a process, and where does a call not come back?",
    ),
    single=single,
    trials=(
        Trial(
            "plugin, right pool",
            in_plugin(Right),
            fails=False,
            why="Here no two threads have a buffer at the same time; test_take must pass.",
            runs=10,
        ),
        Trial(
            "plugin, broken pool",
            in_plugin(Broken),
            fails=True,
            why="Here threads that take at the same time get one buffer, and test_take must notice. What do its threads share?",
            runs=10,
        ),
        Trial(
            "race, right pool",
            raced(Right),
            fails=False,
            why="Here no two threads get the same buffer; test_take_raced must pass.",
            runs=10,
        ),
        Trial(
            "race, broken pool",
            raced(Broken),
            fails=True,
            why="Here both threads get one buffer, and test_take_raced must notice: look at what the calls returned.",
            runs=10,
        ),
    ),
)
