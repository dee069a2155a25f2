"""Whether what ThreadSanitizer says is about the bug of a lab, or about something else in the same module.

A chapter marks the lines of its bug, `/* [race] */`. A data race is about the bug if its place is one of these
lines, or in a function that they call, or in one that they are in, or in one from which they are called;
or if a variable that is declared in marked lines is used there. A race elsewhere, in a constructor say, is not
what was to be found. Marked lines without code do not count: a remedy needs a place there, the bug does not.
A crash is not asked: memory that was used too late makes a process die anywhere.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from racelab.show import MARKER

RACE = re.compile(r"data race in (?P<function>.+), (?P<file>[\w.-]+):(?P<line>\d+)$")
CALL = re.compile(r"(~?\b[A-Za-z_]\w*)\s*\(")
#: The head of a function in C and C++, up to its brace, and in Cython.
C_HEAD = re.compile(
    r"^[\w \t:*&<>~]*?(~?\b(?!__attribute__)\w+)\([^;{}]*\)[^;{}()]*\{", re.MULTILINE
)
CYTHON_HEAD = re.compile(r"^([ \t]*)(?:def|cdef|cpdef) [^(\n=]*?(\w+)\(")
NO_CALLS = {"if", "for", "while", "switch", "return", "sizeof"}
#: A variable or a member, declared on a line of its own.
DECLARED = re.compile(r"[^()]*?\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=[^;]*)?;")
LINE_COMMENT, COMMENT = re.compile(r"//.*"), re.compile(r"/\*.*?\*/", re.DOTALL)


def is_about_the_bug(said: str, files: Iterable[Path]) -> bool:
    """Whether this label of a report is about what is marked in these sources; True where it is no data race."""
    race = RACE.match(said)
    if race is None:
        return True
    known = tuple(sorted(Path(path) for path in files))
    lines, functions, variables = _marked(known)
    if (race["file"], int(race["line"])) in lines or _last(race["function"]) in functions:
        return True
    return bool(variables & set(re.findall(r"\w+", _line(known, race["file"], int(race["line"])))))


def _line(files: Sequence[Path], name: str, number: int) -> str:
    """A line of one of some files; "" where it is none of them."""
    texts = [path.read_text(encoding="utf-8").splitlines() for path in files if path.name == name]
    return _code(texts[0][number - 1]) if texts and number <= len(texts[0]) else ""


def _last(function: str) -> str:
    """ "Tally::add_one()" is add_one, "Box.renew" is renew."""
    name = function.replace("(anonymous namespace)::", "").partition("(")[0]
    return re.split(r"::|\.", name)[-1].strip()


@functools.cache
def _marked(files: Sequence[Path]) -> tuple[set[tuple[str, int]], set[str], set[str]]:
    """The marked lines of some sources; the functions that they call, are in, or are called from; variables."""
    variables: set[str] = set()
    lines: set[tuple[str, int]] = set()
    called: set[str] = set()
    bodies: dict[str, set[str]] = {}
    around: set[str] = set()
    for path in files:
        texts = path.read_text(encoding="utf-8").splitlines()
        inside = False
        here = set()
        for number, text in enumerate(texts, start=1):
            if MARKER.match(text):
                inside = not inside
            elif inside and _has_code(path, text):
                here.add(number)
                called |= _calls(text)
        free = set(here)
        lines |= {(path.name, number) for number in here}
        for name, first, last in _functions(path, texts):
            bodies.setdefault(name, set()).update(_calls("\n".join(texts[first:last])))
            if here & set(range(first, last + 1)):
                around.add(name)
                free -= set(range(first, last + 1))
        declared = (DECLARED.match(_code(texts[number - 1])) for number in free)
        variables |= {found[1] for found in declared if found}
    below = _grown(called, lambda names: {c for name in names for c in bodies.get(name, ())})
    above = _grown(around, lambda names: {name for name, calls in bodies.items() if calls & names})
    return lines, below | above, variables


def _grown(names, step):
    """These and all that the step adds, again and again, until nothing new comes."""
    while new := step(names) - names:
        names = names | new
    return names


def _calls(text: str) -> set[str]:
    """Names with a parenthesis behind them, comments left out."""
    return {name for name in CALL.findall(_code(text)) if name not in NO_CALLS}


def _has_code(path: Path, text: str) -> bool:
    """Whether something is left of a line without its comments; `pass` is nothing either."""
    code = text.partition("#")[0] if path.suffix in (".pyx", ".pxd", ".py") else _code(text)
    return code.strip() not in ("", "pass")


def _code(text: str) -> str:
    """Without comments."""
    return COMMENT.sub(" ", LINE_COMMENT.sub("", text))


def _functions(path: Path, texts: Sequence[str]):
    """Each function of a source: its name, and its first and last line."""
    if path.suffix in (".pyx", ".pxd"):
        for number, text in enumerate(texts, start=1):
            head = CYTHON_HEAD.match(text)
            if head is None:
                continue
            last = number
            while last < len(texts) and (
                not texts[last].strip()
                or len(texts[last]) - len(texts[last].lstrip()) > len(head[1])
            ):
                last += 1
            yield head[2], number, last
        return
    whole = "\n".join(texts)
    for head in C_HEAD.finditer(whole):
        if head[1] in NO_CALLS:
            continue
        depth, at = 1, head.end()
        while depth and at < len(whole):
            depth += {"{": 1, "}": -1}.get(whole[at], 0)
            at += 1
        yield head[1], whole.count("\n", 0, head.start()) + 1, whole.count("\n", 0, at) + 1
