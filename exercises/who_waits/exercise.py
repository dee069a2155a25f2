"""Who waits until a nap in C is over: each scenario is run and compared with what was predicted."""

from racelab import run_child
from racelab.exercise import Exercise, Undecided

WHO = "collector", "bystander", "returner"
#: Scenario -> how it is run: the GIL, the nap, and who else there is.
SCENARIOS = {
    "ATTACHED": ("off", "attached", ("collector", "bystander")),
    "DETACHED": ("off", "detached", ("collector", "bystander")),
    "NOBODY_COLLECTS": ("off", "attached", ("bystander",)),
    "WITH_GIL": ("on", "attached", ("bystander",)),
    "COMES_BACK": ("off", "attached", ("collector", "returner")),
    "FOREIGN": ("off", "foreign", ("collector", "bystander")),
}
ASK = {
    "ATTACHED": "who is asked to pause, and until when? What is the collector waiting for?",
    "DETACHED": "what does the interpreter want from a thread that touches no Python object?",
    "NOBODY_COLLECTS": "what does an attached thread hold when there is no GIL? Who asks anybody to pause?",
    "WITH_GIL": "attached means something more on an interpreter with a GIL.",
    "COMES_BACK": "what must a thread do when its C function is done, and when may it?",
    "FOREIGN": "which threads does the interpreter know, and so ask to pause?",
}

# In a child: what each scenario showed, as a list of those who waited until the nap was over.
RUN = """
import ctypes, gc, sys, threading, time
attached, detached = ctypes.PyDLL(None), ctypes.CDLL(None)  # ctypes detaches around calls of the second kind
NAP_S = 0.3

def foreign_nap():
    thread, nap = ctypes.c_ulong(), ctypes.cast(detached.usleep, ctypes.c_void_p)
    detached.pthread_create(ctypes.byref(thread), None, nap, ctypes.c_void_p(int(NAP_S * 1e6)))
    time.sleep(NAP_S)  # the other one, which Python does not know, sleeps in C as long
    detached.pthread_join(thread, None)

NAPS = {
    "attached": lambda: attached.usleep(int(NAP_S * 1e6)),
    "detached": lambda: detached.usleep(int(NAP_S * 1e6)),
    "foreign": foreign_nap,
}
now = time.perf_counter

def one(nap, others):
    begun, ended, late = threading.Event(), [], {}

    def napper():
        begun.set()
        NAPS[nap]()
        ended.append(now())

    def bystander():  # reads the time over and over: the longest step is how long it stood still
        before, longest = now(), 0
        while not ended:
            t = now()
            longest, before = max(longest, t - before), t
        late["bystander"] = max(longest, now() - before) > NAP_S / 2

    def returner():
        begun.wait()
        begin = now()
        detached.usleep(int(NAP_S * 3e5))
        late["returner"] = now() - begin > NAP_S * 0.7

    def collector():
        begun.wait()
        time.sleep(NAP_S / 10)
        begin = now()
        gc.collect()
        late["collector"] = now() - begin > NAP_S / 2

    bodies = {"bystander": bystander, "returner": returner, "collector": collector}
    threads = [threading.Thread(target=bodies[who]) for who in others]
    threads += [threading.Thread(target=napper)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(who for who in others if late[who])

gc.collect()
gc.freeze()
result = {name: one(*how) for name, how in SCENARIOS.items()}
"""


def seen(names):
    """Run scenarios: name -> who waited."""
    found = {}
    for gil in ("off", "on"):
        here = {name: SCENARIOS[name][1:] for name in names if SCENARIOS[name][0] == gil}
        if here:
            ending = run_child(f"SCENARIOS = {here!r}\n{RUN}", gil=int(gil == "on"), timeout_s=20)
            if ending.outcome != "ok":
                raise Undecided(f"the scenarios could not be run here: {ending.outcome}")
            found |= ending.returned
    return found


def unlike(said, names):
    """Those of the scenarios that came out otherwise than they were predicted."""
    found = seen(names)
    return [name for name in names if set(said[name]) != set(found[name])]


def form(name, value):
    """What is wrong with the form of a prediction; None if it is one."""
    others = SCENARIOS[name][2]
    if not isinstance(value, (list, tuple, set)):
        return f"{name}: not filled in: a list of {', '.join(others)}; [] if nobody waits"
    strange = [who for who in value if who not in others]
    if strange:
        return f"{name}: one of {', '.join(others)}, not {', '.join(map(str, strange))}"
    return None


def single(module):
    """Each scenario as predicted; one that came out otherwise is run twice more, and must do so each time."""
    said = {name: getattr(module, name, None) for name in SCENARIOS}
    odd = [text for name, value in said.items() if (text := form(name, value))]
    assert not odd, "\n".join(odd)
    wrong, mixed = unlike(said, list(SCENARIOS)), []
    if wrong:
        again = [*unlike(said, wrong), *unlike(said, wrong)]
        mixed = [name for name in wrong if again.count(name) == 1]
        wrong = [name for name in wrong if again.count(name) == 2]
    if mixed and not wrong:
        raise Undecided(f"{', '.join(mixed)} came out now so, now otherwise")
    assert not wrong, "\n".join(
        f"{name}: run here, it came out otherwise: {ASK[name]}" for name in wrong
    )


exercise = Exercise(
    "who_waits",
    title="Predict who waits for a nap in C",
    chapter="02_attached",
    level="easy",
    minutes=10,
    goal="For each of six scenarios you have named those who are held up until the nap is over, and no others.",
    hints=(
        "Two questions for each scenario: does anybody stop the world? And is the napper one whom they must wait for?",
        "To collect garbage is to stop the world: every attached thread is asked to pause, and the work begins when the last one has. A thread that sleeps attached does not hear it.",
        "Who has paused pauses until the world goes on, and nobody may attach meanwhile. Where nobody stops the world, an attached thread is in nobody's way.",
        "On an interpreter with a GIL, attached is to hold the GIL. And a thread that Python does not know is neither attached nor detached: nobody asks it.",
    ),
    single=single,
)
