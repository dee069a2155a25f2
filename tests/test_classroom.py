"""The class: what the server takes and refuses, 60 learners at once, a server that dies, learners without a network."""

from __future__ import annotations

import ast
import http.client
import inspect
import json
import random
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import classroom as fake
import pytest
import tomllib

import racelab as rl
from racelab import checking
from racelab._cli_classroom import PORT
from racelab.checking import Step, Verdict
from racelab.classroom import client, server
from racelab.classroom.entry import (
    REASONS,
    VERDICTS,
    ClassError,
    Entry,
    columns,
    parse,
    valid_name,
)
from racelab.classroom.server import Limit
from racelab.classroom.store import SCHEMA, VERSION, Store
from racelab.course import Course
from racelab.exercise import find_exercise
from racelab.lab import ACCEPTABLE, FORBIDDEN
from racelab.result import Repetition, Result
from racelab.show import find_ext

ROOT = find_ext().parent


#: Nothing here takes so long, however busy the machine is.
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fake.Server]:
    """One server for everything that leaves it as it was."""
    with fake.served(tmp_path_factory.mktemp("class") / "class.sqlite") as one:
        yield one


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's `work` of its own; the class may take its time to answer, for the machine may be busy."""
    monkeypatch.setattr(client, "ANSWER_S", PATIENCE_S)
    monkeypatch.setattr(client, "END_S", PATIENCE_S)
    monkeypatch.setenv("RACELAB_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))
    return tmp_path / "work"


def verdict(word: Any = "FAIL", reason: str = "race") -> Verdict:
    """A verdict as a check would give it."""
    return Verdict(
        exercise="two_counters",
        verdict=word,
        reason=reason,
        steps=(Step("compiles", "yes"),),
        says="",
        failed=3,
        rounds=1000,
        power_failed=9,
        power_rounds=900,
        power_interval=(0.004, 0.02),
    )


def result(failed: list[int], rounds: int = 20, **more: Any) -> Result:
    """A race with one repetition for each number, in which so many rounds failed."""
    repetitions = tuple(
        Repetition({"lost": k, "kept": rounds - k}, "ok", rounds, 0.1, failed_rounds=k)
        for k in failed
    )
    facts: dict[str, Any] = {
        "lab": "lost_update",
        "variant": "broken",
        "question": "",
        "outcomes": {"lost": sum(failed), "kept": rounds * len(failed) - sum(failed)},
        "grades": {"lost": FORBIDDEN("lost"), "kept": ACCEPTABLE("kept")},
        "endings": (),
        "repetitions": repetitions,
        "threads": 2,
        "gil": False,
    }
    return Result(**{**facts, **more})


def wait_for(holds: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


# ---------------------------------------------------------------------------------------------------
# Entries
# ---------------------------------------------------------------------------------------------------


def test_words_of_verdicts_are_those_of_the_checker() -> None:
    """Every `_Stop("FAIL", "compile", ...)` of the checker is one that the server knows."""
    stops = [
        [arg.value for arg in call.args[:2]]
        for call in ast.walk(ast.parse(inspect.getsource(checking)))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "_Stop"
    ]
    assert {word for word, _ in stops} == set(VERDICTS)
    assert {reason for _, reason in stops} == set(REASONS)


@pytest.mark.parametrize("word", VERDICTS)
def test_a_verdict_travels(word: str) -> None:
    entry = Entry.of_verdict(verdict(word), "a" * 32, "Ada")
    assert parse(json.dumps(entry.as_json()).encode()) == entry
    assert (entry.failed, entry.rounds, entry.power_failed, entry.power_rounds) == (3, 1000, 9, 900)
    assert entry.interval == (0.004, 0.02)


def test_a_race_travels_with_its_curve() -> None:
    entry = Entry.of_result(result([0, 0, 3, 0, 1] * 60), "a" * 32, "Ada")
    assert parse(json.dumps(entry.as_json()).encode()) == entry
    assert (entry.failed_repetitions, entry.repetitions, entry.first, entry.per) == (
        120,
        300,
        3,
        20,
    )
    assert (entry.failed, entry.rounds) == (240, 6000)
    assert entry.points[:4] == ((1, 0), (2, 0), (3, 1), (4, 1))
    assert entry.points[-1] == (300, 120)
    assert len(json.dumps({**entry.as_json(), "age": 99})) < server.LARGEST_BODY / 2


def test_a_race_that_ends_processes_counts_their_last_round() -> None:
    died = Repetition({"kept": 5}, "crash(SIGSEGV)", 5, 0.1, failed_rounds=1)
    grades = {"kept": ACCEPTABLE("kept"), "crash(SIGSEGV)": FORBIDDEN("dead")}
    entry = Entry.of_result(
        result([], repetitions=(died, died), grades=grades, endings=("crash(SIGSEGV)",)),
        "a" * 32,
        "Ada",
    )
    assert (entry.failed, entry.rounds, entry.failed_repetitions, entry.per) == (2, 12, 2, 0)
    assert parse(json.dumps(entry.as_json()).encode()) == entry


@pytest.mark.parametrize(
    "raced",
    [
        result([19, 0, 1, 0, 0, 17, 2, 0], rounds=1000),
        result([0] * 100, rounds=1),
        result([1] * 18 + [0] * 2, rounds=1),
        result([20, 20]),
        result([0, 3, 1, 0], confidence=0.5),
        result([1, 0, 2], mode="cold"),
    ],
)
def test_the_intervals_of_a_race_are_racelabs_own(raced: Result) -> None:
    """Where processes differ more than chance allows they are the wide ones; 95 %, whatever was asked for."""
    entry = Entry.of_result(raced, "a" * 32, "Ada")
    assert parse(json.dumps(entry.as_json()).encode()) == entry
    said = replace(raced, confidence=0.95)
    rounds, whole = said.rate_per_round, said.rate_per_repetition
    assert rounds is not None
    assert whole is not None
    shown = whole if raced.mode == "cold" else rounds
    assert (entry.failed, entry.rounds) == (shown.failed, shown.runs)
    assert entry.interval == (shown.low, shown.high)
    assert entry.repetition_interval == (whole.low, whole.high)


def test_a_race_on_a_machine_that_shows_nothing_says_so() -> None:
    silent, sure = result([0, 0], calibrated=False), result([0, 0], calibrated=True)
    assert silent.exit_status == 3
    entries = [Entry.of_result(one, "a" * 32, "Ada") for one in (silent, sure)]
    assert [entry.inconclusive for entry in entries] == [True, False]
    assert parse(json.dumps(entries[0].as_json()).encode()) == entries[0]
    assert not Entry.of_result(result([0, 1], calibrated=False), "a" * 32, "Ada").inconclusive


def test_a_check_knows_the_interval_of_its_starter() -> None:
    """It is that of the race of the starter, not one of rounds taken as independent."""
    power = checking._Count()
    assert power.rate is None
    for failed in ([19, 0, 1, 0], [0, 17, 2, 0]):
        power.add(result(failed, rounds=1000))
    rate = result([19, 0, 1, 0, 0, 17, 2, 0], rounds=1000).rate_per_round
    assert rate is not None
    assert power.rate == rate
    assert rate.method == "over processes"


def test_entries_of_an_older_racelab_are_taken() -> None:
    new = ("interval", "repetition_interval", "inconclusive")
    for one in (CHECK, RACE):
        entry = parse(json.dumps({k: v for k, v in one.items() if k not in new}).encode())
        assert (entry.interval, entry.repetition_interval, entry.inconclusive) == ((), (), False)


def test_races_that_nobody_can_compare_are_not_shared() -> None:
    for odd in (
        result([1], sanitizer="thread"),
        result([1], stride=8),
        result([1], lab="My lab!"),
        result([]),
    ):
        with pytest.raises(ClassError):
            Entry.of_result(odd, "a" * 32, "Ada")


@pytest.mark.parametrize("name", ["Ada", "山田 花子", "Zoë", "x" * 40, "<script>", "O'Brien"])
def test_names(name: str) -> None:
    assert valid_name(f" {name} ") == name


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\nb", "a\u202eb", "\ud800", "a\x00"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ClassError, match="1 to 40 letters"):
        valid_name(name)


CHECK = fake.Learner(1).check(verdict="FAIL")
RACE = fake.Learner(1).race(200)
WRONG: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (CHECK, {"key": "x" * 32}),
    (CHECK, {"key": 5}),
    (CHECK, {"learner": "A" * 32}),
    (CHECK, {"name": ""}),
    (CHECK, {"name": " Ada"}),
    (CHECK, {"name": "a\u0000b"}),
    (CHECK, {"name": "x" * 41}),
    (CHECK, {"machine": "x" * 81}),
    (CHECK, {"machine": " "}),
    (CHECK, {"cores": 0}),
    (CHECK, {"cores": True}),
    (CHECK, {"cores": "2"}),
    (CHECK, {"cores": 1e9}),
    (CHECK, {"kind": "exam"}),
    (CHECK, {"kind": ["check"]}),
    (CHECK, {"subject": "../etc"}),
    (CHECK, {"subject": "x" * 65}),
    (CHECK, {"verdict": "pass"}),
    (CHECK, {"verdict": ""}),
    (CHECK, {"reason": "because"}),
    (CHECK, {"unit": "call"}),
    (CHECK, {"failed": -1}),
    (CHECK, {"failed": 1.0}),
    (CHECK, {"failed": True}),
    (CHECK, {"failed": 5, "rounds": 4}),
    (CHECK, {"power_failed": 5, "power_rounds": 4}),
    (CHECK, {"rounds": 10**15 + 1}),
    (CHECK, {"widened": 1}),
    (CHECK, {"repetitions": 3}),
    (CHECK, {"points": [[1, 0]]}),
    (CHECK, {"age": 8 * 24 * 3600}),
    (CHECK, {"interval": [0.5, 0.6]}),
    (CHECK, {"repetition_interval": [0.0, 1.0]}),
    (RACE, {"inconclusive": True, "failed": 0}),
    (RACE, {"repetition_interval": [1e-120, 1.0]}),
    (CHECK, {"inconclusive": True}),
    (CHECK, {"password": "secret"}),
    (RACE, {"verdict": "PASS"}),
    (RACE, {"variant": "Broken!"}),
    (RACE, {"threads": 0}),
    (RACE, {"power_rounds": 3}),
    (RACE, {"first": 0}),
    (RACE, {"first": 201}),
    (RACE, {"points": []}),
    (RACE, {"points": [[200, 200]]}),
    (RACE, {"points": [[1, 2], *RACE["points"][1:]]}),
    (RACE, {"points": [*RACE["points"][::-1]]}),
    (RACE, {"points": [RACE["points"][0], RACE["points"][0], *RACE["points"][2:]]}),
    (RACE, {"threads": True}),
    (RACE, {"points": [[n, 0] for n in range(1, 30)]}),
    (RACE, {"points": [[1, 0, 0]]}),
    (RACE, {"points": [[1, "0"]]}),
    (RACE, {"points": {"1": 0}}),
    (RACE, {"failed_repetitions": 201}),
    (RACE, {"repetitions": 0, "failed_repetitions": 0}),
    *(
        (RACE, {name: wrong})
        for name in ("interval", "repetition_interval")
        for wrong in (
            *([0.0], [0.0, 0.5, 1.0], [-0.1, 1.0], [0.0, 1.1], [1.0, 0.0], [0.9, 1.0]),
            *([0.0, 0.0001], [0.0, True], [0.0, "1"], {"low": 0}, 1.0, [0.0, float("nan")]),
        )
    ),
    (RACE, {"inconclusive": True}),
    (RACE, {"inconclusive": 0}),
]


@pytest.mark.parametrize(("good", "wrong"), WRONG, ids=[json.dumps(w)[:40] for _, w in WRONG])
def test_what_is_wrong_is_refused(good: dict[str, Any], wrong: dict[str, Any]) -> None:
    parse(json.dumps(good).encode())
    with pytest.raises(ClassError) as error:
        parse(json.dumps({**good, **wrong}).encode())
    assert str(error.value).endswith(".")
    for value in wrong.values():  # what somebody has sent is not sent back to anybody
        assert str(value) not in str(error.value) or len(str(value)) < 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 4000,
        json.dumps({**CHECK, "cores": float("nan")}).encode(),
        json.dumps({**CHECK, "age": float("inf")}).encode(),
    ],
)
def test_what_is_no_entry_is_refused(body: bytes) -> None:
    with pytest.raises(ClassError):
        parse(body)


def test_what_is_missing_is_named() -> None:
    for name in ("key", "learner", "name", "machine", "cores", "kind", "subject"):
        with pytest.raises(ClassError, match=f"{name} is missing"):
            parse(json.dumps({k: v for k, v in CHECK.items() if k != name}).encode())


# ---------------------------------------------------------------------------------------------------
# The store
# ---------------------------------------------------------------------------------------------------


@pytest.fixture
def stores() -> Iterator[Callable[[Path], Store]]:
    """Opens stores, and closes them in the end."""
    opened: list[Store] = []

    def opens(file: Path) -> Store:
        opened.append(Store(file))
        return opened[-1]

    yield opens
    for one in opened:
        one.close()


def entry_of(sent: dict[str, Any]) -> Entry:
    return parse(json.dumps(sent).encode())


def test_the_same_key_counts_once(tmp_path: Path, stores: Callable[[Path], Store]) -> None:
    store = stores(tmp_path / "a.sqlite")
    one = entry_of(fake.Learner(1).race())
    assert store.add(one) == (1, True)
    assert store.add(one) == (1, False)
    assert store.standing() == (1, 1)


def test_a_name_may_be_changed_and_two_may_have_one(
    tmp_path: Path, stores: Callable[[Path], Store]
) -> None:
    store = stores(tmp_path / "a.sqlite")
    for number, name in ((1, "Ada"), (2, "Ada"), (1, "Countess")):
        store.add(
            entry_of(
                {
                    **fake.Learner(number).race(),
                    "name": name,
                    "key": f"{number}{name}".encode().hex().zfill(32),
                }
            )
        )
    assert store.after(0)["learners"] == {1: "Countess", 2: "Ada"}


def test_results_come_in_pages(
    tmp_path: Path, stores: Callable[[Path], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("racelab.classroom.store.PAGE", 7)
    store = stores(tmp_path / "a.sqlite")
    learner = fake.Learner(1)
    for _ in range(10):
        store.add(entry_of(learner.check()))
    first = store.after(0)
    rest = store.after(first["results"][-1]["id"])
    assert [len(first["results"]), len(rest["results"])] == [7, 3]
    assert first["newest"] == rest["newest"] == rest["results"][-1]["id"]
    assert store.after(rest["newest"])["results"] == []


def test_a_file_of_the_version_before_goes_on(
    tmp_path: Path, stores: Callable[[Path], Store]
) -> None:
    """What is in it stays, without the intervals that nobody had handed in; new results have theirs."""
    file = tmp_path / "a.sqlite"
    database = sqlite3.connect(file)
    database.executescript(
        f"{SCHEMA} INSERT INTO class VALUES ('abc', 'to-ken'); PRAGMA user_version = 1;"
    )
    old = columns(entry_of(RACE))
    names = [row[1] for row in database.execute("PRAGMA table_info(results)")]
    kept = {name: old[name] for name in names if name in old}
    database.execute("INSERT INTO learners (id, name) VALUES ('x', 'Ada')")
    database.execute(
        f"INSERT INTO results (at, learner, {', '.join(kept)}) VALUES (1, 1, {', '.join('?' * len(kept))})",
        list(kept.values()),
    )
    database.commit()
    database.close()

    for _ in range(2):  # the second time there is nothing to add
        store = stores(file)
        assert (store.id, store.token) == ("abc", "to-ken")
        store.add(entry_of(CHECK))
        first, second = store.after(0)["results"]
        assert (first["interval"], first["repetition_interval"], first["inconclusive"]) == (
            [],
            [],
            False,
        )
        assert first["points"] == RACE["points"]
        assert second["interval"] == CHECK["interval"]
        store.close()


def test_who_has_left_is_known_until_they_come_again(
    tmp_path: Path, stores: Callable[[Path], Store]
) -> None:
    store = stores(tmp_path / "a.sqlite")
    ada, bob = fake.Learner(1), fake.Learner(2)
    for learner in (ada, bob):
        store.add(entry_of(learner.check()))
    store.leave("f" * 32)  # nobody we know
    assert store.after(0)["left"] == {}
    store.leave(bob.id)
    # Also who asks only for what is new hears of it.
    assert list(store.after(store.after(0)["newest"])["left"]) == [2]
    store.add(entry_of(bob.check()))
    assert store.after(0)["left"] == {}


def test_what_happened_before_is_dated_before(
    tmp_path: Path, stores: Callable[[Path], Store]
) -> None:
    store = stores(tmp_path / "a.sqlite")
    before = time.time()
    store.add(entry_of(fake.Learner(1).check(age=600)))
    [row] = store.after(0)["results"]
    assert before - 600 <= row["at"] <= time.time() - 600


def test_nobody_learns_what_lets_one_hand_in_as_another(
    tmp_path: Path, stores: Callable[[Path], Store]
) -> None:
    store = stores(tmp_path / "a.sqlite")
    learner = fake.Learner(77)
    sent = learner.race()
    store.add(entry_of(sent))
    shown = json.dumps(store.after(0))
    assert learner.id not in shown
    assert sent["key"] not in shown
    assert store.token not in shown


def test_files_that_are_none_of_ours_are_left_alone(
    tmp_path: Path, stores: Callable[[Path], Store]
) -> None:
    text, other, newer = tmp_path / "a.txt", tmp_path / "b.sqlite", tmp_path / "c.sqlite"
    text.write_text("My thesis. " * 200)
    sqlite3.connect(other).execute("CREATE TABLE mine (x)").connection.close()
    stores(newer).close()
    with sqlite3.connect(newer) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    for file, words in (
        (text, "cannot be used"),
        (other, "not a class's file"),
        (newer, "another version"),
    ):
        before = file.read_bytes()
        with pytest.raises(ClassError, match=words):
            stores(file)
        assert file.read_bytes() == before


def test_commits_reach_the_disk(tmp_path: Path, stores: Callable[[Path], Store]) -> None:
    """Write-ahead log, and flushed at each commit: what a power cut needs."""
    store = stores(tmp_path / "a.sqlite")
    assert store._ask("PRAGMA journal_mode")[0][0] == "wal"
    assert store._ask("PRAGMA synchronous")[0][0] == 2


def test_a_class_keeps_its_identity_and_its_token(
    tmp_path: Path, stores: Callable[[Path], Store]
) -> None:
    first = stores(tmp_path / "a.sqlite")
    seen = first.id, first.token
    first.close()
    again = stores(tmp_path / "a.sqlite")
    assert (again.id, again.token) == seen
    assert stores(tmp_path / "b.sqlite").token != again.token


# ---------------------------------------------------------------------------------------------------
# The server
# ---------------------------------------------------------------------------------------------------


def test_limit_lets_a_burst_pass_and_then_a_steady_stream() -> None:
    now = [0.0]
    limit = Limit(20, clock=lambda: now[0])
    assert [limit.wait("a") for _ in range(20)] == [0] * 20
    assert limit.wait("a") == pytest.approx(3)
    assert limit.wait("b") == 0
    now[0] = 3.01
    assert limit.wait("a") == 0
    assert limit.wait("a") > 2.9


def test_limit_forgets_who_is_silent() -> None:
    now = [0.0]
    limit = Limit(20, clock=lambda: now[0])
    for number in range(10_001):
        limit.wait(str(number))
    now[0] = 61
    limit.wait("a")
    assert len(limit._left) == 1


def test_an_entry_is_taken_and_shown(shared: fake.Server) -> None:
    sent = fake.Learner(501, "<script>alert(1)</script>").race()
    status, answer, _ = shared.ask("POST", "/api/results", sent)
    assert status == 201
    assert shared.ask("POST", "/api/results", sent)[:2] == (200, answer)
    _, news, headers = shared.ask("GET", f"/api/state?since={answer['id'] - 1}")
    assert headers["Content-Type"] == "application/json"
    [row] = news["results"]
    assert news["learners"][str(row["learner"])] == sent["name"]
    for name in ("machine", "cores", "subject", "points", "repetitions", "first", "widened", "gil"):
        assert row[name] == sent.get(name, False)


@pytest.mark.parametrize("path", ["/api/results", "/api/leave", "/api/state", "/api/hello"])
@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", "Basic {token}", "Bearer {token}x", "{token}"]
)
def test_without_the_token_nothing_is_said(shared: fake.Server, path: str, given: str) -> None:
    method = "POST" if path in ("/api/results", "/api/leave") else "GET"
    body = fake.Learner(502).race() if method == "POST" else None
    shown = given.format(token=shared.token)
    status, answer, _ = shared.ask(method, path, body, Authorization=shown)
    assert status == 401
    assert set(answer) == {"error"}


def allowed(per_minute: int, begin: float) -> int:
    """How many a limit may let pass that was not asked before `begin`, and one that it then holds off."""
    return int(per_minute + (time.monotonic() - begin) * per_minute / 60) + 1


def test_wrong_tokens_are_limited_and_shut_nobody_out(tmp_path: Path) -> None:
    """Pages left open since another class, behind the address of everybody in the room."""
    with fake.served(tmp_path / "class.sqlite") as one:
        wrong, right = [], []
        begin = time.monotonic()
        while not wrong or wrong[-1][0] == 401:
            wrong.append(one.ask("GET", "/api/hello", Authorization="Bearer wrong"))
            right.append(one.ask("GET", "/api/state")[0])
            assert len(wrong) <= allowed(server.WRONG_TOKENS, begin)
        entry = fake.Learner(507).check()
        assert one.ask("POST", "/api/results", entry)[0] == 201
        guess = one.ask("POST", "/api/results", entry, Authorization="Bearer wrong")
        assert guess[0] in (401, 429)

    assert set(right) == {200}
    statuses = [status for status, _, _ in wrong]
    assert statuses[: server.WRONG_TOKENS] == [401] * server.WRONG_TOKENS
    assert statuses[-1] == 429
    assert wrong[-1][1]["error"].startswith("Too many wrong tokens. Try again in ")
    assert int(wrong[-1][2]["Retry-After"]) >= 1


def test_what_is_too_large_is_cut_off(shared: fake.Server) -> None:
    entry = fake.Learner(503).race()
    assert shared.ask("POST", "/api/results", {**entry, "machine": "x" * 5000})[0] == 413
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {shared.token}", "Content-Type": "application/json"}
    pieces = iter([b" " * 1000] * 6)  # chunked: nobody has said how long it will be
    connection.request("POST", "/api/results", pieces, headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (415, {"Content_Type": "text/plain"}),
        (415, {"Content_Type": ""}),
        (422, {"body": b"nonsense"}),
        (422, {"body": {**RACE, "threads": -1}}),
        (404, {"path": "/api/nothing"}),
        (404, {"path": "/../server.py"}),
        (404, {"path": "/static/page.html"}),
        (405, {"method": "DELETE"}),
        (405, {"path": "/api/state"}),
        (415, {"path": "/api/leave", "Content_Type": ""}),
        (422, {"path": "/api/leave", "body": b"[]"}),
        (422, {"path": "/api/leave", "body": {}}),
        (422, {"path": "/api/leave", "body": {"learner": 5}}),
        (422, {"path": "/api/leave", "body": {"learner": "Ada"}}),
        (422, {"path": "/api/leave", "body": {"learner": "a" * 32, "name": "Ada"}}),
        (422, {"method": "GET", "path": "/api/state?since=-1"}),
        (422, {"method": "GET", "path": "/api/state?since=1e3"}),
        (422, {"method": "GET", "path": "/api/state?since=" + "9" * 20}),
    ],
)
def test_refusals(shared: fake.Server, status: int, ask: dict[str, Any]) -> None:
    how = {"method": "POST", "path": "/api/results", "body": fake.Learner(504).race(), **ask}
    seen, answer, _ = shared.ask(how.pop("method"), how.pop("path"), how.pop("body"), **how)
    assert seen == status
    assert isinstance(answer["error"], str)


def test_one_learner_cannot_flood_the_wall(shared: fake.Server) -> None:
    learner = fake.Learner(505)
    begin = time.monotonic()
    seen = [shared.ask("POST", "/api/results", learner.check())]
    while seen[-1][0] == 201:
        seen.append(shared.ask("POST", "/api/results", learner.check()))
        assert len(seen) <= allowed(server.PER_LEARNER, begin)
    assert len(seen) > server.PER_LEARNER
    assert seen[-1][0] == 429
    assert int(seen[-1][2]["Retry-After"]) in range(1, 4)
    assert shared.ask("POST", "/api/results", fake.Learner(506).check())[0] == 201


def test_an_entry_that_never_arrives_is_given_up(shared: fake.Server) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=PATIENCE_S) as line:
        head = f"POST /api/results HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shared.token}\r\n"
        line.sendall(
            f"{head}Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{{".encode()
        )
        assert shared.ask("GET", "/api/hello")[0] == 200  # nobody else waits for it
        assert b" 408 " in line.recv(4000)


@pytest.mark.parametrize("path", ["/", "/class.js", "/class.css", "/api/hello", "/api/nothing"])
def test_headers_that_hold_a_browser_back(shared: fake.Server, path: str) -> None:
    _, _, headers = shared.ask("GET", path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "server" not in headers


def test_the_page_asks_nobody_else_for_anything(shared: fake.Server) -> None:
    for path in ("/", "/class.js", "/class.css"):
        _, text, _ = shared.ask("GET", path, Authorization="")
        addresses = [word for word in text.split('"') if "//" in word and "http" in word]
        assert [a for a in addresses if "www.w3.org" not in a] == []
        assert "innerHTML" not in text
        assert shared.token not in text


def test_sixty_learners_at_once_and_a_server_that_dies(tmp_path: Path) -> None:
    """Each hands in three entries, again and again until it is taken; in between the power is cut, twice."""
    file = tmp_path / "class.sqlite"
    box = [fake.Server(file)]
    port = box[0].port
    together = threading.Barrier(61)
    accepted: list[str] = []
    retries: list[str] = []

    def hand_in(number: int) -> None:
        learner = fake.Learner(number)
        entries = [learner.race(), learner.check("two_counters"), learner.check("cached_length")]
        together.wait()
        for entry in entries:
            time.sleep(learner.random.uniform(0, 0.5))
            end = time.monotonic() + 60
            while True:
                assert time.monotonic() < end
                try:
                    status, answer, _ = box[0].ask("POST", "/api/results", entry)
                except (OSError, http.client.HTTPException):
                    retries.append(entry["key"])
                    time.sleep(0.05)
                    continue
                assert status in (200, 201), answer
                accepted.append(entry["key"])
                break

    try:
        with ThreadPoolExecutor(60) as pool:
            done = [pool.submit(hand_in, number) for number in range(60)]
            together.wait()
            for enough in (30, 90):
                wait_for(lambda enough=enough: len(accepted) >= enough)
                box[0].kill()
                at_that_time = set(accepted)
                box[0] = fake.Server(file, port)
                kept = {row["key"] for row in rows(file)}
                assert at_that_time <= kept
            for one in done:
                one.result()
        assert retries, "the server died and nobody noticed"
        assert len(accepted) == 180
        assert sorted(row["key"] for row in rows(file)) == sorted(accepted)
        assert len(box[0].all()) == 180
        assert len({row["learner"] for row in box[0].all()}) == 60
        status, out, errors = box[0].interrupt()
        assert (status, errors) == (0, "")
        assert "180 results" in out
    finally:
        box[0].kill()


def rows(file: Path) -> list[sqlite3.Row]:
    """What is in the file, whoever has it open."""
    database = sqlite3.connect(file)
    database.row_factory = sqlite3.Row
    try:
        return database.execute("SELECT * FROM results").fetchall()
    finally:
        database.close()


def test_the_page_takes_what_the_wall_says(shared: fake.Server) -> None:
    assert f"Wall      {shared.link}" in shared.said
    assert ".venv-ft/bin/racelab" in shared.said
    assert f"racelab class join {shared.link} --name NAME" in shared.said
    assert shared.ask("GET", "/api/hello")[1]["address"] == shared.base


def test_a_port_that_is_taken(shared: fake.Server, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Name another one: --port"):
        fake.Server(tmp_path / "b.sqlite", shared.port)


def test_without_the_framework_one_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not p.endswith("/class")])
    with pytest.raises(ClassError, match=r"pip install '.*\[class\]'.*make env"):
        server.find_framework()


def test_notebooks_do_not_see_the_framework() -> None:
    code = "import racelab.cli, sys, importlib.util as u; print(u.find_spec('starlette'), u.find_spec('uvicorn'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "None"]


# ---------------------------------------------------------------------------------------------------
# Learners
# ---------------------------------------------------------------------------------------------------


def test_join_share_leave(shared: fake.Server, desk: Path) -> None:
    before = len(shared.all())
    assert "Ada" in client.join(shared.link, "Ada")
    assert stat.S_IMODE((desk / "class.json").stat().st_mode) == 0o600

    said = rl.share(result([0, 1, 2]))

    assert repr(said) == "shared with the class as Ada."
    assert rl.share(verdict()) == said
    race, check = shared.all()[before:]
    assert (race["subject"], race["repetitions"], race["failed_repetitions"]) == (
        "lost_update",
        3,
        2,
    )
    assert (check["subject"], check["verdict"], check["power_failed"]) == (
        "two_counters",
        "FAIL",
        9,
    )
    assert race["learner"] == check["learner"]
    assert (desk / "outbox.jsonl").read_text() == ""

    me = client.membership()
    left = shared.ask("GET", "/api/state")[1]["left"]
    assert str(race["learner"]) not in left
    assert "left the class" in client.leave()
    assert str(race["learner"]) in shared.ask("GET", "/api/state")[1]["left"]
    assert client.membership() is None
    assert "class join" in rl.share(verdict())
    Course().note(verdict())
    assert len(shared.all()) == before + 2
    client.join(shared.link, "Countess")
    again = client.membership()
    assert me is not None
    assert again is not None
    assert again.learner == me.learner


@pytest.mark.parametrize("trouble", ["silent", "gone", "another token", "not a class"])
def test_whoever_leaves_is_never_kept(
    shared: fake.Server, desk: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    client.join(shared.link, "Dorothy")
    silent, url = nobody()
    with silent:
        if trouble == "another token":
            moved(desk, shared.base, "wrong")
        elif trouble == "not a class":
            moved(desk, f"{shared.base}/other")
        else:
            moved(desk, url)
            monkeypatch.setattr(client, "ANSWER_S", 0.2)
        if trouble == "gone":
            silent.close()
        assert client.leave() == "You have left the class; nothing is shared any more."
    assert client.membership() is None


def test_a_check_is_shared_by_itself(
    shared: fake.Server, desk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = len(shared.all())
    client.join(shared.link, "Grace")
    Course().note(verdict("PASS", "right"))
    assert Course().of("two_counters").passed
    wait_for(lambda: len(shared.all()) == before + 1)
    wait_for(lambda: "class: shared with the class as Grace." in capfd.readouterr().err)
    assert (desk / "outbox.jsonl").read_text() == ""


def nobody() -> tuple[socket.socket, str]:
    """An address where connections are taken and never answered."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(50)
    return silent, f"http://127.0.0.1:{silent.getsockname()[1]}"


def moved(desk: Path, url: str, token: str = "") -> None:
    """The class is at another address now, or has another token, as far as the learner knows."""
    known = json.loads((desk / "class.json").read_text())
    changed = {"url": url, "token": token or known["token"]}
    (desk / "class.json").write_text(json.dumps({**known, **changed}))


def test_a_class_that_does_not_answer_delays_nobody(
    shared: fake.Server,
    desk: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.join(shared.link, "Edsger")
    silent, url = nobody()
    with silent:
        moved(desk, url)
        monkeypatch.setattr(client, "ANSWER_S", 3600.0)
        check = threading.Thread(target=Course().note, args=(verdict(),), daemon=True)
        check.start()
        check.join(PATIENCE_S)
        assert not check.is_alive(), "it waited for an answer"
        assert len((desk / "outbox.jsonl").read_text().splitlines()) == 1
        line, _ = silent.accept()
        line.close()
    said: list[str] = []
    wait_for(lambda: said.append(capfd.readouterr().err) or "kept for later" in "".join(said))
    silent, url = nobody()
    with silent:
        monkeypatch.setattr(client, "ANSWER_S", 0.2)
        moved(desk, url)
        assert rl.share(verdict()).startswith("no answer; kept for later")
    monkeypatch.setattr(client, "ANSWER_S", PATIENCE_S)
    before = len(shared.all())
    client.join(shared.link, "Edsger")
    wait_for(lambda: len(shared.all()) == before + 2)
    wait_for(lambda: not (desk / "outbox.jsonl").read_text())


def senders() -> list[threading.Thread]:
    """Threads that hand in, or wait to try again."""
    return [thread for thread in threading.enumerate() if thread.name == "racelab-class"]


def test_what_waits_is_sent_when_the_class_is_there_again(
    desk: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`racelab watch`, or a kernel, while the server is closed and opened again: nobody does anything."""
    monkeypatch.setattr(client, "RETRY_S", 0.1)
    monkeypatch.setattr(client, "LONGEST_RETRY_S", 0.5)
    with fake.served(tmp_path / "class.sqlite") as first:
        client.join(first.link, "Ada")
        port = first.port
        first.interrupt()
    for _ in range(3):
        Course().note(verdict())
    said: list[str] = []
    wait_for(
        lambda: said.append(capfd.readouterr().err) or "".join(said).count("kept for later") == 3
    )
    assert "kept for later" in rl.share(verdict())
    wait_for(lambda: len(senders()) == 1)  # one tries again for all
    with fake.served(tmp_path / "class.sqlite", port) as second:
        wait_for(lambda: len(second.all()) == 4)
        wait_for(lambda: not senders())
        assert (desk / "outbox.jsonl").read_text() == ""
        assert capfd.readouterr().err == "class: what had waited is shared with the class as Ada.\n"
        Course().note(verdict())
        wait_for(lambda: len(second.all()) == 5)


@pytest.mark.parametrize("words", [["hint", "two_counters"], ["check", "how_many", "--file", "{}"]])
def test_what_waits_is_sent_at_the_next_check_or_hint(
    desk: Path, tmp_path: Path, words: list[str]
) -> None:
    """Also where the command itself hands in nothing."""
    answer = tmp_path / "how_many.py"
    answer.write_text(find_exercise("how_many").text("solution"))
    with fake.served(tmp_path / "class.sqlite") as first:
        client.join(first.link, "Grace")
        port = first.port
    client._Outbox(desk).put(
        client._entry(verdict(), client.membership()), client.membership().class_id
    )
    away = racelab(*(word.format(answer) for word in words))
    assert (away.returncode, away.stderr) == (0, ""), "nothing new is kept: nothing is said"
    with fake.served(tmp_path / "class.sqlite", port) as second:
        done = patient_racelab(*(word.format(answer) for word in words))
        assert done.stderr == "class: what had waited is shared with the class as Grace.\n"
        assert len(second.all()) == 1


def test_a_wrong_token_is_not_tried_again(
    shared: fake.Server, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_S", 0.1)
    client.join(shared.link, "Tony")
    moved(desk, shared.base, "wrong")
    assert "not the class's token" in rl.share(verdict())
    Course().note(verdict())
    wait_for(lambda: not senders())
    assert len((desk / "outbox.jsonl").read_text().splitlines()) == 2


def test_the_end_of_a_process_does_not_wait_for_a_silent_class(
    shared: fake.Server, desk: Path
) -> None:
    client.join(shared.link, "Tony")
    silent, url = nobody()
    with silent:
        moved(desk, url)
        code = (
            "from racelab.course import Course; from racelab.checking import Verdict\n"
            "from racelab.classroom import client; client.ANSWER_S = 3600.0\n"
            "Course().note(Verdict('two_counters', 'PASS', 'right', (), ''))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0
    assert "kept for later" in done.stderr
    assert len((desk / "outbox.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("trouble", ["class.json", "outbox", "folder"])
def test_nothing_that_is_wrong_with_a_class_costs_a_verdict(
    shared: fake.Server, desk: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.join(shared.link, "Niklaus")
    if trouble == "class.json":
        (desk / "class.json").write_text('{"url": 5')
    elif trouble == "outbox":
        (desk / "outbox.jsonl").mkdir()
    else:
        monkeypatch.setattr(client, "_entry", lambda *_: 1 / 0)
    Course().note(verdict("PASS", "right"))
    assert Course().of("two_counters").passed


def test_many_processes_share_one_outbox(shared: fake.Server, desk: Path) -> None:
    """Eight send at once what sixteen have put in: every one arrives, none twice, none is left."""
    before = len(shared.all())
    client.join(shared.link, "Barbara")
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda _: client._Outbox(desk).put(
                    client._entry(verdict(), client.membership()), client.membership().class_id
                ),
                range(16),
            )
        )
        list(pool.map(lambda _: client._send(desk), range(8)))
    wait_for(lambda: len(shared.all()) == before + 16)
    assert (desk / "outbox.jsonl").read_text() == ""


def test_what_the_class_will_never_take_is_dropped_and_said(
    shared: fake.Server, desk: Path
) -> None:
    client.join(shared.link, "Ken")
    me = client.membership()
    assert me is not None
    bad = Entry.of_verdict(verdict(), me.learner, me.name)
    object.__setattr__(bad, "reason", "of another version")
    client._Outbox(desk).put(bad, me.class_id)
    assert rl.share(verdict()) == "refused by the class: The reason is none that a check gives."
    assert rl.share(verdict()) == "shared with the class as Ken."


def test_what_waits_for_one_class_is_not_handed_in_to_another(
    shared: fake.Server, desk: Path, tmp_path: Path
) -> None:
    client.join(shared.link, "Frances")
    silent, url = nobody()
    silent.close()
    moved(desk, url)
    assert "kept for later" in rl.share(verdict())
    assert "1 could not be handed in" in client.leave()
    with fake.served(tmp_path / "other.sqlite") as other:
        client.join(other.link, "Frances")
        rl.share(verdict())
        assert len(other.all()) == 1
    before = len(shared.all())
    client.join(shared.link, "Frances")
    assert len(shared.all()) == before + 1


def test_what_was_not_taken_is_kept(shared: fake.Server, desk: Path) -> None:
    client.join(shared.link, "Wirth")
    before = len(shared.all())
    known = (desk / "class.json").read_text()
    (desk / "class.json").write_text(known.replace(shared.token, "wrong"))
    assert "not the class's token" in rl.share(verdict())
    (desk / "class.json").write_text(known)
    assert rl.share(verdict()) == "shared with the class as Wirth."
    assert len(shared.all()) == before + 2


def test_what_is_put_in_while_others_are_taken_out_stays(desk: Path) -> None:
    outbox = client._Outbox(desk)
    entries = [Entry.of_verdict(verdict(), "a" * 32, "Ada") for _ in range(120)]
    gone = {entry.key for entry in entries[:20]}
    for entry in entries[:20]:
        outbox.put(entry, "a")
    with ThreadPoolExecutor(5) as pool:
        puts = [pool.submit(outbox.put, entry, "a") for entry in entries[20:]]
        takes = [pool.submit(outbox.remove, {key}) for key in gone]
        for one in (*puts, *takes):
            one.result()
    left = [line["entry"]["key"] for line in outbox.waiting("a")]
    assert sorted(left) == sorted(entry.key for entry in entries[20:])


def test_the_wheel_holds_the_page() -> None:
    """What the server reads is what pyproject.toml says goes into the wheel."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]
    folder = Path(server.__file__).parent
    packed = {path.name for glob in said["racelab.classroom"] for path in folder.glob(glob)}
    assert {name for name, _ in server.FILES.values()} <= packed


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("192.168.1.20:8765", "the link looks like"),
        ("http://127.0.0.1:8765/", "the link looks like"),
        ("ftp://127.0.0.1/#abc", "the link looks like"),
        ("http://127.0.0.1:1/#abc", "Nobody answers"),
        ("http://127.0.0.1:99999/#abc", "Nobody answers"),
        ("{base}/#wrong-wrong", "not the class's token"),
        ("{base}/class.js#abc", "no class of racelab|detail|Not Found"),
    ],
)
def test_links_that_lead_nowhere(shared: fake.Server, desk: Path, link: str, words: str) -> None:
    with pytest.raises(ClassError, match=words):
        client.join(link.format(base=shared.base), "Leslie")
    assert not (desk / "class.json").exists()


def racelab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(fake.RACELAB), *words], capture_output=True, text=True, timeout=120)


def patient_racelab(*words: str) -> subprocess.CompletedProcess[str]:
    """The same, but it waits as long as it takes for the class, also at its end."""
    code = (
        "import sys; from racelab.classroom import client; from racelab.cli import main\n"
        f"client.END_OF_OLD_S = client.END_S = client.ANSWER_S = {PATIENCE_S}; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_commands(shared: fake.Server, desk: Path) -> None:
    """Join; a race of the book's is shared, one's own is not; leave."""
    before = len(shared.all())
    assert "join" in racelab("class", "--help").stdout
    joined = patient_racelab("class", "join", shared.link, "--name", "Margaret")
    assert joined.returncode == 0, joined.stderr
    raced = patient_racelab("race", "lost_update", "--widen", "--rounds", "5", "--count", "4")
    assert raced.returncode in (0, 1, 3), raced.stderr
    assert "class: shared with the class as Margaret." in raced.stderr
    [row] = shared.all()[before:]
    assert (row["subject"], row["variant"], row["repetitions"], row["per"], row["widened"]) == (
        "lost_update",
        "broken",
        4,
        5,
        True,
    )
    own = desk / "mine"
    shutil.copytree(ROOT / "ext/lost_update", own)
    raced = racelab("race", str(own / "lab.py"), "--widen", "--rounds", "5", "--count", "4")
    assert "class:" not in raced.stderr
    assert len(shared.all()) == before + 1
    assert "You have left the class" in patient_racelab("class", "leave").stdout
    assert str(row["learner"]) in shared.ask("GET", "/api/state")[1]["left"]
    wrong = racelab("class", "join", "nonsense", "--name", "Margaret")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_the_guide_names_what_the_server_has() -> None:
    """What to try where learners cannot reach the server: its port, its options, what it and its page say."""
    _, _, guide = (ROOT / "book/teaching.md").read_text().partition("(teaching-network)=")
    guide, _, _ = guide.partition("(teaching-one-core)=")
    known = racelab("class", "serve", "--help").stdout
    for option in re.findall(r"(?<!-cmd )--[a-z]+\b", guide):
        assert option in known, option
    assert f"port {PORT}" in guide
    assert "Cannot listen on" in guide
    page = (Path(server.__file__).parent / "static/class.js").read_text()
    said = re.findall(r"\*([A-Z][^*]+)\*", guide)
    assert said
    assert all(words in page for words in said)


def test_simulated_learners_differ() -> None:
    """The tests above count keys: simulated learners must not have the same ones."""
    keys = [fake.Learner(n).race()["key"] for n in range(200)]
    assert len(set(keys)) == 200
    assert random.Random(1).random() == random.Random(1).random()
