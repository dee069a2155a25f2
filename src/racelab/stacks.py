"""Stacks, read from what gdb and lldb print: whose frames they are, and which of them matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MARK", "Frame", "Thread", "read_gdb", "read_lldb"]

#: Frames of the interpreter that are shown above the extension's, and of a thread that is not in it.
INNER_FRAMES = 5
OTHER_FRAMES = 2
#: Begins each part of a debugger's output that is read here.
MARK = "@@racelab"
#: What Cython calls the sources of the C code that it adds of its own.
CYTHONS = ("cython_utility", "(tree fragment)", "stringsource")


@dataclass(frozen=True)
class Frame:
    """One frame of a C stack.

    Attributes:
        number: 0 is the innermost.
        function, arguments: as the debugger prints them.
        file, line: of its source, where known: the file's name alone.
        kind: "extension", "core" (racelab's), "interpreter" or "system".
    """

    number: int
    function: str
    arguments: str
    file: str
    line: int | None
    kind: str

    @property
    def place(self) -> str:
        """Function, file and line."""
        where = (
            f" at {self.file}:{self.line}" if self.line else f" in {self.file}" * bool(self.file)
        )
        return f"{self.function}{where}"

    def __str__(self) -> str:
        called = f"{self.function}({_short(self.arguments)})"
        return f"#{self.number:<2} {called}{self.place[len(self.function) :]}"


def _short(arguments: str, width: int = 90) -> str:
    """Arguments without those that the compiler has thrown away."""
    parts = re.sub(_THROWN_AWAY, "", arguments).rstrip(", ")
    return parts if len(parts) <= width else parts[:width].rstrip() + " ..."


@dataclass(frozen=True)
class Thread:
    """One thread of a stopped program.

    Attributes:
        number: the debugger's.
        current: whether it is the one that stopped the program.
        frames: innermost first.
        python: its Python frames, "name (file:line)", innermost first; racelab's own left out.
    """

    number: int
    current: bool
    frames: tuple[Frame, ...]
    python: tuple[str, ...] = ()

    @property
    def extension(self) -> tuple[Frame, ...]:
        """Its frames in the module under study."""
        return tuple(frame for frame in self.frames if frame.kind == "extension")

    @property
    def waits(self) -> str:
        """The address of the lock that it waits for, or ""."""
        for frame in self.frames[:12]:
            found = _WAITS.match(frame.function)
            if found and frame.kind != "extension":
                lock = re.search(
                    r"\b(?:m|mutex|lock|rwlock|sem|addr)=(?:m@entry=)?(0x[0-9a-f]+)",
                    frame.arguments,
                )
                if lock:
                    return f"{int(lock[1], 16):#x}"
        return ""

    def lines(self) -> list[str]:
        """Its stack from the extension up, the rest folded to a count."""
        lines: list[str] = []
        before = 0
        for number, frame in enumerate(self.frames):
            if frame.kind != "extension":
                continue
            between = self.frames[before:number]
            # The innermost frames say what failed, those next to the extension what it had asked for.
            # Of a thread that waits, how the lock function does it is nobody's affair.
            first = 2 if before == 0 and not self.waits else 0
            last = 0 if before else 1 if self.waits else INNER_FRAMES - 2
            lines += _folded(between, first, last)
            lines.append(str(frame))
            before = number + 1
        rest = self.frames[before:]
        lines += _folded(rest, 0 if before else OTHER_FRAMES, 0)
        if self.python:
            lines.append("Python: " + ", called by ".join(self.python[:3]))
        return lines


def _folded(frames: Sequence[Frame], first: int, last: int) -> list[str]:
    """The first and the last of some frames, and a count of those between."""
    if len(frames) <= first + last:
        return [str(frame) for frame in frames]
    middle = frames[first : len(frames) - last]
    kinds = {frame.kind for frame in middle}
    whose = "racelab's core and the interpreter" if "core" in kinds else "the interpreter"
    if kinds == {"system"}:
        whose = "libraries"
    word = "frame" if len(middle) == 1 else "frames"
    end = frames[len(frames) - last :] if last else ()
    return [
        *(str(frame) for frame in frames[:first]),
        f"... {len(middle)} {word} of {whose}",
        *(str(frame) for frame in end),
    ]


_WAITS = re.compile(
    r"_?Py(?:Raw)?Mutex_Lock\w*|_PyMutex_LockTimed|_PyCriticalSection\w*Begin\w*|_PySemaphore_Wait\w*|_PyParkingLot_Park"
    r"|_*(?:GI_*)*_*pthread_(?:mutex|rwlock|cond)_\w*(?:lock|wait)\w*|PyThread_acquire_lock\w*|futex_\w+|_*lll_lock_wait\w*"
)
_GDB_FRAME = re.compile(
    r"^#(?P<n>\d+)\s+(?:0x[0-9a-f]+ in )?(?P<fn>\S.*\))"
    r"(?: at (?P<file>[^:]+):(?P<line>\d+)| from (?P<lib>.+))?$"
)
_GDB_THREAD = re.compile(r"^Thread (?P<n>\d+) \(.*\):?$")
_GDB_PYTHON = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<fn>.+)$')
_LLDB_FRAME = re.compile(
    r"^\s*\*? frame #(?P<n>\d+): 0x[0-9a-f]+ (?P<lib>[^`]+)`(?P<fn>.+?)"
    r"(?: at (?P<file>[^:]+):(?P<line>\d+)(?::\d+)?)?(?: \[(?:opt|artificial|inlined)\])*$"
)
#: Brackets in a C++ name that open nothing, and the arguments that follow a name.
_NO_BRACKETS = re.compile(
    r"\boperator ?(?:\(\)|\[\]|<=>|<<=?|>>=?|->\*?|[<>]=?)|\((?:anonymous namespace|anonymous|null)\)"
)
_PARAMETERS = re.compile(r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)(?: const)?$")
_THROWN_AWAY = re.compile(r"(?:\(null\)|[\w#]+)=<(?:optimized out|unavailable)>(?:, )?")
_LLDB_THREAD = re.compile(r"^(?P<star>[* ]) thread #(?P<n>\d+)(?:,|$)")


def _call(text: str, opens: str) -> tuple[str, str]:
    """Name and arguments of a call, either of which may hold brackets in C++: `opens` is what stands between them."""
    plain = _NO_BRACKETS.sub(lambda found: "_" * len(found[0]), text)
    depth = 0
    for at, sign in enumerate(plain):
        if depth == 0 and plain.startswith(opens, at):
            name = text[:at]
            closed = plain.rfind(")") if opens == " (" else _closing(plain, at)
            return _without_parameters(name), text[at + len(opens) : closed]
        depth += (sign in "(<{[") - (sign in ")>}]")
    return text, ""


def _closing(text: str, begin: int) -> int:
    """Where the bracket at `begin` is closed, or the end."""
    depth = 0
    for at in range(begin, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return len(text)


def _without_parameters(name: str) -> str:
    """Without the types of its parameters, which gdb gives where two functions have one name."""
    short = _PARAMETERS.sub("", name)
    return name if not short or short.endswith("operator") else short


def _is_of(name: str, extension: set[str]) -> bool:
    """Whether a source is the extension's: its own, or what Cython has made of one."""
    if name in extension:
        return True
    made = Path(name).suffix in (".c", ".cpp") and f"{Path(name).stem}.pyx" in extension
    return made or (name in CYTHONS and any(f.endswith(".pyx") for f in extension))


def _is_library(library: str, extension: set[str]) -> bool:
    return Path(library).name.split(".")[0] in {Path(f).stem for f in extension}


def _kind(file: str, library: str, extension: set[str]) -> str:
    name = Path(file).name
    if _is_of(name, extension) or _is_library(library, extension):
        return "extension"
    if name.startswith("_race"):
        return "core"
    if re.search(r"^(?:\./)?(?:Python|Objects|Modules|Include|Parser|Programs)/", file):
        return "interpreter"
    return "interpreter" if Path(library).name.startswith(("python", "libpython")) else "system"


def read_gdb(text: str, extension: set[str]) -> list[Thread]:
    """The threads in what `thread`, `thread apply all bt` and `thread apply all py-bt` have printed."""
    parts = text.split(f"{MARK} ")
    by_name = {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in parts[1:]}
    current = re.search(r"Current thread is (\d+)", by_name.get("current", ""))
    python: dict[int, list[str]] = {}
    number = 0
    for line in by_name.get("python", "").splitlines():
        if found := _GDB_THREAD.match(line):
            number = int(found["n"])
        elif (found := _GDB_PYTHON.match(line)) and not _is_ours(found["file"]):
            python.setdefault(number, []).append(
                f"{found['fn']} ({Path(found['file']).name}:{found['line']})"
            )
    stacks: dict[int, list[Frame]] = {}
    number = 0
    for line in by_name.get("stacks", "").splitlines():
        if found := _GDB_THREAD.match(line):
            number = int(found["n"])
            stacks[number] = []
        elif number and (found := _GDB_FRAME.match(line)):
            stacks[number].append(_frame(found, *_call(found["fn"], " ("), extension))
    return [
        Thread(n, current is not None and n == int(current[1]), tuple(f), tuple(python.get(n, ())))
        for n, f in stacks.items()
    ]


def _frame(found: re.Match[str], function: str, arguments: str, extension: set[str]) -> Frame:
    file, library = found["file"] or "", found["lib"] or ""
    kind = _kind(file, library, extension)
    shown = Path(file).name if kind in ("extension", "core") else _tail(file) or Path(library).name
    return Frame(
        int(found["n"]),
        function,
        arguments,
        shown,
        int(found["line"]) if found["line"] else None,
        kind,
    )


def _tail(file: str) -> str:
    """A path as the interpreter's sources have it; of an absolute one the last two parts."""
    return "/".join(Path(file).parts[-2:]) if file.startswith("/") else file.removeprefix("./")


def _is_ours(file: str) -> bool:
    return Path(file).name in ("debuggee.py", "threading.py") or "/race_" in file


def read_lldb(text: str, extension: set[str]) -> list[Thread]:
    """The threads in what `bt all` has printed last."""
    text = text[text.rfind(f"{MARK} stacks") :]
    stacks: dict[int, list[Frame]] = {}
    holders: dict[int, str] = {}
    current = number = 0
    for line in text.splitlines():
        if found := _LLDB_THREAD.match(line):
            number = int(found["n"])
            current = number if found["star"] == "*" else current
            stacks[number], holders = [], {}
        elif number and (found := _LLDB_FRAME.match(line)):
            _add_lldb(stacks[number], holders, found, extension)
    return [Thread(n, n == current, tuple(f)) for n, f in stacks.items()]


def _add_lldb(
    stack: list[Frame], holders: dict[int, str], found: re.Match[str], extension: set[str]
) -> None:
    """Add a frame; before it the function that the last one was inlined into, where lldb has left it out."""
    outer, inlined, inner = found["fn"].partition(" [inlined] ")
    holder, arguments = _call(outer, "(")
    function = holder
    if inlined:
        function, arguments = _call(inner, "(")
    if function.endswith("::"):  # lldb has lost the name
        function += "?"
    last = stack[-1] if stack else None
    left_out = holders.get(last.number) if last else None
    if last and left_out and last.kind == "extension" and left_out not in (holder, function):
        stack.append(Frame(last.number, left_out, "", last.file, None, "extension"))
    file = found["file"] or ""
    # lldb gives a source's name without its folder; what a header has put into it is not the extension's.
    foreign = not _is_of(Path(file).name, extension) and _is_library(found["lib"], extension)
    kind = _kind(file, "" if file and foreign else found["lib"], extension)
    line = int(found["line"]) if found["line"] else None
    stack.append(Frame(int(found["n"]), function, arguments, file or found["lib"], line, kind))
    if inlined:
        holders[int(found["n"])] = holder
