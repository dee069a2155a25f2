"""A library's last error: the call and the text that it leaves behind belong together."""

import random
import tracemalloc

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.exercise import Exercise

TEXT = "{}: no sound in it"
TRIES = 10


def said(module, path):
    """The text of the OSError that length(path) raises; None where it raises none."""
    try:
        module.length(path)
    except OSError as error:
        return str(error)
    return None


def single(module):
    """Lengths and errors, one after another."""
    for _ in range(5):
        seconds = random.randrange(1, 1000) / 4
        for path in (f"bell-{seconds}.wav", f"a/very-long-{seconds}.wav"):
            found = module.length(path)
            assert found == seconds, f"length({path!r}) must be {seconds}, and is {found!r}"
        for path in (f"bell-{seconds}.mp3", f"{'-' * random.randrange(90)}.txt"):
            text = said(module, path)
            assert text == TEXT.format(path), (
                f"length({path!r}) must raise OSError({TEXT.format(path)!r}), and it says {text!r}"
            )
    keeps_nothing(module)


def keeps_nothing(module):
    """An error that was raised and handled leaves nothing behind."""
    path = "-" * 200 + ".txt"
    said(module, path)
    tracemalloc.start()
    for _ in range(300):
        said(module, path)
    more = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert more < 100 * len(path), f"300 errors were raised and handled, and {more} bytes are kept"


def ask(module, path):
    """Whether each error of this thread's calls is about this thread's path."""
    right = TEXT.format(path)
    return all(said(module, path) == right for _ in range(TRIES))


exercise = Exercise(
    "error_buffer",
    title="Raise your own error, not your neighbour's",
    chapter="09_unsafe_library",
    level="easy",
    minutes=10,
    goal="length() gives the length of a sound in seconds, or raises OSError with the text that the library has for this very call, whoever else calls it meanwhile.",
    hints=(
        "The library is called under a lock. Which of its functions is not, and where is the text that it returns?",
        "snd_last_error() tells of the last call that failed: that is yours only as long as nobody else may call.",
        "One visit: lock, snd_length, snd_last_error, unlock. Locking twice leaves a gap between the two.",
        "It returns a pointer into the library's buffer. Copy the text, e.g. with snprintf into an array of yours, before you unlock.",
        "Unlock on every path, and raise after it: nothing of Python's has to run while others wait for the library.",
    ),
    lab=Lab(
        "error_buffer",
        question="Is each error about the path that was asked for?",
        modules=["error_buffer"],
        setup=lambda module: module,
        actors=[
            Actor(ask, args=("gong.mp3",)),
            Actor(ask, args=("a-much-longer-name-of-a-bell.ogg",)),
        ],
        observe=lambda _module, returned, _threads: (
            "their own errors" if all(returned) else "a stranger's error"
        ),
        observe_key=(),
        outcomes={
            "their own errors": ACCEPTABLE("each text names the path of its call"),
            "a stranger's error": FORBIDDEN("the text of another call, or a mixture of two"),
            "error(*)": FORBIDDEN("the text was torn while it was read"),
            "crash(*)": FORBIDDEN("text was read where there is none any more"),
            "hang": FORBIDDEN("the library's lock was not given back"),
        },
    ),
    single=single,
    advice={
        "a stranger's error": "Between the call that failed and the copy of its text another thread still gets in.",
        "error(*)": "The text changed while it was read: copy it while you hold the lock.",
        "crash(*)": "Where is the text that you raise, and who may change or free it?",
        "hang": "Go through every path out of the locked region: does each unlock, and unlock once?",
    },
)
