"""Which lock each wrapper of a library takes: whatever is written down is tried on every pair of calls."""

from itertools import combinations_with_replacement, product

from racelab.exercise import Exercise

CALLS = "snd_init", "snd_open", "snd_read", "snd_length", "snd_set_volume", "snd_last_error"
HAVE_A_SOUND = "snd_read", "snd_length"
HELD = {
    "none": set(),
    "sound": {"sound"},
    "library": {"library"},
    "both": {"sound", "library"},
}
#: What a call uses, and whether it writes there. (snd_init is over before anybody can call the rest.)
USES = {
    "snd_init": {},
    "snd_open": {"the text of the last error": True},
    "snd_read": {"the text of the last error": True, "the sound": True},
    "snd_length": {"the text of the last error": True, "the sound": True},
    "snd_set_volume": {"the volume of the device": True},
    "snd_last_error": {"the text of the last error": False},
}


def pairs():
    """Two calls at a time, on one sound and on two."""
    for one, other in combinations_with_replacement(CALLS, 2):
        if one in HAVE_A_SOUND and other in HAVE_A_SOUND:
            yield one, other, True
        yield one, other, False


def meeting(one, other, same, thread_local):
    """The place that both use and one of them writes; None if there is none."""
    for place in USES[one].keys() & USES[other].keys():
        shared = {"the sound": same, "the text of the last error": not thread_local}
        if shared.get(place, True) and (USES[one][place] or USES[other][place]):
            return place
    return None


def waiting(locks, one, other, same):
    """Whether one of two calls waits for the other."""
    both = HELD[locks[one]] & HELD[locks[other]]
    return "library" in both or (same and "sound" in both)


def waits(locks):
    """All pairs of calls in which one waits for the other."""
    return {
        (one, other, same)
        for one, other, same in pairs()
        if "snd_init" not in (one, other) and waiting(locks, one, other, same)
    }


def unsafe(locks, thread_local):
    """Pairs that meet in one place without a common lock, with the place."""
    return [
        (pair, place)
        for pair in pairs()
        if (place := meeting(*pair, thread_local)) and not waiting(locks, *pair)
    ]


def cheapest(thread_local):
    """What waits in every safe choice of locks, tried one by one."""
    kinds = [HELD if call in HAVE_A_SOUND else ("none", "library") for call in CALLS]
    found = [dict(zip(CALLS, chosen, strict=True)) for chosen in product(*kinds)]
    return set.intersection(*(waits(each) for each in found if not unsafe(each, thread_local)))


def in_words(one, other, same):
    """A pair of calls."""
    if one in HAVE_A_SOUND and other in HAVE_A_SOUND:
        return f"{one} and {other}, of {'one sound' if same else 'two sounds'}"
    return f"{one} and {other}"


def about_locks(name, locks, thread_local):
    """What is wrong with a choice of locks."""
    if not isinstance(locks, dict) or set(locks) != set(CALLS):
        return [f"{name}: one word for each of the six functions"]
    odd = [call for call in CALLS if locks[call] not in HELD]
    if odd:
        return [f"{name}: {', '.join(odd)}: say {', '.join(HELD)}"]
    none = [call for call in CALLS if call not in HAVE_A_SOUND and "sound" in HELD[locks[call]]]
    if none:
        return [f"{name}: {call}: which sound? None that another thread has" for call in none]
    if bad := unsafe(locks, thread_local):
        said = [
            f"{name}: {in_words(*pair)}: both use {place}, and hold no lock in common"
            for pair, place in bad[:2]
        ]
        return [*said, f"{name}: {len(bad)} such pairs in all"] if len(bad) > 2 else said
    if dear := sorted(waits(locks) - cheapest(thread_local)):
        return [f"{name}: safe, but one waits for the other and need not: {in_words(*dear[0])}"]
    return []


STEPS = "lock", "detach", "read", "attach", "copy", "unlock", "raise"
ORDER = {
    ("lock", "read"): "another thread may be in the library at the same time",
    ("detach", "read"): "a read takes a second, and nobody can stop the world meanwhile",
    ("read", "attach"): "a read takes a second, and nobody can stop the world meanwhile",
    ("read", "copy"): "before the read there is no error to copy",
    ("read", "unlock"): "the lock is to be held while the library works",
    ("copy", "unlock"): "whose error is it that you copy after the unlock?",
    (
        "unlock",
        "raise",
    ): "to raise is to call Python, and Python may call you: who has the lock then?",
    ("attach", "raise"): "a detached thread must not call Python",
}


def about_steps(steps):
    """What is wrong with an order of steps."""
    if not isinstance(steps, (list, tuple)) or sorted(steps) != sorted(STEPS):
        return [f"FAILING_READ: each of these once: {', '.join(STEPS)}"]
    at = {step: steps.index(step) for step in STEPS}
    said = dict.fromkeys(why for (one, other), why in ORDER.items() if at[one] > at[other])
    return [f"FAILING_READ: {why}" for why in said]


def single(module):
    """Both libraries, pair by pair, and the order of steps."""
    wrong = [
        *about_locks("STATIC", getattr(module, "STATIC", None), thread_local=False),
        *about_locks("THREAD_LOCAL", getattr(module, "THREAD_LOCAL", None), thread_local=True),
        *about_steps(getattr(module, "FAILING_READ", None)),
    ]
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "which_lock",
    title="Choose the locks for a library",
    chapter="09_unsafe_library",
    level="medium",
    minutes=15,
    goal="No two calls use one place without a common lock, and no call waits for another one without need.",
    hints=(
        "Go through the table of places, not through the header: who writes there, and for whom is there only one?",
        "A static buffer for the error text is written by every call that fails. All of these, and who reads it, need one lock.",
        "const promises nothing: snd_length decodes, so it writes into its sound. And a sound that nobody else has yet needs no lock.",
        "Where each thread has an error text of its own, that place needs no lock at all: take the library's lock out wherever it was there for the text only.",
        "A failing read: what the library points to is copied before the unlock, and raised after it. Around the read you are detached.",
    ),
    single=single,
)
