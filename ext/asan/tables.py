"""For the tables of chapter 15: `filled(release=..., ASan=..., debug=...)` is that of Predict; `build(interpreter)`."""

from __future__ import annotations

import re

#: What an interpreter may say of a call, in the words of its own message.
WORDS = re.compile(r"negative ref count|AddressSanitizer: ([\w-]+)|nothing was said")


#: What an interpreter is built with besides, where that must be known to read a number of it.
BESIDES = {"asan": "with pydebug"}


def build(interpreter: str) -> str:
    """An interpreter's name for a table, with what must be known about it."""
    besides = BESIDES.get(interpreter)
    return f"{interpreter} ({besides})" if besides else interpreter


def said(output: str) -> dict[str, str]:
    """What stands below each line `== call` of a session, in the order in which it was said."""
    found = {}
    for part in re.split(r"^== ", output, flags=re.MULTILINE)[1:]:
        call, _, rest = part.partition("\n")
        found[call] = ", then ".join(one[1] or one[0] for one in WORDS.finditer(rest))
    return found


def filled(**outputs: str) -> str:
    """A row for each call that was made in all interpreters, and a column for each of them, as Markdown.

    Args:
        outputs: name of an interpreter -> the output of the session in it.
    """
    columns = [said(output) for output in outputs.values()]
    calls = [call for call in columns[0] if all(call in column for column in columns)]
    rows = [[f"`{call}`", *(column[call] for column in columns)] for call in calls]
    head = ["call", *outputs]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
