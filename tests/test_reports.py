"""Reports of sanitizers and debug interpreters: recorded ones of several tools, and real ones.

What is in tests/reports/ was written by the tool that its first line names, with the folders of the
machine renamed; Debian 12 has gcc 12 and clang 14, 16, 19 and 22 in its archive.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from racelab import (
    Built,
    Lab,
    RaceError,
    Result,
    compile,
    find_lab,
    outside,
    race,
    racing,
    reports,
    run_child,
    toolbox,
)
from racelab.lab import FORBIDDEN, INTERESTING
from racelab.reports import Frame, Report, Stack, dedupe, gravest, parse
from racelab.result import KEPT, merge

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "tests" / "reports"


def recorded(name: str) -> str:
    return (REPORTS / f"{name}.txt").read_text()


def one(name: str) -> Report:
    (report,) = parse(recorded(name))
    return report


# -- recorded reports: what, where ------------------------------------------------------------------

BOTH = ("gcc12", "clang19")
NAMED = {
    "thread-*-race": "data race in add_one, races.c:14",
    "thread-*-lock-order": "lock-order-inversion in forward, races.c:28",
    "thread-*-segv": "SEGV in main, races.c:98",
    "address-*-use-after-free": "heap-use-after-free in look, memory.c:21",
    "address-*-heap-overflow": "heap-buffer-overflow in look, memory.c:21",
    "address-*-global-overflow": "global-buffer-overflow in look, memory.c:21",
    "address-*-stack-overflow": "stack-buffer-overflow in look, memory.c:21",
    "address-*-use-after-poison": "use-after-poison in look, memory.c:21",
    "address-*-segv": "SEGV in look, memory.c:21",
    "address-*-too-big": "allocation-size-too-big in main, memory.c:65",
    "address-*-memcpy": "heap-buffer-overflow in main, memory.c:68",
    "address-gcc12-double-free": "double-free in let_go, memory.c:16",
    "address-clang19-double-free": "double-free in main, memory.c:56",  # let_go was folded into it
    "address-gcc12-bad-free": "bad-free in let_go, memory.c:16",
    "address-clang19-bad-free": "bad-free in main, memory.c:62",
    "address-gcc12-leak": "memory leak in make, memory.c:11",
    "address-clang19-leak": "memory leak in main, memory.c:33",
    "address-gcc12-borrowed_weakref_broken": "use-after-poison in take_lamp, borrowed_weakref_broken.c:43",
    "address-gcc12-borrowed_dict_segv": "SEGV in menu_ask, borrowed_dict_broken.c:49",
    "thread-clang19-race-with-free": "data race in let_go, races.c:51",
    "thread-clang19-nested-bug": "SEGV",
    "thread-clang19-no-symbolizer": "data race, races_clang-19",
    "debug-assertion": "assertion in cast, wrong.c:17",
    "debug-negative-refcount": "negative refcount, wrong.c:10",
    "debug-no-thread-state": "no thread state in _Py_object_freelists_GET, in the interpreter",
    "debug-no-exception": "no exception set in _Py_CheckFunctionResult, in the interpreter",
    "debug-pad-byte": "bad trailing pad byte in _PyMem_DebugRawFree, in the interpreter",
}
#: Versions before and behind; of them not all is kept. Their programs are tests/reports/races.c and memory.c.
OTHERS = ("clang14", "clang16", "clang22")
OF_OTHERS = (
    *("thread-*-race", "thread-*-lock-order", "thread-*-segv", "address-*-use-after-free"),
    *(
        "address-*-heap-overflow",
        "address-*-global-overflow",
        "address-*-segv",
        "address-*-too-big",
    ),
)
ALL = (*BOTH, *OTHERS)
CASES = [
    *(
        (name.replace("*", tool), label)
        for name, label in NAMED.items()
        for tool in (BOTH if "*" in name else ("",))
    ),
    *((name.replace("*", tool), NAMED[name]) for name in OF_OTHERS for tool in OTHERS),
    ("address-clang14-double-free", "double-free in drop, memory.c:15"),
    ("address-clang16-double-free", "double-free in main, memory.c:49"),  # drop was folded into it
    ("address-clang22-double-free", "double-free in main, memory.c:49"),
]


@pytest.mark.parametrize(("name", "label"), CASES, ids=[name for name, _ in CASES])
def test_a_report_is_named_by_kind_and_place(name: str, label: str) -> None:
    report = one(name)

    assert report.label == label
    assert report.tool == name.partition("-")[0]
    assert report.own == ("interpreter" not in label and label != "SEGV")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("thread-clang19-lost_update_broken", {"data race in add_one, lost_update_broken.c:31"}),
        ("thread-pytest-colours", {"data race in add_one, lost_update_broken.c:31"}),
        (
            "thread-clang19-cy_counter_broken",
            {"data race in Counter.add_one, cy_counter_broken.c:2846"},
        ),
        (
            "thread-clang19-lost_update_cpp_broken",
            {"data race in Tally::add_one(), lost_update_cpp_broken.cpp:27"},
        ),
        (
            "thread-clang19-borrowed_ref_broken",
            {
                "data race in take_first, borrowed_ref_broken.c:30",
                "data race in take_first, borrowed_ref_broken.c:32",
                "data race in shelf_first, borrowed_ref_broken.c:44",
            },
        ),
        (
            "thread-gcc12-two",
            {"destroy of a locked mutex in main, races.c:94", "thread leak in main, races.c:91"},
        ),
    ],
)
def test_the_label_does_not_depend_on_which_access_came_first(name: str, labels: set[str]) -> None:
    """Several reports of one race in one text; a write names it, and the extension's own access."""
    assert {report.label for report in parse(recorded(name))} <= labels


def test_every_recorded_report_is_read_to_its_end() -> None:
    for path in sorted(REPORTS.glob("*.txt")):
        for report in parse(path.read_text()):
            assert report.whole == ("nested-bug" not in path.name), path.name
            assert report.kind, path.name
            assert all(stack.frames for stack in report.accesses) or not report.whole, path.name


def test_every_recording_says_where_it_is_from() -> None:
    for path in REPORTS.glob("*.txt"):
        head, _, text = path.read_text().partition("\n")
        assert head.startswith("# "), path.name
        assert ";" in head, path.name
        assert set(re.findall(r"/home/\w+/", text)) <= {"/home/reader/"}, path.name
        assert not re.search(r"(?<!\w)/(?:root|tmp|work)/", text), path.name


# -- recorded reports: the parts ----------------------------------------------------------------------


@pytest.mark.parametrize("tool", ALL)
def test_a_race_has_two_accesses_their_locks_and_who_started_the_threads(tool: str) -> None:
    report = one(f"thread-{tool}-race")

    assert {stack.thread for stack in report.accesses} == {"T1", "T2"}
    assert all(stack.what.endswith(" of size 8") for stack in report.accesses)
    assert {stack.locks for stack in report.accesses} == {"write M0", "write M1"}
    for stack in report.accesses:
        assert [(f.function, f.name, f.line) for f in stack.frames] == [
            ("add_one", "races.c", 14),
            ("bump", "races.c", 20),
        ]
    created = [stack for stack in report.others if stack.role == "created"]
    assert {(stack.subject, stack.thread) for stack in created} == {
        ("T1", "main thread"),
        ("T2", "main thread"),
    }
    assert {stack.own.function for stack in created if stack.own} == {"both"}
    assert {stack.subject for stack in report.others if stack.role == "mutex"} == {"M0", "M1"}
    assert "global 'total'" in report.location
    assert report.text.startswith("WARNING: ThreadSanitizer: data race (pid=")
    assert report.text.rpartition("\n")[2].startswith("SUMMARY: ThreadSanitizer: data race")


@pytest.mark.parametrize("tool", ALL)
def test_a_use_after_free_says_who_freed_it_and_where_it_came_from(tool: str) -> None:
    report = one(f"address-{tool}-use-after-free")
    freed = next(stack for stack in report.others if stack.role == "freed")
    made = next(stack for stack in report.others if stack.role == "allocated")
    started = next(stack for stack in report.others if stack.role == "created")

    assert [(s.what, s.thread) for s in report.accesses] == [("read of size 4", "T0")]
    assert freed.thread == "T1"
    assert freed.own
    assert freed.own.name == "memory.c"
    assert made.thread == "T0"
    assert made.own
    assert made.own.name == "memory.c"
    assert (started.subject, started.thread) == ("T1", "T0")
    assert "located 0 bytes inside of 16-byte region" in report.location
    assert "Shadow bytes around the buggy address" in report.text
    assert "==ABORTING" in report.text


@pytest.mark.parametrize("file", sorted(REPORTS.glob("*.txt")), ids=lambda file: file.stem)
def test_a_cleaned_transcript_is_read_like_what_was_written(file: Path) -> None:
    """A page takes recorded reports to pieces; their addresses are words of the form 0x..07."""
    written = parse(file.read_text())
    cleaned = parse(outside.clean(file.read_text()))

    assert [one.short() for one in cleaned] == [one.short() for one in written]
    assert [one.key for one in cleaned] == [one.key for one in written]
    assert all("0x" not in one.message for one in cleaned)


@pytest.mark.parametrize("tool", ALL)
def test_an_inversion_shows_the_cycle(tool: str) -> None:
    report = one(f"thread-{tool}-lock-order")

    assert [stack.own.function for stack in report.accesses if stack.own] == ["forward", "backward"]
    assert " => " in report.message
    assert "0x" not in report.message
    assert all("while holding mutex M" in stack.what for stack in report.accesses)


def test_what_a_debug_interpreter_says_is_kept() -> None:
    assert one("debug-negative-refcount").message == "object has negative ref count"
    assert one("debug-assertion").message == "PyList_Check(a)"
    assert "Debug memory block at address" in one("debug-pad-byte").text
    python = one("debug-no-thread-state").others[0]
    assert [frame.function for frame in python.frames] == ["work", "<module>"]


def test_a_new_object_in_the_same_memory_is_said() -> None:
    """It is how a reference that was borrowed too long shows: the memory has become another object."""
    found = parse(recorded("thread-clang19-borrowed_ref_broken"))
    late = next(report for report in found if report.label.endswith(".c:32"))

    assert [stack.makes_object for stack in late.accesses] == [False, True]
    assert "a new object is made there" in late.short()


# -- whose frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "owner"),
    [
        (Frame("bump", "/home/reader/counter.c", 3, "counter.cpython-313t-x86_64-linux-gnu.so"), "own"),
        (Frame("bump", "/home/reader/counter.c", 3), "own"),
        (Frame("bump", "/home/reader/src/Modules/counter.c", 3), "own"),
        (Frame("bump", "/home/reader/src/Python/counter.c", 3, "counter.so"), "own"),
        (Frame("Py_INCREF", "/usr/include/python3.13t/object.h", 810), "own"),
        (Frame("new_reference", "/b/.building-3.13t-tsan-1/src/Objects/object.c", 2464, "python3.13t"), "interpreter"),
        (Frame("l_setitem", "/b/.building-3.13t-tsan-1/src/./Modules/arraymodule.c", 434, "array.so"), "interpreter"),
        (Frame("_Py_Dealloc", "Objects/object.c", 2939), "interpreter"),
        (Frame("main", "Programs/python.c", 15), "interpreter"),
        (Frame("list_get", "/build/Python-3.14.0/Objects/listobject.c", 9), "interpreter"),
        (Frame("list_get", "cpython/Objects/listobject.c", 9), "interpreter"),
        (Frame("f", None, None, "libpython3.14t.so.1.0"), "interpreter"),
        (Frame("race", "/site-packages/racelab/_race_loop.c", 168), "harness"),
        (Frame("", None, None, "_race.cpython-313t-x86_64-linux-gnu.so"), "harness"),
        (Frame("free", None, None, "python3.13t"), "tool"),
        (Frame("__interceptor_free", "../../../../src/libsanitizer/asan/asan_malloc_linux.cpp", 52), "tool"),
        (Frame("operator new(unsigned long)", None, None, "a.out"), "tool"),
        (Frame("start_thread", "nptl/pthread_create.c", 442), "system"),
        (Frame("abort", None, None, "/lib/x86_64-linux-gnu/libc.so.6"), "system"),
    ],
)  # fmt: skip
def test_whose_a_frame_is(frame: Frame, owner: str) -> None:
    assert frame.owner == owner


def test_a_header_belongs_to_whom_it_was_compiled_into() -> None:
    header = Frame("Py_INCREF", "/x/include/python3.13t/object.h", 810)
    own = Stack("read", "access", frames=(header, Frame("take", "/x/shelf.c", 30)))
    harness = Stack(
        "read", "access", frames=(header, Frame("race", "/x/racelab/_race_loop.c", 168))
    )

    assert (own.owners, own.own and own.own.place) == (("own", "own"), "shelf.c:30")
    assert (harness.owners, harness.own) == (("harness", "harness"), None)


def test_a_race_inside_of_the_interpreter_is_not_the_extensions() -> None:
    """With frames of the extension further out it may well be: PyDict_Next() without a lock is one."""
    called = one_race(("_PyDict_Next", "python3.13t"), ("count", "walk.so"))
    alone = one_race(("_PyDict_Next", "python3.13t"), ("eval", "python3.13t"))

    assert (called.own, called.elsewhere, called.label) == (
        True,
        False,
        "data race in count, walk.c:1",
    )
    assert (alone.own, alone.elsewhere) == (False, True)
    assert alone.label == "data race in _PyDict_Next, in the interpreter"
    assert gravest([alone, called]) is called
    assert gravest([alone]) is alone


def test_memory_that_the_interpreter_uses_too_late_may_be_the_extensions_fault() -> None:
    """It often is the one that meets what an extension has freed too early."""
    (report,) = parse(
        "==1==ERROR: AddressSanitizer: use-after-poison on address 0x7f at pc 0x1 bp 0x2 sp 0x3\n"
        "READ of size 8 at 0x7f thread T1\n    #0 0x1 in _Py_Dealloc Objects/object.c:2939\n\n"
        "SUMMARY: AddressSanitizer: use-after-poison Objects/object.c:2939 in _Py_Dealloc\n"
    )

    assert (report.own, report.elsewhere) == (False, False)
    assert report.label == "use-after-poison in _Py_Dealloc, in the interpreter"


def test_a_race_that_cpython_has_with_itself_is_not_the_callers() -> None:
    """Two threads name the same key for the first time: right code, and both accesses are CPython's."""
    report = one("thread-clang19-interned_names")

    assert (report.known, report.own, report.elsewhere) == (True, True, True)
    label = "data race inside CPython, called from Board_new, quotes.c:13"
    assert report.label == label
    lab = Lab("x", actors=["go"], threads=[1])
    assert racing._grade(lab, f"sanitizer({label})").name == "INTERESTING"
    forbids = Lab("x", actors=["go"], threads=[1], outcomes={f"sanitizer({label})": FORBIDDEN})
    assert racing._grade(forbids, f"sanitizer({label})").name == "FORBIDDEN"


def test_no_other_race_inside_the_interpreter_is_let_off() -> None:
    """What an extension has freed too early, it often is the interpreter that meets it."""
    text = recorded("thread-clang19-interned_names")
    for function in ("immortalize_interned", "unicode_eq"):
        (other,) = parse(text.replace(f"#0 {function} ", "#0 unicode_dealloc "))
        assert (other.known, other.elsewhere) == (False, False)
        assert other.label == "data race in Board_new, quotes.c:13"


def test_no_recorded_bug_is_called_known() -> None:
    """All reports of the book's labs and of this folder, but the one above."""
    seen = 0
    files = [*REPORTS.glob("*.txt"), *(ROOT / "notebooks" / "recorded").glob("*.jsonl")]
    for file in files:
        lines = [file.read_text()]
        if file.suffix == ".jsonl":
            lines = [text for line in lines[0].splitlines() for text in _texts(json.loads(line))]
        for report in (report for line in lines for report in parse(line)):
            seen += 1
            assert not report.known or file.stem == "thread-clang19-interned_names", file.name
    assert seen > 100


def _texts(value: object) -> list[str]:
    """All strings in what JSON held that may hold a report."""
    if isinstance(value, str):
        return [value] if "Sanitizer" in value else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for each in inner for text in _texts(each)]


OBJECT = "/b/.building-3.13t-tsan-1/src/Objects/object.c"
INTERPRETERS = (
    Frame("insert", OBJECT, 5, "python3.13t"),
    Frame("store", "/x/walk.c", 86, "walk.so"),
)
MAKER = (
    Frame("new_reference", OBJECT, 2464, "python3.13t"),
    Frame("store", "/x/walk.c", 86, "walk.so"),
)
LATE = (Frame("Py_TYPE", OBJECT, 7, "python3.13t"), Frame("count", "/x/walk.c", 64, "walk.so"))
OWN = (Frame("count", "/x/walk.c", 64, "walk.so"),)


@pytest.mark.parametrize(
    ("culprit", "other"),
    [
        (("read of size 8", OWN), ("write of size 8", INTERPRETERS)),
        (("atomic read of size 8", OWN), ("write of size 8", INTERPRETERS)),
        (("read of size 8", LATE), ("write of size 8", MAKER)),
        (("atomic read of size 8", LATE), ("write of size 8", MAKER)),
        (("read of size 8", LATE), ("atomic write of size 8", INTERPRETERS)),
        (("write of size 8", LATE), ("read of size 8", INTERPRETERS)),
    ],
    ids=["own read", "own atomic read", "read late", "atomic read late", "not atomic", "write"],
)
def test_the_access_that_names_a_race(
    culprit: tuple[str, tuple[Frame, ...]], other: tuple[str, tuple[Frame, ...]]
) -> None:
    stacks = [Stack(what, "access", frames=frames) for what, frames in (culprit, other)]
    for pair in (stacks, stacks[::-1]):
        assert Report("thread", "data race", tuple(pair)).label == "data race in count, walk.c:64"


def one_race(*frames: tuple[str, str]) -> Report:
    """A report whose two accesses have these frames: (function, module)."""
    lines = "".join(
        f"    #{n} {function} /src/{Path(module).stem}.c:1 ({module}+0x1)\n"
        for n, (function, module) in enumerate(frames)
    )
    (report,) = parse(
        "WARNING: ThreadSanitizer: data race (pid=1)\n"
        f"  Read of size 8 at 0x7f by thread T1:\n{lines}\n"
        f"  Previous atomic write of size 8 at 0x7f by thread T2:\n{lines}\n"
        "SUMMARY: ThreadSanitizer: data race\n"
    )
    return report


# -- texts as they come -----------------------------------------------------------------------------------


def test_colours_and_what_pytest_writes_around_it_do_not_matter() -> None:
    text = recorded("thread-pytest-colours")
    found = parse(text)

    assert "\x1b[" in text
    assert "Captured stderr call" in text
    assert len(found) == 2
    assert not any("\x1b" in report.text or "short test summary" in report.text for report in found)


@pytest.mark.parametrize(
    "name", ["thread-gcc12-race", "address-clang19-use-after-free", "debug-assertion"]
)
def test_a_report_may_end_anywhere(name: str) -> None:
    """A child that was killed, or output beyond the limit: what is there is read, and nothing raises."""
    text = recorded(name)
    whole = one(name)
    for end in range(0, len(text), 97):
        for report in parse(text[:end]):
            assert whole.kind.startswith(report.kind[:4])
    cut = parse(text[: len(text) // 2])[0]
    assert (cut.kind, cut.whole) == (whole.kind, False)
    assert "cut off" in str(cut)


def test_output_of_the_program_between_the_lines_is_no_part_of_it() -> None:
    plain = one("thread-clang19-race")
    lines = recorded("thread-clang19-race").splitlines()
    noisy = "\n".join(
        line if number % 3 else f"{line}\nend of round {number}"
        for number, line in enumerate(lines)
    )
    glued = recorded("thread-clang19-race").replace("WARNING:", "no line break WARNING:")

    for text in (noisy, glued):
        (found,) = parse(text)
        assert (found.label, found.key) == (plain.label, plain.key)
        assert len(found.accesses) == 2
        assert found.text.startswith("WARNING: ")


def test_a_report_that_begins_inside_of_another_ends_it() -> None:
    """Two processes that write to one log."""
    first = recorded("thread-clang19-race").partition("Previous")[0]
    found = parse(first + recorded("address-gcc12-double-free"))

    assert [report.kind for report in found] == ["data race", "double-free"]
    assert [report.whole for report in found] == [False, True]


def test_a_forgotten_stack_is_an_access_all_the_same() -> None:
    (report,) = parse(
        "WARNING: ThreadSanitizer: data race (pid=1)\n"
        "  Write of size 8 at 0x7f by thread T1:\n    #0 bump /x/counter.c:3:1 (counter.so+0x1)\n\n"
        "  Previous read of size 8 at 0x7f by thread T2:\n    [failed to restore the stack]\n\n"
        "SUMMARY: ThreadSanitizer: data race /x/counter.c:3:1 in bump\n"
    )

    assert [(s.what, s.thread, len(s.frames)) for s in report.accesses] == [
        ("write of size 8", "T1", 1),
        ("read of size 8", "T2", 0),
    ]
    assert "forgotten" in report.short()


def test_a_flood_is_read_up_to_its_limit() -> None:
    text = recorded("thread-gcc12-race")

    assert len(parse(text * (reports.REPORTS + 50))) == reports.REPORTS
    long = text.replace("  Location is", "noise\n" * 10_000 + "  Location is")
    assert len(parse(long)[0].text) <= reports.TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all is well\n",
        "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1:\n",
        "#0 x y.c:1\n",
    ],
)
def test_what_is_no_report_is_none(text: str) -> None:
    assert parse(text) == []


def test_equal_reports_are_counted() -> None:
    found = parse(recorded("thread-clang19-race") * 3 + recorded("address-gcc12-double-free"))
    counted = dedupe(found)

    assert [(report.kind, count) for report, count in counted] == [
        ("data race", 3),
        ("double-free", 1),
    ]
    borrowed = parse(recorded("thread-clang19-borrowed_ref_broken"))
    assert sum(count for _, count in dedupe(borrowed)) == len(borrowed) == 4


def test_reports_of_one_label_are_shown_as_one_with_what_they_clashed_with() -> None:
    """One line of the extension, against two others: not the same report, yet the same thing to mend."""
    text = recorded("thread-clang19-borrowed_ref_broken")
    other = text.replace("borrowed_ref_broken.c:68", "borrowed_ref_broken.c:53")
    assert other != text
    found = dedupe(parse(text * 2 + other))
    groups = reports.by_label(found)
    result = replace(Result.from_json_line(racing_line()), reports=tuple(found))

    labels = [group.label for group in groups]
    assert len(found) > len(groups) == len(set(labels)) == 2
    assert labels[1] == "data race in take_first, borrowed_ref_broken.c:32"
    assert sum(group.count for group in groups) == len(parse(text * 2 + other)) == 12
    assert groups[1].counterparts() == [
        ("write in shelf_replace, borrowed_ref_broken.c:68", 6),
        ("write in shelf_replace, borrowed_ref_broken.c:53", 3),
    ]
    for label in labels:
        assert str(result).count(f"times: {label}") == 1
        assert result._repr_html_().count(f"times: {label}</summary>") == 1
    assert "against write in shelf_replace, borrowed_ref_broken.c:53 (3 times)" in str(result)
    assert "3 times against write in shelf_replace" in result._repr_html_()


def racing_line() -> str:
    """A result without reports, as a file keeps it."""
    done = race(
        Lab("two", actors=[nothing], outcomes={"None": INTERESTING("")}),
        count=1, rounds=1, progress=False,
    )  # fmt: skip
    return done.to_json_line()


def test_the_other_access_is_named_also_where_it_is_the_interpreters() -> None:
    assert one("thread-clang19-race").against == "write in add_one, races.c:14"
    assert one("address-gcc12-use-after-free").against == ""
    (put, _), *_ = dedupe(parse(recorded("thread-clang19-borrowed_ref_broken")))
    assert put.against == "atomic write in shelf_put, borrowed_ref_broken.c:53"


# -- shown ------------------------------------------------------------------------------------------------


def test_short_folds_what_is_not_the_extensions() -> None:
    text = parse(recorded("thread-clang19-lost_update_broken"))[0].short()

    assert text.splitlines()[0] == "data race in add_one, lost_update_broken.c:31"
    assert "add_one  lost_update_broken.c:29" in text
    assert text.count("frames of the interpreter and racelab") == 2
    assert "method_vectorcall" not in text
    assert len(text.splitlines()) == 9


def test_of_headers_the_one_that_the_source_speaks_of_is_shown() -> None:
    text = one("address-gcc12-borrowed_weakref_broken").short()

    assert "Py_XINCREF  object.h" in text
    assert "_Py_atomic" not in text


def test_parts_are_marked_and_the_full_text_is_folded() -> None:
    report = one("address-gcc12-use-after-free")
    page = report._repr_html_()

    parts = ["what", "where", "who", "what memory", "since when", "since when"]
    assert [part for part, _ in report.parts()] == parts
    for part in ("what", "where", "who", "what-memory", "since-when"):
        assert f'class="racelab-report-{part}"' in page
    assert "<details>" in page
    assert "==ABORTING" in page
    assert "color:#" not in page
    assert "&lt;" not in page.partition("<details>")[0]
    assert "freed by T1" in str(report)


def test_html_is_escaped() -> None:
    report = Report("thread", "data race", text="<script>", message="<b>")

    assert "<script>" not in report._repr_html_()
    assert "<b>" not in report._repr_html_()


def test_touches_asks_for_files() -> None:
    report = parse(recorded("thread-clang19-lost_update_broken"))[0]

    assert report.touches(["/somewhere/else/lost_update_broken.c"])
    assert not report.touches(["lost_update_fixed.c"])


# -- options ------------------------------------------------------------------------------------------------


def test_options_of_the_user_come_after_ours_and_before_what_we_read() -> None:
    """The last of two options of one name counts."""
    thread = reports.sanitizer_options("thread", "halt_on_error=1 log_path=/x exitcode=0")
    text = thread["TSAN_OPTIONS"]

    assert text.index("halt_on_error=0") < text.index("halt_on_error=1")
    assert text.index("log_path=/x") < text.index("log_path=stderr")
    assert text.index("exitcode=0") < text.index("exitcode=66")
    assert f'suppressions="{reports.SUPPRESSIONS}"' in text
    assert "detect_leaks=0" in reports.sanitizer_options("address")["ASAN_OPTIONS"]


@pytest.mark.parametrize("sanitizer", ["thread", "address"])
def test_code_that_handles_NULL_is_not_reported(sanitizer: str) -> None:
    """A size that no machine has: malloc returns NULL there, with a sanitizer as without one."""
    code = """
        import ctypes
        malloc = ctypes.CDLL(None).malloc
        malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        result = [malloc(1 << size) for size in (40, 62)]
    """
    options: dict[str, str | None] = {**reports.sanitizer_options(sanitizer)}
    seen = run_child(code, python=needs(sanitizer), env=options, timeout_s=60)

    assert (seen.outcome, seen.returned, seen.reports) == ("ok", [None, None], []), str(seen)


def test_a_sanitizers_memory_is_out_of_memory() -> None:
    (report,) = parse(
        "==1==ERROR: ThreadSanitizer: out of memory: allocator is trying to allocate 0x9"
    )

    assert report.kind == "out-of-memory"


def test_no_suppression_hides_what_an_extension_may_do_itself() -> None:
    """No wildcards, only functions that an extension cannot call, each with its reason above it."""
    lines = reports.SUPPRESSIONS.read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules == ["race:^_Py_TryIncrefFast$", "race:^_Py_TryIncRefShared$"]
    assert all("*" not in rule for rule in rules)


def test_a_symbolizer_with_a_version_in_its_name_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TSAN_SYMBOLIZER_PATH", raising=False)
    assert reports.symbolizer() is None

    def made(name: str) -> str:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
        return str(tmp_path / name)

    made("llvm-symbolizer-9")
    newest = made("llvm-symbolizer-21")
    assert reports.symbolizer() == newest
    options = reports.sanitizer_options("thread")["TSAN_OPTIONS"]
    assert f'external_symbolizer_path="{newest}"' in options
    plain = made("llvm-symbolizer")
    assert reports.symbolizer() == plain
    assert "external" not in reports.sanitizer_options("thread")["TSAN_OPTIONS"]
    ours = made("llvm-symbolizer-19")  # Debian 12's plain one is 14
    assert reports.symbolizer() == ours
    assert f'path="{ours}"' in reports.sanitizer_options("thread")["TSAN_OPTIONS"]


def test_suppressed_reports_are_counted() -> None:
    text = (
        "ThreadSanitizer: Matched 88 suppressions (pid=1):\n53 race:^a$\n35 race:^b$\n\n7 race:no\n"
    )

    assert reports.suppressed(text) == {"race:^a$": 53, "race:^b$": 35}
    assert reports.suppressed("53 race:^a$\n") == {}


# -- children and results -------------------------------------------------------------------------------------


def test_a_child_ends_with_its_own_report_and_not_with_the_interpreters(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text(recorded("thread-clang19-race"))
    theirs = tmp_path / "theirs.txt"
    text = (
        recorded("thread-clang19-race")
        .replace("races.c", "python.c")
        .replace("races_clang-19", "python3.13t")
    )
    theirs.write_text(text)

    def ends(*files: Path, last: str) -> str:
        writes = "; ".join(f"sys.stderr.write(open({str(file)!r}).read())" for file in files)
        return run_child(f"import os, sys\n{writes}\nsys.stderr.flush()\n{last}").outcome

    named = "sanitizer(data race in add_one, races.c:14)"
    assert ends(theirs, mine, last="os._exit(66)") == named
    assert ends(mine, last="os.abort()") == named
    assert (
        ends(theirs, last="os._exit(66)") == "sanitizer(data race in add_one, in the interpreter)"
    )
    assert ends(theirs, last="os.abort()") == "crash(SIGABRT)"
    assert ends(theirs, last="raise ValueError") == "error(ValueError)"
    late = "import atexit; atexit.register(os._exit, 66); raise ValueError"
    assert (
        ends(theirs, last=late) == "error(ValueError)"
    )  # the sanitizer changes the status at the end
    assert ends(mine, last="os._exit(0)") == "exit(0)"  # exitcode=0: somebody wants it so


@pytest.fixture(scope="module")
def broken() -> Result:
    needs("thread")
    return race("lost_update", "broken", sanitizer="thread", count=3, rounds=300, progress=False)


def needs(sanitizer: str) -> str:
    try:
        return racing.sanitizer_python(sanitizer)
    except RaceError as error:
        pytest.skip(str(error))


def test_thread_sanitizer_finds_the_lost_update_and_its_line(broken: Result) -> None:
    label = "sanitizer(data race in add_one, lost_update_broken.c:31)"

    assert broken.forbidden[label] == 3, str(broken)
    assert (broken.exit_status, broken.rounds) == (1, 900)  # it went on behind its first report
    assert broken.reports
    assert all(f"sanitizer({r.label})" == label for r, _ in broken.reports)
    assert sum(count for _, count in broken.reports) >= 3
    assert broken.reports[0][0].touches(["lost_update_broken.c"])


def test_a_result_shows_its_reports_and_keeps_their_text(broken: Result) -> None:
    shown, page, data = str(broken), broken._repr_html_(), broken.as_json()

    assert "add_one  lost_update_broken.c:31" in shown
    assert "WARNING: ThreadSanitizer" not in shown
    assert "WARNING: ThreadSanitizer" in page
    assert data["reports"][0]["label"] == "data race in add_one, lost_update_broken.c:31"
    assert data["reports"][0]["text"].startswith("WARNING: ThreadSanitizer")
    again = Result.from_json_line(broken.to_json_line())
    assert again == broken
    assert json.loads(json.dumps(data)) == data


def test_results_with_reports_are_merged_and_bounded(broken: Result) -> None:
    both = merge([broken, broken])

    assert [count for _, count in both.reports] == [2 * count for _, count in broken.reports]

    flood = tuple((parse(recorded("thread-gcc12-race"))[0], 1) for _ in range(500))
    line = replace(broken, reports=flood).to_json_line()
    assert len(Result.from_json_line(line).reports) == KEPT
    assert len(line) < (KEPT + 10) * reports.TEXT


def test_thread_sanitizer_finds_nothing_in_the_fixed_one() -> None:
    needs("thread")
    seen = race("lost_update", "fixed", sanitizer="thread", count=1, rounds=300, progress=False)

    assert (seen.forbidden, seen.reports, seen.rounds) == ({}, (), 300), str(seen)


def test_cpythons_own_races_are_suppressed_and_counted() -> None:
    """The repaired half of borrowed references looks items up without a lock, as the interpreter does."""
    needs("thread")
    if reports.symbolizer() is None:
        pytest.skip("suppressions by function need llvm-symbolizer: apt-get install llvm")
    seen = race("borrowed_fine", "fixed", sanitizer="thread", count=1, rounds=200, progress=False)

    assert (seen.forbidden, seen.reports) == ({}, ()), str(seen)
    assert any("race:^_Py_TryIncrefFast$" in note for note in seen.notes), seen.notes


def test_suppressions_do_not_hide_a_reference_that_was_borrowed_too_long() -> None:
    needs("thread")
    seen = race("borrowed_ref", "broken", sanitizer="thread", count=2, rounds=200, progress=False)

    assert "sanitizer(data race in take_first, borrowed_ref_broken.c:32)" in seen.forbidden, str(
        seen
    )


def test_address_sanitizer_finds_the_object_that_died() -> None:
    needs("address")
    seen = race(
        "borrowed_weakref", "broken", sanitizer="address", count=3, rounds=300, progress=False
    )
    label = "sanitizer(use-after-poison in take_lamp, borrowed_weakref_broken.c:43)"

    assert label in seen.forbidden, str(seen)


def test_address_sanitizer_lets_the_fixed_one_pass() -> None:
    needs("address")
    for name in ("borrowed_ref", "borrowed_weakref"):
        seen = race(name, "fixed", sanitizer="address", count=1, rounds=50, progress=False)
        assert (seen.forbidden, seen.reports, seen.rounds) == ({}, (), 50), str(seen)


def test_grades_of_reports() -> None:
    lab = Lab(
        "one", actors=[nothing], outcomes={"sanitizer(SEGV)": INTERESTING("declared by its kind")}
    )

    def grade(label: str) -> str:
        return racing._grade(lab, label).name

    assert grade("sanitizer(data race in bump, counter.c:31)") == "FORBIDDEN"
    assert grade("sanitizer(data race in new_reference, in the interpreter)") == "INTERESTING"
    assert grade("sanitizer(use-after-poison in _Py_Dealloc, in the interpreter)") == "FORBIDDEN"
    assert grade("sanitizer(SEGV in bump, counter.c:31)") == "INTERESTING"
    assert grade("crash(SIGSEGV)") == "FORBIDDEN"


def nothing() -> None:
    pass


def test_options_of_the_environment_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    needs("thread")
    monkeypatch.setenv("TSAN_OPTIONS", "halt_on_error=1 log_path=/nowhere/x exitcode=3")
    seen = race("lost_update", "broken", sanitizer="thread", count=1, rounds=300, progress=False)

    assert [count for _, count in seen.reports] == [1]
    assert seen.repetitions[0].ending.startswith("sanitizer(data race in add_one")
    assert os.environ["TSAN_OPTIONS"].endswith("exitcode=3")


def test_a_debug_interpreter_says_why_it_ended(tmp_path: Path) -> None:
    python = debug_interpreter()
    source = tmp_path / "dropped.c"
    source.write_text(DROPPED)
    built: Built = compile(source, python=python)
    seen = run_child("import dropped\ndropped.twice()", python=python, modules=[built])

    assert seen.outcome == "crash(SIGABRT)"
    assert [report.label for report in seen.reports] == ["negative refcount, dropped.c:8"]


def debug_interpreter() -> str:
    found = toolbox.interpreter_of("debug")
    if found is None:
        pytest.skip("no debug interpreter: make debug")
    return found


DROPPED = """\
#include <Python.h>
static PyObject *
twice(PyObject *m, PyObject *a)
{
    PyObject *o = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    (void)m, (void)a;
    Py_DECREF(o);
    Py_DECREF(o);
    Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"twice", twice, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "dropped", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_dropped(void) { return PyModuleDef_Init(&module); }
"""


def test_the_book_and_the_command_line_show_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    needs("thread")
    from racelab.cli import main

    status = main(
        ["race", "lost_update", "--sanitizer", "thread", "--count", "1", "--rounds", "200"]
    )
    shown = capsys.readouterr().out

    assert status == 1
    assert "sanitizer(data race in add_one, lost_update_broken.c:31)" in shown
    assert "... 6 frames" in shown or "frames of the interpreter and racelab" in shown
    assert find_lab("lost_update").variants


@pytest.mark.parametrize(
    ("symbol", "shown"),
    [
        ("__pyx_pf_3mod_7Counter_2bump", "Counter.bump"),
        ("__pyx_pw_12cython_cache_5size_of", "size_of"),
        ("__pyx_pf_12cython_cache_4size_of", "size_of"),
        ("__pyx_f_3mod_make", "make"),
        ("take_lamp", "take_lamp"),
    ],
)
def test_cythons_names_are_read(symbol: str, shown: str) -> None:
    assert reports.Frame(symbol, "", None, "").shown == shown
