"""Six borrowed references: each is tried with the worst that another thread can do in the worst moment."""

import weakref

from racelab.exercise import Exercise


class Thing:
    """What is borrowed; it can be watched."""


class Ours:
    """A struct of ours with a field that `set_callback` replaces."""

    def __init__(self):
        self.callback = Thing()


class Use:
    """One of the six: who lends, how it is borrowed, and what other threads can do to the lender meanwhile.

    `lock` is what whoever changes the lender takes, and `call` the strong call for such a lender.
    """

    def __init__(self, kept_by, make, borrow, worst, *, lock="", call=""):
        self.kept_by = kept_by
        self.make, self.borrow, self.worst = make, borrow, worst
        self.lock, self.call = lock, call

    def survives(self, repair=None):
        """Whether the object is still there when it is used."""
        lender = self.make()
        watched = weakref.ref(self.borrow(lender))
        strong = None
        if repair and repair in (self.call, self.lock):
            strong = self.borrow(lender)  # no moment between finding it and holding it
        if self.worst:
            self.worst(lender)
        if repair == "Py_NewRef":
            strong = watched()  # what there is left to hold
        alive = watched() is not None
        del strong
        return alive


WORDS = "the caller", "we alone", "the module", "nobody"
REPAIRS = "PyList_GetItemRef", "PyDict_GetItemRef", "Py_NewRef", "critical section", "our mutex"
USES = {
    1: Use(
        "nobody",
        lambda: [Thing()],
        lambda names: names[0],
        lambda names: names.clear(),
        lock="critical section",
        call="PyList_GetItemRef",
    ),
    2: Use("the caller", lambda: (Thing(),), lambda args: args[0], None),
    3: Use(
        "nobody",
        lambda: {"key": Thing()},
        lambda cache: cache["key"],
        lambda cache: cache.clear(),
        lock="critical section",
        call="PyDict_GetItemRef",
    ),
    4: Use("we alone", lambda: [Thing()], lambda parts: parts[0], None),
    5: Use("the module", Ours, lambda state: state.callback, None),
    6: Use(
        "nobody",
        Ours,
        lambda self: self.callback,
        lambda self: setattr(self, "callback", None),
        lock="our mutex",
    ),
}


def about_keeper(use, said):
    """What is wrong with who is said to keep the object."""
    if said not in WORDS:
        return f"one of: {', '.join(WORDS)}"
    if said == use.kept_by:
        return ""
    if not use.survives():
        return "another thread takes it out of there while you have it: who holds it then?"
    if said == "nobody":
        return "whatever others do, it is still there: somebody keeps it"
    return "it stays, but somebody else sees to that"


def about_repair(use, said):
    """What is wrong with a repair."""
    if said is None:
        return "" if use.survives() else "nobody keeps it, so something must change"
    if said not in REPAIRS:
        return f"None, or one of: {', '.join(REPAIRS)}"
    if use.survives():
        return "somebody keeps it: a repair buys nothing here"
    if said == "Py_NewRef":
        return "it is freed before Py_NewRef runs: the gap is between finding it and holding it"
    if use.survives(said):
        return ""
    if said.startswith("Py"):
        return f"{said} does not know such a lender"
    return f"{said}: do those who take the object away hold that lock, too?"


def single(module):
    """Who keeps it, and what is done about it, use by use."""
    wrong = []
    for name, about in (("KEPT_BY", about_keeper), ("REPAIR", about_repair)):
        answers = getattr(module, name, None)
        if not isinstance(answers, dict) or set(answers) != set(USES):
            wrong.append(f"{name}: one answer for each of the uses 1 to 6")
            continue
        said = {number: about(use, answers[number]) for number, use in USES.items()}
        wrong += [f"{name}[{number}]: {text}" for number, text in said.items() if text]
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "which_borrowed",
    title="Say who keeps what you borrow",
    chapter="10_borrowed_ref",
    level="easy",
    minutes=10,
    goal="For each of six borrowed references: who keeps the object, and what must change where nobody does.",
    hints=(
        "Ask of each: who has a strong reference, and who could make them drop it before you are done?",
        "The caller keeps an argument, and a tuple keeps its items. A list from Python keeps its items until somebody changes it.",
        "Three of the six must change: an item of a list that others have, a value of a dict that others have, a field that others set.",
        "The strong call or a critical section on the list or dict closes the gap; Py_NewRef afterwards does not.",
        "No API knows your fields: a field is kept by the lock under which it is replaced. Take that one, and Py_NewRef inside it.",
    ),
    single=single,
)
