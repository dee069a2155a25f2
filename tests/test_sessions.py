"""Sessions with outside tools: run live where the tools are, shown as recorded elsewhere, never apart from each other."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import racelab as rl
from racelab import outside, recording, reports, sessions, toolbox
from racelab.sessions import Session, load_sessions, program

ROOT = Path(__file__).resolve().parent.parent
SLUGS = sorted(path.name for path in (ROOT / "ext").iterdir() if sessions.declares_sessions(path))
KNOWN = [(slug, name, one) for slug in SLUGS for name, one in load_sessions(slug).items()]
EACH = [
    pytest.param(
        slug,
        name,
        id=f"{slug}-{name}",
        marks=[pytest.mark.race] * one.long + [pytest.mark.network] * ("network" in one.needs),
    )
    for slug, name, one in KNOWN
]
#: What no recording may hold: marks of whoever made it,
OF_A_MACHINE = re.compile(r"/root\b|/home/|/Users/|racelab-debug-|\.cache/|\b0x[0-9a-f]{5,}\b")
#: and absolute paths, save into folders that every Linux has, and into those of the recorded builds themselves.
ABSOLUTE = re.compile(r"(?<![\w.~/>*-])/(\w[\w.+-]*)/")
EVERYWHERE = {"bin", "build", "dev", "etc", "lib", "opt", "proc", "sys", "tmp", "usr", "var"}


# ---------------------------------------------------------------------------------------------------
# The book's
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_what_is_declared_is_what_is_recorded(slug: str) -> None:
    assert recording.drift(slug) == []


@pytest.mark.parametrize(("slug", "name"), [each[:2] for each in KNOWN])
def test_a_recording_has_its_shape_and_nothing_of_its_machine(slug: str, name: str) -> None:
    one = load_sessions(slug)[name]
    (row,) = rl.recorded(slug).rows(name)

    assert one.lacks(row["output"]) == ""
    assert not OF_A_MACHINE.search(row["output"])
    assert set(ABSOLUTE.findall(row["output"])) <= EVERYWHERE
    assert row["command"] == one.command
    assert {word.split()[0] for word in row["versions"]} >= set(one.needs) & set(toolbox.NAMES)


@pytest.mark.parametrize(("slug", "name"), EACH)
def test_a_fresh_run_has_the_shape_of_the_recorded_one(slug: str, name: str) -> None:
    """Which functions, which lines: a page must not tell of another program than the reader's."""
    one = load_sessions(slug)[name]
    if missing := one.missing():
        pytest.skip("; ".join(missing))
    (row,) = rl.recorded(slug).rows(name)

    fresh = one.make()["output"]

    assert one.lacks(fresh) == "", fresh
    assert one.outline(fresh) == one.outline(row["output"])


CELL = re.compile(r"^```\{code-cell\}\n(?::[^\n]*\n)*\n?(.*?)^```$", re.M | re.S)
PAGES = sorted(p for p in (ROOT / "notebooks").glob("*.md") if "rl.session(" in p.read_text())
#: Cells that race, compile or draw need none of these tools, and are not what this is about.
OTHERS = re.compile(r"rl\.race\(|rl\.compile\(|^%%|rl\.calibrate", re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_whole_on_a_machine_without_any_of_the_tools(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No gdb, no lldb, no clang, no symbolizer, none of the interpreters: the page says so, and shows what was recorded."""
    monkeypatch.delenv("RACELAB_LIVE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("GDB", "LLDB", "CLANG", "LLVM_SYMBOLIZER", "TSAN_PYTHON", "ASAN_PYTHON"):
        monkeypatch.setenv(f"RACELAB_{name}", "/nowhere")
    monkeypatch.setenv("RACELAB_DEBUG_PYTHON", "/nowhere")
    monkeypatch.chdir(page.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("sessions", "anatomy"):  # a chapter's own, of which there are several
        monkeypatch.delitem(sys.modules, name, raising=False)
    shown: list[sessions.Transcript] = []

    def make(one: Session) -> dict[str, object]:
        assert not {*one.needs} & {*toolbox.NEEDS} - {"cores", "network", "core files"}, one.title
        return {"output": "", "seconds": 0.0, "versions": [], "command": "", "ending": ""}

    def session(*words: str, **how: Any) -> sessions.Transcript:
        shown.append(sessions.session(*words, **how))
        return shown[-1]

    toolbox.probe.cache_clear()
    monkeypatch.setattr(Session, "make", make)
    monkeypatch.setattr(rl, "session", session)
    names: dict[str, object] = {}
    for cell in CELL.findall(page.read_text(encoding="utf-8")):
        if not OTHERS.search(cell):
            exec(cell, names)
    toolbox.probe.cache_clear()

    assert shown
    assert not any(one.live for one in shown)
    assert all("recorded on" in one._repr_html_() for one in shown)
    reasons = [one.stamp for one in shown if "Not run here" in one.stamp]
    assert not any("py-bt does not work" in one for one in reasons)


#: A session as a page calls it, and whether the page shows it as recorded in any case.
CALL = re.compile(r"rl\.session\(\s*\"(\w+)\", \"(\w+)\"([^)]*)\)", re.S)
#: What a reader may be made to wait for, s: one session, and all of a chapter's together.
ONE_S, ALL_S = 6.0, 45.0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_only_what_takes_long_is_shown_as_recorded_where_its_tools_are(page: Path) -> None:
    """And what runs live took, when it was recorded, no longer than a reader waits."""
    waited = 0.0
    for slug, name, how in CALL.findall(page.read_text(encoding="utf-8")):
        one = load_sessions(slug)[name]
        (row,) = rl.recorded(slug).rows(name)
        if "network" in one.needs or slug == "tsan_numpy":  # runs where a variable asks for it
            assert "live=" not in how, (slug, name)
        elif "live=False" in how:
            assert row["seconds"] > ONE_S, f"{slug}, {name}: {row['seconds']} s, runs live"
        else:
            waited += row["seconds"]

    assert waited < ALL_S


def test_a_run_that_hangs_is_shown_only_where_the_text_is_about_it() -> None:
    """Of the runs under ThreadSanitizer: a busy machine's time limit is nobody's lesson."""
    known = load_sessions("tsan")
    for name in ("pytest", "options", "suppressions", "order"):
        (row,) = rl.recorded("tsan").rows(name)
        late = re.sub(r"^( +\d+ +\S+ +)\d+  ", r"\1hung  ", row["output"], count=1, flags=re.M)
        assert late != row["output"]
        assert known[name].outline(late) is None, name
    (row,) = rl.recorded("tsan").rows("child")
    assert known["child"].outline(row["output"]) is not None
    assert known["child"].outline(row["output"].replace("hung", "   0")) is None


def test_what_the_page_says_of_suppressions_and_of_silence_is_asked_of_each_run() -> None:
    """Both lines that count are hidden; and a run without the wrong results is no proof of wrong results without a report."""
    known = load_sessions("tsan")
    hidden, logic = known["new_reference"], known["logic"]
    (row,) = rl.recorded("tsan").rows("new_reference")
    left = "report          1 time: data race in shelf_first, borrowed_ref_broken.c:45"
    (seen,) = rl.recorded("tsan").rows("logic")

    assert hidden.outline(row["output"]) is not None
    assert hidden.outline(f"{row['output']}\n{left}") is None
    assert logic.outline(seen["output"]) is not None
    assert logic.outline(seen["output"].replace("two parts for one name", "one part")) is None
    # The page tells of two calls, not of a section that is given up.
    assert "--variant" not in logic.command


def test_a_table_of_options_says_what_it_counts_as_the_page_does() -> None:
    page = (ROOT / "notebooks/14_tsan.md").read_text(encoding="utf-8")
    for name in ("order", "options", "suppressions", "pytest", "child"):
        (row,) = rl.recorded("tsan").rows(name)
        head, _, first, *_ = row["output"].splitlines()
        # A number ends where its heading does.
        assert re.match(r"on screen  in files  status  last line$", head), name
        assert re.match(r" {8}\d {2} {7}[-\d] ", first), first
    assert "*on screen*" in page
    assert "*In files*" in page


# ---------------------------------------------------------------------------------------------------
# What they do
# ---------------------------------------------------------------------------------------------------

DECLARED = """from racelab.sessions import Session, program
SESSIONS = {
    "talk": Session("A talk", "talk --loud", program("printf", %r), needs=("gdb",), shape=(r"at (\\w+):(\\d+)",)),
}
"""
LONG = "".join(f"line {n}\n" for n in range(30)) + "it fell at here:12\n" + "and so on\n" * 30


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book with one session that needs a tool, which is here."""
    (tmp_path / "ext/tool").mkdir(parents=True)
    (tmp_path / "ext/tool/sessions.py").write_text(DECLARED % LONG)
    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path))
    monkeypatch.delenv("RACELAB_LIVE", raising=False)
    monkeypatch.setitem(toolbox.NEEDS, "gdb", lambda: "")
    return tmp_path


@pytest.mark.usefixtures("book")
def test_a_session_is_recorded_and_comes_back() -> None:
    recording.record("tool")

    shown = rl.session("tool", "talk", live=False)
    assert shown.output == LONG.strip()
    assert not shown.live
    assert shown.stamp.startswith("recorded on 20")
    assert f"Python {rl.environment().python}" in shown.stamp
    assert rl.environment().cpu in shown.stamp
    assert recording.drift("tool") == []


@pytest.mark.usefixtures("book")
def test_it_runs_live_where_its_tools_are() -> None:
    shown = rl.session("tool", "talk")

    assert shown.live
    assert shown.stamp.startswith("run here just now")
    assert "racelab-live" in shown._repr_html_()
    assert "</strong> (live)" in shown._repr_html_()


@pytest.mark.usefixtures("book")
def test_without_its_tool_it_is_shown_as_recorded_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording.record("tool")
    monkeypatch.setitem(toolbox.NEEDS, "gdb", lambda: "no gdb here")

    shown = rl.session("tool", "talk")

    assert not shown.live
    assert "Not run here: no gdb here." in str(shown)
    assert "racelab-recorded" in shown._repr_html_()
    assert "</strong> (recorded)" in shown._repr_html_()
    assert "recorded on" in shown._repr_html_()
    with pytest.raises(ValueError, match="cannot be run here: no gdb here"):
        rl.session("tool", "talk", live=True)


@pytest.mark.usefixtures("book")
def test_one_variable_shows_all_of_them_as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    recording.record("tool")
    monkeypatch.setenv("RACELAB_LIVE", "0")

    for live in (None, False):
        shown = rl.session("tool", "talk", live=live)
        assert not shown.live
        assert "Not run here" not in shown.stamp


@pytest.mark.usefixtures("book")
def test_one_variable_runs_also_what_a_page_shows_as_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording.record("tool")
    took = rl.recorded("tool").rows("talk")[0]["seconds"]

    shown = rl.session("tool", "talk", live=False)
    assert not shown.live
    assert shown.stamp.endswith(
        f" Not run here: it took {took:g} s then; RACELAB_LIVE=all runs it."
    )

    monkeypatch.setenv("RACELAB_LIVE", "all")
    assert rl.session("tool", "talk", live=False).live
    assert rl.session("tool", "talk").live

    monkeypatch.setitem(toolbox.NEEDS, "gdb", lambda: "no gdb here")
    shown = rl.session("tool", "talk", live=False)
    assert not shown.live
    assert shown.stamp.endswith(" Not run here: no gdb here.")


def test_a_run_without_its_shape_is_never_shown_as_if_it_were_right(book: Path) -> None:
    recording.record("tool")
    file = book / "ext/tool/sessions.py"
    file.write_text(file.read_text().replace("here:12", "nowhere"))

    shown = rl.session("tool", "talk")

    assert not shown.live
    assert "at here:12" in shown.output
    assert shown.stamp.endswith(
        " A run here just now had no line like \u201cit fell at here:12\u201d."
    )


def test_a_reader_is_told_in_words_what_a_run_had_not(book: Path) -> None:
    """Of a long line its beginning, without the blanks of a table; never a regular expression."""
    file = book / "ext/tool/sessions.py"
    long = "sanitizer(race)     2 of 2  FORBIDDEN " + "because " * 9
    file.write_text(DECLARED.replace(r"at (\w+):(\d+)", r"sanit\w+\(race") % f"{long}\n")
    recording.record("tool")
    file.write_text(file.read_text().replace("sanitizer(race)     2", "nothing"))
    stamp = rl.session("tool", "talk").stamp

    assert stamp.endswith(
        "no line like \u201csanitizer(race) 2 of 2 FORBIDDEN because because because ...\u201d."
    )
    one = Session("-", "-", program("true"), shape=lambda _: None)
    assert one.lacks_of("a", "b") == "not all that is told of here"


def test_what_has_not_its_shape_is_not_recorded(book: Path) -> None:
    recording.record("tool")
    kept = (book / "notebooks/recorded/tool.jsonl").read_bytes()
    file = book / "ext/tool/sessions.py"
    file.write_text(file.read_text().replace("here:12", "nowhere"))

    with pytest.raises(ValueError, match="in 2 tries its output had not a line with"):
        recording.record("tool")

    assert (book / "notebooks/recorded/tool.jsonl").read_bytes() == kept
    assert "something in ext/ or a cell that talk depends on changed" in recording.drift("tool")[0]


def test_a_folder_that_a_session_uses_counts_as_a_source(book: Path) -> None:
    (book / "ext/other").mkdir()
    (book / "ext/other/a.c").write_text("int a;\n")
    file = book / "ext/tool/sessions.py"
    file.write_text(file.read_text() + 'DEPENDS = ["other"]\n')
    recording.record("tool")
    assert recording.drift("tool") == []

    (book / "ext/other/a.c").write_text("int b;\n")

    assert len(recording.drift("tool")) == 1


@pytest.mark.usefixtures("book")
def test_a_long_output_is_folded_around_what_tells() -> None:
    whole = rl.session("tool", "talk")
    assert whole.folded.splitlines() == [
        "... 29 lines ...", "line 29", "it fell at here:12", "and so on", "... 29 lines ...",
    ]  # fmt: skip
    assert str(whole).startswith("$ talk --loud\n... 29 lines")
    assert "All 61 lines" in whole._repr_html_()

    part = rl.session("tool", "talk", lines=(2, 3))
    assert part.folded.splitlines() == ["... 1 line ...", "line 1", "line 2", "... 58 lines ..."]
    for lines in ("all", (1, 100)):
        every = rl.session("tool", "talk", lines=lines)  # type: ignore[arg-type]
        assert every.folded == every.output == LONG.strip()
        assert "<details>" not in every._repr_html_()
    near = rl.session("tool", "talk", around=r"line 7$")
    assert near.folded.splitlines()[1:-1] == ["line 6", "line 7", "line 8"]


def test_commands_wrap_at_their_words_and_everything_stays_what_it_was() -> None:
    command = f"racelab race --sanitizer x<y\n--{'long' * 9}"
    output = "out: a-b\n$ next \\\n    --one\nout again"
    page = sessions.Transcript("t", command, output, "exit status 0", "s", live=True)._repr_html_()

    (shown,) = re.findall(r"<pre.*?>(.*)</pre>", page, re.S)
    assert shown.count("display:block") == 4  # a block ends its line by itself
    lines = shown.replace('<span style="display', '\n<span style="display')
    lines = html.unescape(re.sub("<[^>]*>", "", lines.replace("</span>out", "\nout")))
    assert [line for line in lines.splitlines() if line] == f"$ {command}\n{output}".splitlines()
    assert 'nowrap">--sanitizer</span>' in shown
    assert f">--{'long' * 9}</span>" in shown  # too long to stay in one piece
    assert "nowrap" not in shown.partition("a-b")[2].partition("next")[0]


def shown_of(output: str) -> str:
    """What a page shows of an output, below its command."""
    page = sessions.Transcript("t", "c", output, "exit status 1", "s", live=True)._repr_html_()
    (shown,) = re.findall(r"<pre.*?>(.*)</pre>", page, re.S)
    return str(shown.partition("$</span> <span>c")[2] or shown)


def test_the_table_of_a_race_is_one_on_the_page_whose_texts_wrap_in_their_columns() -> None:
    """A grade is cut off otherwise, where an outcome is long: what is FORBIDDEN would not be seen."""
    (row,) = rl.recorded("tsan").rows("race")
    lines = row["output"].splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("outcome "))
    rows = lines[head : lines.index("", head)]

    shown = shown_of(row["output"])

    assert shown.count("display:table-row") == len(rows) > 3
    for line, made in zip(
        rows, re.findall(r"table-row\">(.*?) </span></span>", shown), strict=True
    ):
        cells = [html.unescape(cell) for cell in re.findall(r"<span[^>]*>([^<]*?) ?(?=<|$)", made)]
        words = re.split(r" {2,}", line)
        if "" in cells:  # how a process ended has no count of rounds
            assert cells[1] == ""
            cells.remove("")
        assert cells == words
    assert "white-space:normal" in shown


def test_what_a_race_says_below_its_table_wraps_beside_its_label_and_nothing_else_does() -> None:
    table = "outcome  rounds  repetitions  grade       why\nfine          3       1 of 1  ACCEPTABLE  so it is"
    said = "note            a <long> sentence\n                  inside of it"
    shown = shown_of(f"before: a long line\na_lab, broken: Is it?\n\n{table}\n\n{said}")

    assert re.search(r'padding-left:16ch;[^"]*">note +a &lt;long&gt; sentence</span>', shown)
    assert re.search(r'padding-left:20ch;[^"]*"> +inside of it</span>', shown)
    assert "before: a long line\n" in shown
    assert re.search(r'padding-left:2ch;[^"]*">a_lab, broken: Is it\?</span>', shown)
    assert "display:table" not in shown_of("fine          3       1 of 1  ACCEPTABLE  so it is")


@pytest.mark.usefixtures("book")
def test_what_there_is_not_is_named_with_what_there_is() -> None:
    with pytest.raises(LookupError, match="no session 'walk'; it has: talk"):
        rl.session("tool", "walk")
    with pytest.raises(FileNotFoundError, match="racelab record tool"):
        rl.session("tool", "talk", live=False)


# ---------------------------------------------------------------------------------------------------
# Shapes
# ---------------------------------------------------------------------------------------------------


def shaped(*patterns: str) -> Session:
    return Session("-", "-", program("true"), shape=patterns)


def test_a_shape_is_found_in_its_order_and_says_which_function_and_line() -> None:
    one = shaped(r"in (\w+) at a\.c:(\d+)", r"^end$")

    assert one.outline("x\nin foo at a.c:3\ny\nend") == ["foo 3", "^end$"]
    assert one.outline("end\nin foo at a.c:3") is None
    assert (
        one.lacks("end\nin foo at a.c:3")
        == r"a line with '^end$' after 'in (\\w+) at a\\.c:(\\d+)'"
    )
    assert one.outline("in foo at a.c:3\nend") != one.outline("in foo at a.c:4\nend")
    assert shaped("a", "a").outline("a") is None


def test_a_shape_may_be_a_function() -> None:
    one = Session("-", "-", program("true"), shape=lambda text: len(text) if text else None)

    assert (one.outline("abc"), one.lacks("abc")) == (3, "")
    assert one.lacks("") == "the shape that it should have"


def test_what_nobody_knows_is_no_need() -> None:
    with pytest.raises(ValueError, match="known are gdb, lldb, clang"):
        Session("-", "-", program("true"), needs=("gbd",)).missing()


# ---------------------------------------------------------------------------------------------------
# Outside programs
# ---------------------------------------------------------------------------------------------------


def test_an_address_keeps_being_itself_and_nothing_of_the_machine_stays() -> None:
    text = outside.clean(
        f"{Path.home()}/x {rl.__file__} LWP 77, LWP 78, LWP 77 0x7ffff7c95000 0x555555b9a 0x7ffff7c95000 0x0"
    )

    assert text.startswith("~/x racelab/__init__.py ")
    assert "LWP 1001, LWP 1002, LWP 1001" in text
    assert text.endswith("0x..01 0x..02 0x..01 0x0")


def test_a_program_ends_as_it_ends_or_at_its_limit() -> None:
    assert outside.run(["sh", "-c", "echo a; echo b >&2; exit 3"]) == outside.Output(
        "a\nb\n", 3, "", pytest.approx(0, abs=60)
    )
    assert outside.run(["sh", "-c", "kill -SEGV $$"]).ended_by == "SIGSEGV"
    assert outside.run(["no-such-program"]).status == 127
    slow = outside.run(["sh", "-c", "echo x; sleep 60 & sleep 60"], timeout_s=0.5)
    assert (slow.text, slow.ended_by, slow.status) == ("x\n", "limit", None)
    assert slow.seconds < 20


def test_pytest_runs_under_another_interpreter(tmp_path: Path) -> None:
    if missing := toolbox.missing(["debug"]):
        pytest.skip("; ".join(missing))
    (tmp_path / "test_a.py").write_text(
        "import sys\ndef test_a():\n    assert hasattr(sys, 'gettotalrefcount')\n"
    )

    seen = sessions.pytest_under("debug", "-q", "test_a.py", folder=tmp_path)()

    assert "1 passed" in seen.text
    assert seen.status == 0


# ---------------------------------------------------------------------------------------------------
# The toolbox
# ---------------------------------------------------------------------------------------------------


def test_doctor_has_a_line_for_every_tool() -> None:
    found = {check.name: check for check in toolbox.checks()}

    assert list(found) == [
        *(["gdb", "py-bt", "cygdb"] if toolbox.find("gdb") else ["gdb"]),
        "lldb", "clang", "llvm-symbolizer", "ThreadSanitizer", "AddressSanitizer", "debug interpreter",
    ]  # fmt: skip
    assert all(check.ok is None for check in found.values())
    for name in ("gdb", "lldb"):
        if toolbox.find(name):
            assert toolbox.number(name) in found[name].found


def test_doctor_says_what_to_do_without_any_of_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("GDB", "LLDB", "CLANG", "LLVM_SYMBOLIZER"):
        monkeypatch.setenv(f"RACELAB_{name}", "/nowhere")

    found = toolbox.checks()

    assert [check.name for check in found if not check.advice] == []
    assert "make tools" in found[0].advice


def test_doctor_knows_the_fault_of_py_bt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gh-142095: py-bt runs, and cannot read a single frame of an optimised interpreter."""
    gdb = tmp_path / "gdb"
    gdb.write_text(
        "#!/bin/sh\necho 'Program received signal SIGTRAP'\n"
        "echo 'Traceback (most recent call first):'\necho '  (unable to read python frame information)'\n"
    )
    gdb.chmod(0o755)
    monkeypatch.setenv("RACELAB_GDB", str(gdb))
    toolbox.probe.cache_clear()
    try:
        check = toolbox._py_bt()
    finally:
        toolbox.probe.cache_clear()

    if toolbox.gdb_extension() is not None:
        assert check.found == "cannot read this interpreter's frames"
        assert "gh-142095" in check.advice


def test_one_version_of_llvm_for_modules_and_for_their_interpreter() -> None:
    text = (ROOT / "tools/_compile.py").read_text()
    found = re.search(r"^CLANG_TO_INSTALL = (\d+)", text, re.M)
    assert found
    assert int(found[1]) == toolbox.LLVM


def test_core_files_are_a_need_that_everybody_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = tmp_path / "core_pattern"
    monkeypatch.setattr(toolbox, "CORE_PATTERN", pattern)
    found = {}
    for where in ("core\n", "core.%p\n", "|/usr/lib/systemd/systemd-coredump %P\n", "/tmp/core\n"):
        pattern.write_text(where)
        found[where.strip()] = toolbox.missing(["core files"])

    assert found["core"] == found["core.%p"] == []
    assert found["/tmp/core"] == ["core files go elsewhere here (/tmp/core)"]
    assert len(found["|/usr/lib/systemd/systemd-coredump %P"]) == 1
    pattern.unlink()
    assert toolbox.missing(["core files"]) == ["core files go elsewhere here (to nobody)"]


def test_doctor_names_the_way_round_cygdb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolbox, "run", lambda *_, **__: outside.Output("SyntaxError: ...", 1))

    advice = toolbox._cygdb().advice

    assert "3.3.0 and 3.3.1" in advice
    (script,) = re.findall(r"ext/\S+", advice)
    assert (ROOT / script).is_file()


def test_one_symbolizer_for_needs_and_for_sanitizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "llvm-symbolizer"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.delenv("TSAN_SYMBOLIZER_PATH", raising=False)
    monkeypatch.setenv("RACELAB_LLVM_SYMBOLIZER", str(mine))
    assert toolbox.find("llvm-symbolizer") == reports.symbolizer() == str(mine)
    assert reports.symbolizer_option() == [f'external_symbolizer_path="{mine}"']

    monkeypatch.delenv("RACELAB_LLVM_SYMBOLIZER")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert toolbox.find("llvm-symbolizer") == str(mine)
    assert reports.symbolizer_option() == []  # ThreadSanitizer looks on PATH by itself
