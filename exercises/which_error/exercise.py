"""Six messages: each cure that is written down is applied to a small model of its case, and each proof is tried on it."""

from racelab.exercise import Exercise

#: What is so in each case, before the cure.
CASES = {
    1: {"name says": "3.13t", "module is for": "3.13"},
    2: {"cython here": "3.3.1", "cython for pip": "3.0"},
    3: {"slot": False, "PYTHON_GIL": None},
    4: {"race": True, "exitcode": 66},
    5: {"attached for the call": False},
    6: {"hard limit": True, "ASLR": True},
}
#: What a cure changes. Where the case does not know it, nothing.
CURES = {
    "build with 3.13t": {"name says": "3.13t", "module is for": "3.13t"},
    "rename the wheel": {"name says": "3.13"},
    "upgrade cython here": {"cython here": "newest"},
    "raise the pin": {"cython for pip": "newest"},
    "add the slot": {"slot": True},
    "PYTHON_GIL=0": {"PYTHON_GIL": "0"},
    "exitcode=0": {"exitcode": 0},
    "mend the race": {"race": False},
    "attach for it": {"attached for the call": True},
    "begin a section": {"section": True},
    "setarch -R": {"ASLR": False},
    "raise the limit": {"hard limit": False},
}
#: Whether a command fails, or complains, as things are; None where the case has nothing that it could try.
PROOFS = {
    "pip install": lambda so: so["name says"] != "3.13t" if "name says" in so else None,
    "import": lambda so: (
        "3.13" in (so["name says"], so["module is for"]) if "name says" in so else None
    ),
    "cython": lambda so: so["cython here"] == "3.0" if "cython here" in so else None,
    "pip wheel": lambda so: so["cython for pip"] == "3.0" if "cython for pip" in so else None,
    "strict import": lambda so: not so["slot"] if "slot" in so else None,
    "quiet import": lambda so: False if "slot" in so else None,
    "status": lambda so: so.get("race"),
    "output": lambda so: False if "race" in so else None,
    "call": lambda so: not so["attached for the call"] if "attached for the call" in so else None,
    "tsan": lambda so: so.get("hard limit"),
}
#: Whether the message comes again when the same is typed, and whether something is still wrong.
MESSAGE = {
    1: PROOFS["import"],
    2: PROOFS["pip wheel"],
    3: lambda so: not so["slot"] and so["PYTHON_GIL"] is None,
    4: lambda so: so["race"] and so["exitcode"] != 0,
    5: PROOFS["call"],
    6: PROOFS["tsan"],
}
WRONG = {
    1: PROOFS["import"],
    2: PROOFS["pip wheel"],
    3: PROOFS["strict import"],
    4: PROOFS["status"],
    5: PROOFS["call"],
    6: PROOFS["tsan"],
}


def about_cure(number, said):
    """What is wrong with a cure."""
    if said is None:
        return "not filled in yet"
    if said not in CURES:
        return "one of the cures in the list, word for word"
    after = {**CASES[number], **CURES[said]}
    if CASES[number].keys().isdisjoint(CURES[said]):
        return "it changes nothing that this message is about"
    if MESSAGE[number](after):
        return "typed again, the same message comes"
    if WRONG[number](after):
        return "the message is gone, and what it told of is still there"
    return ""


def about_proof(number, said):
    """What is wrong with a proof."""
    if said is None:
        return "not filled in yet"
    if said not in PROOFS:
        return "one of the proofs in the list, word for word"
    before = PROOFS[said](CASES[number])
    if before is None:
        return "it never comes to what this message is about"
    if not before:
        return "it succeeds before any cure, too, so it proves nothing"
    return ""


def single(module):
    """Each cure applied, each proof tried before it."""
    wrong = []
    for name, about in (("CURE", about_cure), ("PROOF", about_proof)):
        answers = getattr(module, name, None)
        if not isinstance(answers, dict) or set(answers) != set(CASES):
            wrong.append(f"{name}: one answer for each of the messages 1 to 6")
            continue
        said = {number: about(number, answers[number]) for number in CASES}
        wrong += [f"{name}[{number}]: {text}" for number, text in said.items() if text]
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "which_error",
    title="Match messages, causes and cures",
    chapter="18_errors",
    level="easy",
    minutes=10,
    goal="For six messages: a cure after which nothing is wrong, and a command that fails before it and succeeds after it.",
    hints=(
        "Three of the cures only silence a message or move it elsewhere. Ask of each: is what was wrong before still wrong?",
        "1: the name of the wheel says one build, the name of the file in it another. Which of them did a compiler write?",
        "2: pip builds in an environment of its own. What stands in it is said by pyproject.toml, not by pip list.",
        "3 and 4: PYTHON_GIL and exitcode decide what you are told, not what is so. A proof must not set them.",
        "5: the debug build says what is missing: a thread state. 6: a hard limit can be raised by who set it, and by nobody below.",
    ),
    single=single,
)
