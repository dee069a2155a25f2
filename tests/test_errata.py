"""The errata page: every proof is done again, and what was recorded says the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from racelab.recording import load_plan, recorded

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "book/errata.md"
NETWORK = {
    "E2",
    "E12",
    "E13",
    "E16",
}  # they fetch packages: make test-network
COMPILES, NOT, WARNS = "compiles", "does not compile", "compiles, with a warning"

#: What has to come out, case by case. A tuple: either, depending on the compiler.
EXPECTED: dict[str, dict[str, str | tuple[str, ...]]] = {
    "E1": {"as printed": NOT, "corrected": COMPILES},
    "E2": {"as printed": "does not configure", "corrected": "configures"},
    "E3": {
        "endif, as printed": WARNS,
        "endif, corrected": COMPILES,
        "return, as printed": (WARNS, NOT),
        "return, as printed, imported": ("error(SystemError)", "ok", NOT),
        "return, corrected": COMPILES,
        "return, corrected, imported": "ok",
        "semicolon, as printed": NOT,
        "semicolon, corrected": COMPILES,
    },
    "E4": {
        "as printed": "pytest never started",
        "corrected, for one command": "pytest ran",
        "corrected, for all that follow": "pytest ran",
    },
    "E5": {
        "the manual": "Shortcut for --capture=no",
        "-s": "the test's output comes through",
        "--capture=no": "the test's output comes through",
        "--show-capture=all": "the test's output is swallowed",
    },
    "E6": {
        "the kernel of this book": "free-threaded, not a debug build",
        "another": "with a GIL, not a debug build",
    },
    "E7": {
        "threading.RLock, which is re-entrant": "no other thread came in",
        "the GIL": "another thread came in",
        "the same, where there is no GIL": "another thread came in",
        "taking the GIL again": "crash(SIGABRT)",
        "attaching again, where there is none": "crash(SIGABRT)",
    },
    "E8": {"without barrier.wait()": "measured", "with barrier.wait()": "measured"},
    "E9": {
        "e9-forms.c": "one file, three ways",
        "#ifdef Py_GIL_DISABLED, 3.13t": COMPILES,
        "#if PY_VERSION_HEX >= 0x030D0000, 3.13t": COMPILES,
        "no #if, 3.13t": COMPILES,
        "#ifdef Py_GIL_DISABLED, an older version": COMPILES,
        "#if PY_VERSION_HEX >= 0x030D0000, an older version": COMPILES,
        "no #if, an older version": NOT,
        "#ifdef Py_GIL_DISABLED, imported": "the GIL stays off",
        "#if PY_VERSION_HEX >= 0x030D0000, imported": "the GIL stays off",
    },
    "E10": {"the GIL on": "1 at once", "the same, the GIL off": "2 at once"},
    "E11": {"with the limited API": NOT, "with the whole API": COMPILES},
    "E12": {"on 3.13t": "no CFFI", "for 3.14t": "a wheel"},
    "E13": {"3.0.11": NOT, "what pip brings": ("a wheel for any platform", "a compiled wheel")},
    "E14": {"as printed": "AttributeError", "corrected": "finds its own cache"},
    "E15": {"as printed": "starts, and says that it is deprecated", "corrected": "starts"},
    "E16": {
        "gdb": "both functions",
        "lldb": "no such command",
        "lldb with cpython_lldb 0.3.3": "no traceback",
    },
    "N1": {
        "lower case, on the command line": "accepted",
        "lower case, in a comment": "refused",
        "as Python writes it, in a comment": "accepted",
    },
}
#: Cases that need something which a machine need not have: an older Python with its headers.
OPTIONAL = {
    ("E6", "another"),
    *(("E9", case) for case in EXPECTED["E9"] if case.endswith("an older version")),
}


def problems(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """How the rows of a proof differ from what has to come out."""
    seen = {row["case"]: row["verdict"] for row in rows}
    if name == "E13":  # named by the version in the lock
        own = next((case for case in seen if case.endswith("this book's")), None)
        if own is None or seen.pop(own) != COMPILES:
            return ["E13: this book's own Cython does not build"]
    found = [f"{name}: {case!r} is new" for case in seen if case not in EXPECTED[name]]
    for case, wanted in EXPECTED[name].items():
        verdict = seen.get(case)
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if verdict is None and (name, case) in OPTIONAL:
            continue
        if verdict not in allowed:
            found.append(f"{name}, {case}: {verdict!r}, not {' or '.join(map(repr, allowed))}")
    return found


@pytest.fixture(scope="module")
def proofs() -> Any:
    """The proofs by name. What one has done already, to files with the same text, is not done again."""
    measurements = load_plan("errata").measurements
    known = measurements["E1"].__globals__
    known["shell"] = remembered(known["shell"])
    return measurements


def remembered(shell: Any) -> Any:
    """`shell`, once for each command and each text of the files that it reads.

    Starting programs is most of what a proof costs, and where one snippet is exchanged below, the others are as they were.
    """
    done: dict[Any, Any] = {}

    def run(command: str, folder: Path | None = None, *more: Any, **options: Any) -> Any:
        snippets = shell.__globals__["SNIPPETS"]
        named = [path for path in snippets.iterdir() if path.name in command]
        read = sorted(
            path for path in (*named, *(folder or ROOT / "gone").glob("*")) if path.is_file()
        )
        places = rf"{re.escape(tempfile.gettempdir())}/tmp\w+|{re.escape(str(snippets))}"
        key = (
            re.sub(places, "PLACE", command),
            tuple((path.name, path.read_bytes()) for path in read),
            repr((more, options)),
        )
        if key not in done:
            done[key] = shell(command, folder or snippets, *more, **options)
        return done[key]

    return run


def test_every_erratum_of_the_list_has_a_proof_and_a_place_on_the_page(proofs: Any) -> None:
    page = PAGE.read_text()
    assert set(proofs) == set(EXPECTED) == {*(f"E{n}" for n in range(1, 17)), "N1"}
    for name in EXPECTED:
        assert f"```{{erratum}} {name}\n" in page
        assert f"(erratum-{name.lower()})=\n### {name}: " in page
        assert f"[{name}](#erratum-{name.lower()})" in page


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - NETWORK))
def test_proof_comes_out_as_the_page_says(name: str, proofs: Any) -> None:
    rows = proofs[name](2) if name == "E8" else proofs[name]()

    assert problems(name, rows) == []


@pytest.mark.network
@pytest.mark.parametrize("name", sorted(NETWORK))
def test_proof_that_fetches_comes_out_as_the_page_says(name: str, proofs: Any) -> None:
    if os.environ.get("RACELAB_NETWORK") != "1":
        pytest.skip("needs the network: make test-network")

    assert problems(name, proofs[name]()) == []


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_recorded_came_out_the_same(name: str) -> None:
    """Also for the proofs that need the network; one that could not be run is not a proof."""
    rows = recorded("errata").rows(name)

    assert problems(name, rows) == []


def test_without_the_wait_hardly_any_call_has_company() -> None:
    """What E8 says of the first pair of lines, and that the second is measured in the same way."""
    rows = {row["case"]: row for row in recorded("errata").rows("E8")}

    assert rows["without barrier.wait()"]["alone"] > 0.9
    assert rows["with barrier.wait()"]["apart_us"] > 0


def test_no_row_names_this_machine() -> None:
    text = (ROOT / "notebooks/recorded/errata.jsonl").read_text()
    said = [row for line in text.splitlines() for row in json.loads(line)["rows"]]

    for row in said:
        shown = f"{row['command']}\n{row['said']}\n{row.get('code', '')}"
        assert not re.search(r"\w+://", shown), shown
        assert not re.search(r"(?<![\w.])/(?:root|home|tmp|usr|opt|work)\b", shown), shown


# -- every proof can fail ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "printed", "corrected"),
    [
        ("E1", "e1-as-printed.c", "e1-corrected.c"),
        ("E3", "e3-endif-as-printed.c", "e3-endif-corrected.c"),
        ("E3", "e3-return-as-printed.c", "e3-return-corrected.c"),
        ("E3", "e3-semicolon-as-printed.c", "e3-semicolon-corrected.c"),
        ("E4", "e4-as-printed.sh", "e4-corrected.sh"),
        ("E11", "e11.c", "e1-as-printed.c"),
        ("E14", "e14-as-printed.py", "e14-corrected.py"),
        ("E14", "e14-corrected.py", "e14-as-printed.py"),
        ("N1", "n1_lower.pyx", "n1_upper.pyx"),
    ],
)
def test_proof_fails_where_the_slip_is_not_there(
    name: str,
    printed: str,
    corrected: str,
    proofs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one file exchanged for another the proof must come out otherwise."""
    place = tmp_path / "snippets"
    source = ROOT / "ext/errata/snippets"
    shutil.copytree(source, place)
    shutil.copy(source / corrected, place / printed)
    monkeypatch.setitem(proofs[name].__globals__, "SNIPPETS", place)

    assert problems(name, proofs[name]()) != []


@pytest.mark.parametrize(
    ("name", "file", "slip", "without"),
    [
        ("E7", "e7.c", "Py_MOD_GIL_NOT_USED", "Py_MOD_GIL_USED"),
        ("E7", "e7.c", "PyThreadState *saved = PyEval_SaveThread();", "PyThreadState *saved = 0;"),
        (
            "E9",
            "e9-forms.c",
            "    {Py_mod_gil, Py_MOD_GIL_NOT_USED},\n#endif\n#elif",
            "#endif\n#elif",
        ),
        ("E10", "e10.c", "Py_MOD_GIL_NOT_USED", "Py_MOD_GIL_USED"),
    ],
)
def test_proof_fails_on_other_code(
    name: str,
    file: str,
    slip: str,
    without: str,
    proofs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = shutil.copytree(ROOT / "ext/errata/snippets", tmp_path / "snippets")
    text = (place / file).read_text()
    assert slip in text
    (place / file).write_text(text.replace(slip, without))
    monkeypatch.setitem(proofs[name].__globals__, "SNIPPETS", place)

    assert problems(name, proofs[name]()) != []


def test_a_proof_that_was_not_run_is_a_problem() -> None:
    rows = [{"case": "", "verdict": "not run here", "command": "", "said": "no network"}]

    for name in NETWORK:
        assert problems(name, rows) != []
