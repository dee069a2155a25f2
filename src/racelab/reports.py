"""Read what ThreadSanitizer, AddressSanitizer and a debug interpreter have written, and say it in short.

A sanitizer says *what* happened (a data race, a use after free), *where* (the accesses, each with its
stack), *who* (the threads, and where they were started) and *since when* (where the memory was allocated
and freed, where a mutex was made). `parse` finds these parts in any text: the stderr of a child, a CI
log, pytest's output. `Report.label` is the one line that a result counts, `Report.short` what a terminal
shows, `Report.text` all that was written.

Frames belong to somebody (`Frame.owner`): to the extension ("own"), the interpreter, racelab's own C core
("harness"), the sanitizer's runtime ("tool") or the system's libraries. What is not known to be somebody
else's is the extension's.
"""

from __future__ import annotations

import functools
import html
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

__all__ = [
    "Frame",
    "Group",
    "Report",
    "Stack",
    "by_label",
    "dedupe",
    "gravest",
    "parse",
    "sanitizer_options",
    "suppressed",
    "symbolizer",
    "symbolizer_option",
    "unable",
]

Tool = Literal["thread", "address", "debug"]
Role = Literal["access", "allocated", "freed", "created", "mutex", "other"]

#: Reports that are read from one text: a sanitizer that does not halt may write thousands.
REPORTS = 200
#: Characters that are kept of one report.
TEXT = 20_000
TOOLS = {"thread": "ThreadSanitizer", "address": "AddressSanitizer", "debug": "debug interpreter"}

# ---------------------------------------------------------------------------------------------------
# Whose frame it is
# ---------------------------------------------------------------------------------------------------

_INTERPRETER_MODULE = re.compile(r"(?:lib)?python3(?:\.\d+)?t?d?(?:\.so[\d.]*|\.dylib)?$")
#: A source of the interpreter: in a folder that is named after it. AddressSanitizer names no module where
#: it knows the line, and gcc's writes the path as the compiler got it, from the source's root.
_INTERPRETER_FILE = re.compile(
    r"(?:/\.building-[^/]+/src|[Pp]ython-?3\.[^/]*|(?:^|/)cpython[^/]*)/(?:.*/)?(?:Include|Objects|Python|Modules|Parser|Programs)/"
)
_INTERPRETER_PATH = re.compile(r"^(?:\./)?(?:Include|Objects|Python|Modules|Parser|Programs)/")
_HARNESS = re.compile(r"racelab/(?:_race\w*\.[ch]|_race\.[\w.-]*so)$|^_race\.[\w.-]*so$")
_TOOL_MODULE = re.compile(r"lib(?:asan|tsan|ubsan|lsan|clang_rt)\b")
_TOOL_FILE = re.compile(r"(?:^|/)(?:libsanitizer|compiler-rt)/")
_TOOL_FUNCTION = re.compile(
    r"_{0,3}interceptor_|__(?:asan|tsan|ubsan|lsan|sanitizer|interceptor)_|"
    r"operator (?:new|delete)\b"
)
#: Functions that a sanitizer replaces. In a program that has its runtime linked in, as clang does it,
#: they carry the program's name and no line.
_REPLACED = re.compile(
    r"(?:(?:m|c|re)alloc|reallocarray|free|posix_memalign|aligned_alloc|memalign|mem(?:cpy|move|set|cmp)|"
    r"str(?:len|n?cpy|n?cat|n?cmp|n?dup|chr|tol)|v?s?n?f?printf|p?read|p?write|recv|send|f?open|f?close|pipe|"
    r"pthread_(?:create|join|detach|once|(?:mutex|rwlock|cond|barrier|spin)_\w+)|sem_\w+)$"
)
#: Functions of the interpreter that fill in the head of a new object.
_MAKERS = ("new_reference", "_Py_NewReference", "_PyObject_Init", "_PyObject_InitVar")
#: Two functions of CPython 3.13 that clash where two threads use a name for the first time, as a key of
#: `PyDict_SetItemString` say: the one makes the string immortal while the other compares it. Not in the
#: file of suppressions: each of the two may also meet what an extension has freed too early.
_INTERNING = {"immortalize_interned", "unicode_eq"}
_SYSTEM_MODULE = re.compile(
    r"(?:libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libc\+\+|ld-linux[\w-]*|ld)"
    r"(?:-[\d.]+)?\.so"
)
_SYSTEM_FILE = re.compile(r"(?:^|/)(?:nptl|csu|sysdeps|malloc|stdlib|string|elf)/[\w./-]+\.[chS]$")
#: Headers that are compiled into whoever includes them: their lines are nobody's own source.
_HEADER = re.compile(
    r"/include/python3|^/usr/(?:local/)?(?:include|lib)/|/lib/clang/|/lib/gcc/|racelab/race_point\.h$"
)


@dataclass(frozen=True)
class Frame:
    """One line of a stack.

    Attributes:
        function: its name, or "" where the sanitizer did not know it.
        file, line: where in the source, or None: there was no symbolizer, or no debug information.
        module: the program or shared library, where the line tells.
    """

    function: str
    file: str | None = None
    line: int | None = None
    module: str | None = None

    @property
    def name(self) -> str:
        """Last part of the file, or of the module where the file is not known."""
        return PurePosixPath(self.file or self.module or "").name

    @property
    def place(self) -> str:
        """ "lost_update_broken.c:31": short, and enough to find it."""
        return f"{self.name}:{self.line}" if self.file and self.line else self.name

    @functools.cached_property
    def owner(self) -> str:
        """ "own", "interpreter", "harness", "tool" or "system"."""
        file, module = self.file or "", self.module or ""
        name = PurePosixPath(module).name
        if _TOOL_FUNCTION.match(self.function) or _TOOL_MODULE.match(name):
            return "tool"
        if _TOOL_FILE.search(file) or (not file and _REPLACED.match(self.function)):
            return "tool"
        if _HARNESS.search(module) or _HARNESS.search(file):
            return "harness"
        if _INTERPRETER_MODULE.match(name) or "/lib-dynload/" in module:
            return "interpreter"
        if _SYSTEM_MODULE.match(name):
            return "system"
        if _HEADER.search(file):
            return "own"  # an installed header, so compiled into an extension
        if _INTERPRETER_FILE.search(file) or (not module and _INTERPRETER_PATH.match(file)):
            return "interpreter"
        if not module and _SYSTEM_FILE.search(file):
            return "system"
        return "own" if file or module else "interpreter"

    @property
    def shown(self) -> str:
        """The function, as its author wrote it: Cython's "__pyx_pf_3mod_7Counter_2bump" is Counter.bump."""
        found = re.match(r"__pyx_(pf|pw|f)_(\d.*)$", self.function)
        if found is None:
            return self.function
        rest = found[2]
        scopes: list[str] = []
        while (scope := re.match(r"\d+", rest)) is not None:
            end = scope.end() + int(scope[0])
            if rest[end : end + 1] != "_":
                break
            if scopes and not rest[scope.end() :].lstrip("_")[:1].isupper():
                break  # "4size_of" is the third function, size_of, rather than of() of a class called size
            scopes.append(rest[scope.end() : end])
            rest = rest[end + 1 :]
        name = re.sub(r"^\d+", "", rest) if found[1] != "f" else rest
        return ".".join([*scopes[1:], name])

    @property
    def header(self) -> bool:
        """Whether the line is in a header that was compiled in: Python's, the compiler's or ours."""
        return bool(self.file and _HEADER.search(self.file))

    def __str__(self) -> str:
        return f"{self.shown or '?'}  {self.place}".strip()


@dataclass(frozen=True)
class Stack:
    """One stack of a report, and what it is the stack of.

    Attributes:
        what: "write of size 8", "atomic read of size 4", "freed", "allocated", "created" and the like.
        role: "access", "allocated", "freed", "created" (a thread), "mutex" (where it was made), "other".
        thread: "T1", "main thread", or "" where it is not said.
        frames: innermost first. Empty where the sanitizer has forgotten them.
        locks: mutexes that were held, as ThreadSanitizer names them ("write M0"), or "".
        subject: what was created: "T1", "M0"; else "".
    """

    what: str
    role: Role
    thread: str = ""
    frames: tuple[Frame, ...] = ()
    locks: str = ""
    subject: str = ""

    @functools.cached_property
    def owners(self) -> tuple[str, ...]:
        """Whose each frame is: a line of a header belongs to the one that it was compiled into."""
        found: list[str] = []
        for frame in reversed(self.frames):
            inherits = frame.header and not frame.module and found
            found.append(found[-1] if inherits else frame.owner)
        return tuple(reversed(found))

    @property
    def top(self) -> Frame | None:
        """The frame that did it: the first that is not the sanitizer's own."""
        return next((f for f, owner in self._owned() if owner != "tool"), None)

    @property
    def by(self) -> str:
        """Whose the frame is that did it; "" where the stack is not known."""
        return next((owner for owner in self.owners if owner != "tool"), "")

    @property
    def own(self) -> Frame | None:
        """The first frame in the extension's own source: not in a header that it includes."""
        ours = [frame for frame, owner in self._owned() if owner == "own"]
        return next((frame for frame in ours if not frame.header), next(iter(ours), None))

    def _owned(self) -> Iterator[tuple[Frame, str]]:
        return zip(self.frames, self.owners, strict=True)

    @property
    def is_write(self) -> bool:
        """Whether the memory was changed: written or freed."""
        return "write" in self.what or "free" in self.what

    @property
    def makes_object(self) -> bool:
        """Whether a new object is made there: what the other access meant was freed before."""
        return any(
            frame.function in _MAKERS and owner == "interpreter"
            for frame, owner in [*self._owned()][:6]
        )

    @property
    def title(self) -> str:
        """ "write of size 8 by T1, holding write M0"."""
        text = f"{self.subject} {self.what}".strip()
        if self.role == "access" and self.makes_object:
            text += " (a new object is made there)"
        if self.thread:
            text += f" by {self.thread}"
        return f"{text}, holding {self.locks}" if self.locks else text


@dataclass(frozen=True)
class Report:
    """One report, taken to pieces.

    Attributes:
        tool: "thread", "address" or "debug".
        kind: "data race", "lock-order-inversion", "heap-use-after-free", "use-after-poison", "SEGV",
            "assertion", "negative refcount", "no thread state" and so on.
        accesses: the stacks that clash: two for a data race, one for a use after free.
        others: who was started where, and who allocated and freed what.
        location: what memory it was about, in the sanitizer's words, or "".
        text: all of the report, as it was written, without colours.
        whole: whether it was written to its end.
        message: what a debug interpreter said.
    """

    tool: Tool
    kind: str
    accesses: tuple[Stack, ...] = ()
    others: tuple[Stack, ...] = ()
    location: str = ""
    text: str = field(default="", repr=False)
    whole: bool = True
    message: str = ""

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """Accesses and others."""
        return (*self.accesses, *self.others)

    @functools.cached_property
    def spot(self) -> Frame | None:
        """The frame that names the report: the extension's own, of a write rather than of a read.

        Which of two accesses comes first in the text is chance; so an access that the extension makes
        itself comes before one that the interpreter makes for it, the use of an object before the making
        of the next one in its memory, one that is not atomic before one that is, a write before a read.
        """
        ranked = sorted(
            (stack for stack in self.accesses if stack.own),
            key=lambda s: (
                s.by != "own",
                s.makes_object,
                s.what.startswith("atomic"),
                not s.is_write,
            ),
        )
        first = ranked[0].own if ranked else None
        if first is None and not any(stack.frames for stack in self.accesses):
            first = next((s.own for s in self.others if s.own and s.role != "mutex"), None)
        return first

    @property
    def own(self) -> bool:
        """Whether the extension has part in it: a frame of an access is its, not the interpreter's."""
        return self.spot is not None

    @property
    def elsewhere(self) -> bool:
        """A data race between two accesses of the interpreter, or of racelab, with nothing of the extension.

        Or one that CPython is known to have with itself, whoever calls it (`known`). It need not be the extension's affair, and is counted, but not FORBIDDEN. Memory that is used after
        it was freed is another thing: the interpreter often is the one that meets what an extension has
        freed too early.
        """
        return self._is_data_race and (not self.own or self.known)

    @property
    def _is_data_race(self) -> bool:
        return self.tool == "thread" and self.kind == "data race" and self.complete

    @property
    def known(self) -> bool:
        """Whether both accesses are CPython's, and are known to clash also where an extension is right."""
        tops = {stack.top.function for stack in self.accesses if stack.top}
        inside = all(stack.by == "interpreter" for stack in self.accesses)
        return self._is_data_race and inside and tops == _INTERNING

    @property
    def complete(self) -> bool:
        """Whether the stacks of all accesses are there."""
        return bool(self.accesses) and all(stack.frames for stack in self.accesses)

    @property
    def label(self) -> str:
        """ "data race in add_one, lost_update_broken.c:31"; what a result counts, and groups by."""
        spot = self.spot
        if spot is not None:
            inside = f" in {spot.shown}" if spot.function else ""
            if self.known:
                inside = f" inside CPython, called from {spot.shown or spot.place}"
            return f"{self.kind}{inside}, {spot.place}" if spot.place else f"{self.kind}{inside}"
        known = [stack for stack in self.accesses if stack.top]
        first = min(
            known, key=lambda s: (s.what.startswith("atomic"), not s.is_write), default=None
        )
        if first is None or first.top is None:
            return self.kind
        where = first.by if first.by in ("harness", "system") else "interpreter"
        return f"{self.kind} in {first.top.shown or first.top.place}, in the {where}"

    @property
    def against(self) -> str:
        """ "write in shelf_put, borrowed_ref_broken.c:53": the access that the label does not name, or ""."""
        places = []
        for stack in self.accesses:
            at = stack.own or stack.top
            if at is not None:
                named = at == self.spot
                inside = "" if stack.own else f", in {_WHOSE.get(stack.by, _WHOSE['interpreter'])}"
                words = stack.what.partition(" of size")[0]
                where = f" in {at.shown}" if at.shown else ""
                places.append((named, f"{words}{where}, {at.place}{inside}"))
        named_once = next((i for i, (named, _) in enumerate(places) if named), 0)
        return "; ".join(text for i, (_, text) in enumerate(places) if i != named_once)

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for reports of the same thing: the kind, and where both accesses were."""
        spots = []
        for stack in self.accesses:
            at = stack.own or stack.top
            spots.append((at.function, at.file, at.line) if at else ("", "", 0))
        if not spots and self.spot:
            spots.append((self.spot.function, self.spot.file, self.spot.line))
        return (self.tool, self.kind, tuple(sorted(spots, key=str)))

    def touches(self, files: Iterable[str | Path]) -> bool:
        """Whether a frame of an access is in one of these files; their folders do not matter."""
        names = {Path(file).name for file in files}
        return any(f.file and f.name in names for stack in self.accesses for f in stack.frames)

    # -- shown ---------------------------------------------------------------------------------------

    def parts(self) -> list[tuple[str, str]]:
        """What, where, who, what memory, since when: (part, text), in this order, those that it has."""
        found = [("what", f"{TOOLS[self.tool]}: {self.kind}" + _after(": ", self.message))]
        found += [("where", _stack_text(stack)) for stack in self.accesses]
        found += [("who", _stack_text(s)) for s in self.others if s.role == "created"]
        if self.location:
            found.append(("what memory", self.location))
        since = [s for s in self.others if s.role in ("allocated", "freed", "mutex", "other")]
        found += [("since when", _stack_text(stack)) for stack in since]
        if not self.whole:
            found.append(("note", "The report was cut off before its end."))
        return found

    def short(self) -> str:
        """The accesses, each with the extension's own lines; the interpreter's are folded."""
        lines = [self.label]
        for stack in self.accesses:
            lines.append(f"  {stack.title}")
            lines += [f"    {line}" for line in _folded(stack)]
        for stack in self.others:
            if stack.role in ("freed", "allocated") and stack.own:
                lines.append(f"  {stack.title}: {stack.own}")
        if self.message:
            lines.append(f"  {self.message}")
        return "\n".join(lines)

    def __str__(self) -> str:
        width = max(len(part) for part, _ in self.parts())
        indent = "\n" + " " * (width + 2)
        return "\n".join(
            f"{part:<{width}}  {text}".replace("\n", indent) for part, text in self.parts()
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Report(...)")

    def _repr_html_(self) -> str:
        return report_html(self)


def _after(separator: str, text: str) -> str:
    return f"{separator}{text}" if text else ""


_WHOSE = {
    "interpreter": "the interpreter",
    "harness": "racelab",
    "system": "the system",
    "tool": "the sanitizer",
}


def _folded(stack: Stack) -> list[str]:
    """Own frames line by line; runs of others as "... 14 frames of the interpreter"."""
    lines: list[str] = []
    run: list[str] = []

    def end_run() -> None:
        if run:
            whose = [words for owner, words in _WHOSE.items() if owner in run]
            noun = "frame" if len(run) == 1 else "frames"
            lines.append(f"... {len(run)} {noun} of {' and '.join(whose)}")
            run.clear()

    shown = list(_without_inner_headers(stack))
    for number, (frame, owner) in enumerate(shown):
        if owner == "own":
            end_run()
            lines.append(str(frame))
        elif number == 0 and owner in ("interpreter", "tool"):
            # Whose the access itself was is told, also where it is not the extension's.
            lines.append(f"{frame}  (of {_WHOSE[owner]})")
        else:
            run.append(owner)
    end_run()
    return lines or ["(the sanitizer has forgotten this stack)"]


def _without_inner_headers(stack: Stack) -> Iterator[tuple[Frame, str]]:
    """Of Py_XINCREF, Py_INCREF and _Py_atomic_..., the one that the source speaks of."""
    owned = list(zip(stack.frames, stack.owners, strict=True))
    for number, (frame, owner) in enumerate(owned):
        following = owned[number + 1] if number + 1 < len(owned) else None
        inner = following is not None and following[0].header and following[1] == "own"
        if not (inner and frame.header and owner == "own"):
            yield frame, owner


def _stack_text(stack: Stack) -> str:
    return "\n".join([stack.title, *(f"  {line}" for line in _folded(stack))])


def report_html(report: Report) -> str:
    """A report as a table whose rows carry the class of their part; the full text is folded."""
    line = "border-top:1px solid color-mix(in srgb, currentColor 25%, transparent)"
    head = f"text-align:left;vertical-align:top;font-weight:600;padding:.2em 1em .2em 0;white-space:nowrap;{line}"
    cell = f"text-align:left;padding:.2em 0;white-space:pre-wrap;overflow-wrap:anywhere;{line}"
    rows = "".join(
        f'<tr class="racelab-report-{part.replace(" ", "-")}" style="background:none">'
        f'<th scope="row" style="{head}">{html.escape(part)}</th><td style="{cell}">'
        f'<code style="background:none;color:inherit;white-space:pre-wrap">{html.escape(text)}</code></td></tr>'
        for part, text in report.parts()
    )
    full = (
        '<details><summary style="opacity:.85">All of it, as it was written</summary>'
        f'<pre style="overflow-x:auto;background:none;color:inherit" tabindex="0">{html.escape(report.text)}</pre></details>'
    )
    return (
        '<div class="racelab-report" style="overflow-x:auto">'
        '<table class="racelab-table" style="border-collapse:collapse;color:inherit;margin:.5em 0">'
        f'<caption style="text-align:left;opacity:.85">{html.escape(report.label)}</caption>'
        f"<tbody>{rows}</tbody></table>{full}</div>"
    )


# ---------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_THREAD_HEAD = re.compile(r"WARNING: ThreadSanitizer: (.+?)(?: \(pid=\d+\))?\s*$")
#: Without the colon a sanitizer speaks of itself: "ERROR: ThreadSanitizer setrlimit() failed 22"; see `unable`.
_ERROR_HEAD = re.compile(r"ERROR: (Address|Thread|Leak)Sanitizer: (.+?)\s*$")
#: Warnings of a ThreadSanitizer that is not content with its memory: it starts again, or says more.
_OF_ITSELF = re.compile(r"unexpected memory mapping|memory layout is incompatible")
_SUMMARY = re.compile(r"SUMMARY: (?:Address|Thread|Leak)Sanitizer: (.+?)\s*$")
_FRAME = re.compile(r"^\s*(?:E\s+)?#(\d+) +(?:0x[.0-9a-f]+ +)?(?:in +)?(.*?)\s*$")
_BUILD_ID = re.compile(r"\s*\(BuildId: [0-9a-f]*\)$")
_MODULE = re.compile(r"\s*\(([^()]*)\+0x[.0-9a-f]+\)$")
_FUNCTION_AND_FILE = re.compile(
    r"^(?P<function>.*?)(?:\s+(?P<file><null>|/.*|\.\.?/.*|[\w.+-]+/\S.*|[\w.+-]+\.\w+(?::\d+){0,2}))?$"
)
_FILE_AND_LINE = re.compile(r"^(.*?)(?::(\d+))?(?::(\d+))?$")

_BY = r"(?:by|in) (?P<thread>main thread|thread T\d+)(?: '[^']*'| \([^)m][^)]*\))?"
_HEADINGS: tuple[tuple[re.Pattern[str], Role, str], ...] = (
    (
        re.compile(
            rf"(?P<what>(?:previous )?(?:atomic )?(?:read|write)(?: of size \d+)?)(?: at 0x[.0-9a-f]+)?(?: {_BY})?"
            r"(?: \(mutexes: (?P<locks>[^)]*)\))?:?$",
            re.IGNORECASE,
        ),
        "access",
        "",
    ),
    (
        re.compile(
            r"(?P<what>(?:READ|WRITE) of size \d+) at 0x[.0-9a-f]+ (?P<thread>thread T\d+)(?: \([^)]*\))?:?$"
        ),
        "access",
        "",
    ),
    (
        re.compile(
            rf"mutex (?P<subject>M\d+) (?P<what>acquired here while holding mutex M\d+) {_BY}:$",
            re.IGNORECASE,
        ),
        "access",
        "",
    ),
    (
        re.compile(r"mutex M\d+ previously acquired by the same thread here:$", re.IGNORECASE),
        "other",
        "acquired before by the same thread",
    ),
    (re.compile(r"and:$"), "access", "and before"),
    (
        re.compile(r"mutex (?P<subject>M\d+) (?:\(\S+\) )?created at:$", re.IGNORECASE),
        "mutex",
        "made",
    ),
    (
        re.compile(
            r"thread (?P<subject>T\d+)(?: '[^']*')?(?: \([^)]*\))? created by (?P<thread>main thread|thread T\d+|T\d+)(?: \([^)]*\))?(?: at| here):$",
            re.IGNORECASE,
        ),
        "created",
        "created",
    ),
    (re.compile(rf"freed {_BY} here:$"), "freed", "freed"),
    (re.compile(rf"(?:previously )?allocated {_BY} here:$"), "allocated", "allocated"),
    (
        re.compile(rf"location is heap block of .*allocated {_BY}:$", re.IGNORECASE),
        "allocated",
        "allocated",
    ),
    (
        re.compile(rf"location is .* created {_BY} at:$", re.IGNORECASE),
        "other",
        "made",
    ),
    (
        re.compile(r"(?P<what>(?:direct|indirect) leak of .*) allocated from:$", re.IGNORECASE),
        "allocated",
        "",
    ),
    (re.compile(r"as if synchronized via sleep:$", re.IGNORECASE), "other", "a sleep before it"),
    (
        re.compile(
            r"address 0x[.0-9a-f]+ is located in stack of (?P<thread>thread T\d+) at offset \d+ in frame$",
            re.IGNORECASE,
        ),
        "other",
        "memory of this call",
    ),
)
#: What AddressSanitizer writes behind its summary.
_AFTER_SUMMARY = re.compile(
    r"^$|^\s*#\d+ |^Thread T\d+ .*created by|^Shadow byte|^(?:  |=>)0x|^  [A-Z][\w ]+:\s|^==\d+==|^  \w[\w ]+:  "
)
_LOCATION = re.compile(
    r"^\s*((?:Location is|0x[.0-9a-f]+ is located|Address 0x[.0-9a-f]+ (?:is|may)) .*?):?\s*$"
)
_SIGNAL = re.compile(r"The signal is caused by a (READ|WRITE|UNKNOWN) memory access")
_CYCLE = re.compile(r"^\s*Cycle in lock order graph: (.*)$")

_CPYTHON_ASSERTION = re.compile(
    r"^(?P<file>[^\s:][^:]*):(?P<line>\d+): (?P<function>\w+): Assertion (?:\"(?P<expression>.*)\" failed(?:: (?P<more>.*))?|failed: (?P<message>.*))$"
)
_LIBC_ASSERTION = re.compile(
    r"^(?:[^\s:]+: )?(?P<file>[^\s:][^:]*):(?P<line>\d+): (?P<function>[^:]+): Assertion [`'](?P<expression>.*)' failed\.$"
)
_FATAL = re.compile(r"Fatal Python error: (?:(?P<function>\w+): )?(?P<message>.*)$")
_PYTHON_FRAME = re.compile(
    r'^\s*File "(?P<file>[^"]*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$'
)
#: What faulthandler says of a signal: no report, the signal is the outcome.
_OF_A_SIGNAL = (
    "Aborted",
    "Segmentation fault",
    "Bus error",
    "Illegal instruction",
    "Floating-point exception",
    "Floating point exception",
)


def parse(text: str) -> list[Report]:
    """All reports in a text, in the order in which they were begun; nothing else of it matters.

    Colours, other output between the lines, and a report that ends in the middle are taken as they come;
    so are the addresses of a cleaned transcript, "0x..07" (see `outside.clean`).
    Of a flood the first 200 are read, and of each report the first 20,000 characters are kept.
    """
    found: list[_Reading] = []
    now: _Reading | None = None
    before: list[str] = []  # lines that may belong to a debug interpreter's report to come
    for raw in _COLOUR.sub("", text).splitlines():
        line = raw.rstrip()
        begun = _begin(line, now, before)
        if begun is not None:
            if len(found) == REPORTS:
                break
            found.append(begun)
            now = begun
            before = []
        elif now is not None:
            if not now.take(line):
                now = None
        elif line.startswith("Debug memory block at"):
            before = [line]
        elif before:
            before = [*before, line] if len(before) < 40 else []
    return [reading.report() for reading in found]


def gravest(reports: Iterable[Report]) -> Report | None:
    """The one that names an outcome: the first of a sanitizer that is not `elsewhere`, else the first."""
    found = [report for report in reports if report.tool != "debug"]
    return next((report for report in found if not report.elsewhere), next(iter(found), None))


def dedupe(reports: Iterable[Report]) -> list[tuple[Report, int]]:
    """Reports of the same thing as one, with their number; in the order of their first."""
    first: dict[tuple[Any, ...], Report] = {}
    count: dict[tuple[Any, ...], int] = {}
    for report in reports:
        first.setdefault(report.key, report)
        count[report.key] = count.get(report.key, 0) + 1
    return [(report, count[key]) for key, report in first.items()]


@dataclass(frozen=True)
class Group:
    """Distinct reports of one label: the same access, against others.

    Attributes:
        label: what they have in common.
        found: each of them, with its number.
    """

    label: str
    found: tuple[tuple[Report, int], ...]

    @property
    def count(self) -> int:
        """How many there were of all of them."""
        return sum(count for _, count in self.found)

    @property
    def elsewhere(self) -> bool:
        """Whether the extension has no part in any of them."""
        return all(report.elsewhere for report, _ in self.found)

    def counterparts(self) -> list[tuple[str, int]]:
        """What the named access clashed with, and how often, most often first."""
        counts: dict[str, int] = {}
        for report, count in self.found:
            if report.against:
                counts[report.against] = counts.get(report.against, 0) + count
        return sorted(counts.items(), key=lambda item: -item[1])

    def short(self) -> str:
        """The first in short, and what the others clashed with, where they are more than one."""
        others = self.counterparts()
        said = [f"  against {text} ({_times(count)})" for text, count in others]
        return "\n".join([self.found[0][0].short(), *(said if len(others) > 1 else [])])


def _times(count: int) -> str:
    return f"{count:,} {'time' if count == 1 else 'times'}"


def by_label(found: Iterable[tuple[Report, int]]) -> list[Group]:
    """Distinct reports with their numbers, those of one label together; in the order of their first."""
    groups: dict[tuple[str, str], list[tuple[Report, int]]] = {}
    for report, count in found:
        groups.setdefault((report.tool, report.label), []).append((report, count))
    return [Group(label, tuple(each)) for (_, label), each in groups.items()]


class _Reading:
    """A report while it is read, line by line."""

    def __init__(self, tool: Tool, kind: str, head: str) -> None:
        self.tool = tool
        self.kind = kind
        self.lines = [head]
        self.size = len(head)
        self.stacks: list[_StackReading] = []
        self.current: _StackReading | None = None
        self.location = ""
        self.message = ""
        self.whole = False
        self.ending = False

    def take(self, line: str) -> bool:
        """Add a line; False when the report has ended, with or before this line."""
        if self.tool == "debug":
            return self._take_debug(line)
        if re.match(r"^={10,}$", line):
            return len(self.lines) == 1
        if self.ending and not _AFTER_SUMMARY.match(line):
            return False
        self._keep(line)
        if _SUMMARY.search(line):
            self.whole = True
            self.ending = True
            return self.tool == "address"  # which goes on with its shadow memory
        self._read(line)
        return "==ABORTING" not in line and "nested bug" not in line

    def _keep(self, line: str) -> None:
        self.size += len(line) + 1
        if self.size <= TEXT:
            self.lines.append(line)

    def _read(self, line: str) -> None:
        frame = _FRAME.match(line)
        if frame is not None:
            self._frame(int(frame[1]), frame[2])
            return
        said = line.strip().removeprefix("E ").strip()
        signal = _SIGNAL.search(said)
        if signal is not None:
            self._begin_stack(_StackReading(signal[1].lower(), "access"))
            return
        cycle = _CYCLE.match(line)
        if cycle is not None:
            self.message = re.sub(r" \(0x[.0-9a-f]+\)", "", cycle[1])
            return
        place = _LOCATION.match(line)
        if place is not None and not self.location:
            self.location = place[1]
        for pattern, role, what in _HEADINGS:
            heading = pattern.match(said)
            if heading is None:
                continue
            groups = heading.groupdict()
            words = (what or groups.get("what") or "").lower().removeprefix("previous ")
            self._begin_stack(
                _StackReading(
                    re.sub(r"\bm(\d+)\b", r"M\1", words),
                    role,
                    (groups.get("thread") or "").removeprefix("thread "),
                    groups.get("locks") or "",
                    groups.get("subject") or "",
                )
            )
            return

    def _begin_stack(self, stack: _StackReading) -> None:
        self.stacks.append(stack)
        self.current = stack

    def _frame(self, number: int, rest: str) -> None:
        if self.current is None or (number == 0 and self.current.frames):
            # A stack without a heading: what the head line itself speaks of.
            self._begin_stack(_StackReading("" if self.stacks else self._deed(), "access"))
            self.stacks[-1].thread = self._thread() if len(self.stacks) == 1 else ""
        assert self.current is not None
        self.current.frames.append(_frame(rest))

    def _deed(self) -> str:
        return {"double-free": "free", "bad-free": "free", "SEGV": "access"}.get(
            self.kind, self.kind
        )

    def _thread(self) -> str:
        found = re.search(r"\bthread (T\d+)|\((?:.*\s)?(T\d+)\)$", self.lines[0])
        return (found[1] or found[2]) if found else ""

    # -- a debug interpreter ---------------------------------------------------------------------------

    def _take_debug(self, line: str) -> bool:
        fatal = _FATAL.search(line)
        frame = _PYTHON_FRAME.match(line)
        if fatal is not None:
            self._keep(line)
        elif frame is not None:
            if self.current is not None and self.current.role == "other":
                number = int(frame["line"]) if frame["line"].isdigit() else None
                self.current.frames.append(Frame(frame["function"], frame["file"], number))
            self._keep(line)
        elif re.match(r"^(?:Current thread|Thread) 0x", line):
            who = "current thread" if line.startswith("Current") else "another thread"
            self._begin_stack(_StackReading(f"Python's stack of the {who}", "other"))
            self._keep(line)
        elif line.startswith("Extension modules:"):
            self._keep(line)
            self.whole = True
            return False
        elif self.current is not None and line.strip() and not line.startswith("  "):
            self.whole = True
            return False
        else:
            self._keep(line)
        return len(self.lines) < 400

    def report(self) -> Report:
        """What was read."""
        stacks = [stack.stack() for stack in self.stacks]
        return Report(
            tool=self.tool,
            kind=self.kind,
            accesses=tuple(s for s in stacks if s.role == "access"),
            others=tuple(s for s in stacks if s.role != "access"),
            location=self.location,
            text="\n".join(self.lines).rstrip(),
            whole=self.whole or (self.tool == "debug" and self.current is not None),
            message=self.message,
        )


class _StackReading:
    def __init__(
        self, what: str, role: Role, thread: str = "", locks: str = "", subject: str = ""
    ) -> None:
        self.what = what
        self.role: Role = role
        self.thread = thread
        self.locks = locks
        self.subject = subject
        self.frames: list[Frame] = []

    def stack(self) -> Stack:
        return Stack(
            self.what, self.role, self.thread, tuple(self.frames), self.locks, self.subject
        )


def _begin(line: str, now: _Reading | None, before: Sequence[str]) -> _Reading | None:
    """A report that this line begins, if it begins one."""
    thread = _THREAD_HEAD.search(line)
    if thread is not None and not _OF_ITSELF.match(thread[1]):
        kind = re.sub(r"\s*\([^)]*\)$", "", thread[1]).strip()
        return _Reading("thread", kind, line[thread.start() :])
    error = _ERROR_HEAD.search(line)
    if error is not None:
        tool: Tool = "thread" if error[1] == "Thread" else "address"
        head = re.search(r"==\d+==\s?ERROR", line)
        return _Reading(tool, _kind(error[2]), line[head.start() if head else error.start() :])
    return _begin_debug(line, now, before)


def _kind(said: str) -> str:
    """A short name, which is the one of the summary, from what the head line of an error says."""
    for words, kind in (
        ("attempting double-free", "double-free"),
        ("attempting free on address which was not", "bad-free"),
        ("requested allocation size", "allocation-size-too-big"),
        ("detected memory leaks", "memory leak"),
        ("allocator is out of memory", "out-of-memory"),
        ("out of memory", "out-of-memory"),
    ):
        if said.startswith(words):
            return kind
    found = re.match(r"[A-Za-z][\w-]*", said)
    return found[0] if found else said


def _begin_debug(line: str, now: _Reading | None, before: Sequence[str]) -> _Reading | None:
    inside = now is not None and now.tool == "debug"
    for pattern in (_CPYTHON_ASSERTION, _LIBC_ASSERTION):
        failed = pattern.match(line)
        if failed is None:
            continue
        groups = failed.groupdict()
        said = groups.get("message") or groups.get("more") or groups.get("expression") or ""
        negative = "NegativeRefcount" in failed["function"] or "negative ref count" in said
        reading = _Reading("debug", "negative refcount" if negative else "assertion", line)
        # The function that CPython names is the one that checks, not the one that is wrong.
        function = "" if failed["function"].startswith("_Py_Neg") else failed["function"]
        reading.message = said
        stack = _StackReading("object dropped too often" if negative else "assertion", "access")
        stack.frames.append(Frame(function, failed["file"], int(failed["line"])))
        reading.stacks.append(stack)
        return reading
    fatal = _FATAL.search(line)
    if fatal is None or (inside and now is not None and now.current is None):
        return None
    said, function = fatal["message"], fatal["function"] or ""
    if not function and said.startswith(_OF_A_SIGNAL):
        return None
    reading = _Reading("debug", _fatal_kind(function, said), "\n".join([*before, line]))
    reading.message = said
    if function:
        stack = _StackReading("fatal error", "access")
        stack.frames.append(Frame(function))
        reading.stacks.append(stack)
    return reading


def _fatal_kind(function: str, said: str) -> str:
    for words, kind in (
        ("the function must be called with", "no thread state"),
        ("returned NULL without setting", "no exception set"),
        ("returned a result with an exception set", "exception left behind"),
        ("pad byte", said),
        ("bad ID", "memory freed by another allocator"),
    ):
        if words in said:
            return kind
    return "negative refcount" if "NegativeRefcount" in function else "fatal error"


def _frame(rest: str) -> Frame:
    """A frame from what stands behind its number and address."""
    rest = _BUILD_ID.sub("", rest)
    module = None
    found = _MODULE.search(rest)
    if found is not None:
        module = found[1]
        rest = rest[: found.start()]
    parts = _FUNCTION_AND_FILE.match(rest.strip())
    function = (parts["function"] if parts else rest).strip()
    file: str | None = parts["file"] if parts else None
    line = None
    if file == "<null>":
        file = None
    if file:
        place = _FILE_AND_LINE.match(file)
        if place is not None:
            file = place[1]
            line = int(place[2]) if place[2] else None
    return Frame("" if function == "<null>" else function, file, line, module or None)


# ---------------------------------------------------------------------------------------------------
# What a sanitizer needs to know before it starts
# ---------------------------------------------------------------------------------------------------

#: CPython's own races, with the reason of each; see there.
SUPPRESSIONS = Path(__file__).with_name("tsan_suppressions.txt")


#: The version of LLVM that the book is made with.
LLVM = 19


def symbolizer() -> str | None:
    """The program that gives the reports of clang's sanitizers their files and lines, or None.

    Without one their frames carry names of exported functions only, and suppressions by function do not
    work. gcc's sanitizers read debug information by themselves and need none.

    Asked are RACELAB_LLVM_SYMBOLIZER, TSAN_SYMBOLIZER_PATH, as the sanitizer itself does it,
    `llvm-symbolizer-19`, whose version is that of the compiler that the book is made with, `llvm-symbolizer`
    on PATH, and other versions' names, which a distribution's package of one version brings. See
    `symbolizer_option` for those that the sanitizer does not find by itself.
    """
    named = os.environ.get("RACELAB_LLVM_SYMBOLIZER") or os.environ.get("TSAN_SYMBOLIZER_PATH")
    if named:
        return shutil.which(named)
    usual = shutil.which(f"llvm-symbolizer-{LLVM}") or shutil.which("llvm-symbolizer")
    if usual:
        return usual
    versions: list[tuple[int, str]] = []
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for path in Path(folder or ".").glob("llvm-symbolizer-*"):
            number = path.name.removeprefix("llvm-symbolizer-")
            if number.isdigit() and os.access(path, os.X_OK):
                versions.append((int(number), str(path)))
    return max(versions)[1] if versions else None


def symbolizer_option() -> list[str]:
    """The word of TSAN_OPTIONS that names the symbolizer, where ThreadSanitizer would look for none of its name."""
    found = symbolizer()
    alone = found is None or found == shutil.which("llvm-symbolizer")
    return [] if alone else [f'external_symbolizer_path="{found}"']


def sanitizer_options(sanitizer: str, given: str = "") -> dict[str, str]:
    """Environment for a child under a sanitizer: {"TSAN_OPTIONS": ...} or {"ASAN_OPTIONS": ...}.

    A sanitizer takes the last of two options of one name. Ours come first, then those that the user
    gave, so that `TSAN_OPTIONS="suppressions=mine.txt"` or `halt_on_error=1` is obeyed; last come the
    two that we read the outcome from, `log_path` (reports on stderr, where they are looked for) and
    `exitcode` (66). What is set:

    - thread: `halt_on_error=0`, so that a race in CPython does not hide the extension's; ours
      `suppressions`, and `print_suppressions=1`, so that they are counted; `second_deadlock_stack=1`;
      `history_size=4`, so that fewer stacks are forgotten; `external_symbolizer_path` where the symbolizer
      has a version in its name.
    - address: `detect_leaks=0` (an interpreter leaves much behind at its end).
    - both: `handle_segv=2` and `handle_sigbus=2`: a crash is reported with its native stack, which
      faulthandler would hide; `allocator_may_return_null=1`: a size that is too big is NULL, as without
      a sanitizer, and code that handles it goes on.

    Args:
        sanitizer: "thread" or "address".
        given: what the user has in TSAN_OPTIONS or ASAN_OPTIONS.
    """
    ours = ["handle_segv=2", "handle_sigbus=2", "allocator_may_return_null=1"]
    if sanitizer == "thread":
        ours += ["halt_on_error=0", f'suppressions="{SUPPRESSIONS}"']
        ours += ["print_suppressions=1", "second_deadlock_stack=1", "history_size=4"]
        ours += symbolizer_option()
    else:
        ours += ["detect_leaks=0"]
    name = "TSAN_OPTIONS" if sanitizer == "thread" else "ASAN_OPTIONS"
    return {name: " ".join([*ours, *([given] if given else []), "log_path=stderr", "exitcode=66"])}


#: What a sanitizer says where it cannot start, or has no memory for itself, and what to do about it.
_UNABLE = (
    (
        re.compile(
            r"ThreadSanitizer:? (?:unexpected(?:ly found incompatible)? memory|memory layout is incompatible|"
            r"can not mmap the shadow)|ADDR_NO_RANDOMIZE|Shadow memory range interleaves"
        ),
        "memory lies where the sanitizer needs its own: run `sudo sysctl vm.mmap_rnd_bits=28`, "
        "on the host if this is a container",
    ),
    (
        re.compile(
            r"Sanitizer [gs]etrlimit\(\) failed|Sanitizer:?(?: out of memory:)? failed to \w+(?: \w+)? 0x|"
            r"ReserveShadowMemoryRange failed"
        ),
        "it may not have the memory that it needs: raise the limit (`ulimit -v`, `ulimit -d`, a container's)",
    ),
    (
        re.compile(r"ASan runtime does not come first|linked against incompatible ASan runtimes"),
        "another library comes before the sanitizer's: unset LD_PRELOAD",
    ),
)


def unable(text: str) -> str:
    """Why a sanitizer itself could not go on, and what to do, from what it wrote; "" where it says no such thing.

    That is no report on the program, and says nothing about the code. Warnings do not count: after
    "memory layout is incompatible" ThreadSanitizer starts again, mostly with success.
    """
    for line in reversed(_COLOUR.sub("", text).splitlines()):
        for pattern, cure in _UNABLE:
            if pattern.search(line) and "WARNING: " not in line:
                said = re.sub(r"^==\d+==|^(?:ERROR|FATAL): ", "", line.strip())
                return f"The sanitizer says {said.removeprefix('ERROR: ')!r}; {cure}."
    return ""


_MATCHED = re.compile(r"^\s*(\d+) (\w+:\S.*)$")


def suppressed(text: str) -> dict[str, int]:
    """Which lines of a suppressions file hid how many reports: what ThreadSanitizer writes at its end."""
    found: dict[str, int] = {}
    counting = False
    for line in _COLOUR.sub("", text).splitlines():
        if "ThreadSanitizer: Matched" in line and "suppressions" in line:
            counting = True
            continue
        matched = _MATCHED.match(line) if counting else None
        counting = matched is not None
        if matched is not None:
            found[matched[2]] = found.get(matched[2], 0) + int(matched[1])
    return found
