"""`racelab doctor --class`: what a learner's machine needs, and what is said where something is missing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from racelab import doctor
from racelab.doctor import Check, Report

ROOT = Path(__file__).resolve().parent.parent
NAMES = [
    "Cython compiles", "kernel for notebooks", "disk", "exercises", "one check", "class server",
]  # fmt: skip


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for answers."""
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))
    monkeypatch.setenv("RACELAB_WORK", str(tmp_path / "work"))
    return tmp_path / "work"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "racelab", "doctor", *words],
        capture_output=True, text=True, timeout=300, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


def test_class_is_the_whole_list_with_a_real_check_and_touches_no_answer(work: Path) -> None:
    done = run("--class", "--json")
    data = json.loads(done.stdout)
    checks = {check["name"]: check for check in data["checks"]}

    assert list(checks)[-len(NAMES) :] == NAMES
    assert checks["one check"]["found"].partition(": ")[2].split()[0] in ("PASS", "INCONCLUSIVE")
    assert checks["class server"] == {
        "name": "class server", "ok": None, "found": "not joined",
        "advice": "When the class begins: racelab class join URL --name NAME.",
    }  # fmt: skip
    assert not work.exists()
    assert done.returncode == data["exit_status"]
    assert data["verdict"].startswith("Ready for a class.") == (data["exit_status"] in (0, 3))
    assert done.stderr == ""


def test_without_class_none_of_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "calibrate", lambda *, widen: True)  # noqa: ARG005

    assert not {check.name for check in doctor.examine().checks} & set(NAMES)


@pytest.fixture
def fine(work: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:  # noqa: ARG001
    """All that takes long answers at once, and well; what a test puts here is answered instead."""
    base = Report((Check("C core", True, "built"),), True, True, "Races show on this machine.", 0)
    answers = {name: Check(name, True, "fine") for name in NAMES}
    monkeypatch.setattr(doctor, "examine", lambda: base)
    monkeypatch.setattr(doctor, "_cython", lambda: answers["Cython compiles"])
    monkeypatch.setattr(doctor, "_kernel", lambda: answers["kernel for notebooks"])
    monkeypatch.setattr(doctor, "_disk", lambda: answers["disk"])
    monkeypatch.setattr(doctor, "_one_check", lambda _: answers["one check"])
    monkeypatch.setattr(doctor, "_class_server", lambda: answers["class server"])
    return answers


def test_what_is_missing_is_named_in_the_verdict(fine: dict[str, Check]) -> None:
    assert doctor.examine_for_class().exit_status == 0
    fine["disk"] = Check("disk", False, "full", "make room")
    report = doctor.examine_for_class()

    assert report.exit_status == 2
    assert report.verdict == "Not ready for a class: disk. See what to do above."
    assert "NO  disk" in str(report)


@pytest.mark.usefixtures("fine")
def test_one_core_is_no_reason_to_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Report((Check("cores", False, "1 usable"),), False, True, "INCONCLUSIVE.", 3)
    monkeypatch.setattr(doctor, "examine", lambda: one)
    report = doctor.examine_for_class()

    assert report.exit_status == 3
    assert report.verdict == "Ready for a class. INCONCLUSIVE."


@pytest.mark.usefixtures("fine")
def test_where_nothing_can_run_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Report((Check("C core", False, "cannot be imported"),), False, False, "First NO.", 2)
    monkeypatch.setattr(doctor, "examine", lambda: broken)
    monkeypatch.setattr(doctor, "_one_check", lambda _: pytest.fail("a check was made"))

    assert doctor.examine_for_class().exit_status == 2


@pytest.mark.usefixtures("fine")
def test_no_exercises_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ext", "exercises"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path))
    report = doctor.examine_for_class()

    assert "exercises" in report.verdict
    assert "one check" not in {check.name for check in report.checks}


def kernel(folder: Path, *argv: str) -> None:
    """Register a kernel of our name in a folder."""
    place = folder / "share/jupyter/kernels/racelab"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps({"argv": list(argv)}))


@pytest.mark.parametrize(
    ("script", "ok", "said"),
    [
        ("print(False)", True, "starts, GIL off"),
        ("print(True)", False, "starts with the GIL on"),
        ("raise SystemExit('no ipykernel')", False, "does not start: no ipykernel"),
    ],
)
def test_kernel_is_started_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ok: bool, said: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{script}\n")
    python.chmod(0o755)
    kernel(tmp_path, str(python))
    monkeypatch.setattr(doctor, "_kernel_folders", lambda: [tmp_path / "share/jupyter"])
    seen = doctor._kernel()

    assert seen.ok is ok
    assert said in seen.found
    assert bool(seen.advice) == (not ok)


def test_kernel_that_is_not_there_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(doctor, "_kernel_folders", lambda: [tmp_path / "share/jupyter"])
    assert doctor._kernel().found == "no kernel 'racelab' is registered"
    kernel(tmp_path)

    assert doctor._kernel().ok is False
    assert "make env" in doctor._kernel().advice


def test_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(100e6))
    seen = doctor._disk()

    assert seen.ok is False
    assert "XDG_CACHE_HOME" in seen.advice


def test_cython_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise doctor.BuildError("Cython is not installed.")

    monkeypatch.setattr(doctor, "compile", refuse)

    assert doctor._cython().ok is False
    assert "make env" in doctor._cython().advice


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A class with a token, as `racelab class serve` is one."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer secret"
            self.send_response((200 if known else 401) if self.path == "/api/hello" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hello) as started:
        thread = threading.Thread(target=started.serve_forever)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


#: What the command line takes: without a name it refuses.
JOIN = "racelab class join URL --name NAME"


def joined(work: Path, text: str) -> Check:
    """The answer about the server where this was joined."""
    work.mkdir()
    (work / "class.json").write_text(text)
    return doctor._class_server()


@pytest.mark.parametrize(
    ("token", "ok", "said"),
    [("secret", True, " answers"), ("old", False, " is another class by now")],
)
def test_class_server_answers(
    work: Path, server: HTTPServer, token: str, ok: bool, said: str
) -> None:
    address = f"http://127.0.0.1:{server.server_port}"
    seen = joined(work, json.dumps({"url": address, "token": token}))

    assert (seen.ok, seen.found) == (ok, address + said)
    assert token not in seen.found + seen.advice
    assert bool(seen.advice) == (not ok)
    assert ok or JOIN in seen.advice


def test_something_else_answers(work: Path, server: HTTPServer) -> None:
    seen = joined(work, json.dumps({"url": f"http://127.0.0.1:{server.server_port}/other"}))

    assert seen.ok is False
    assert "answers 404" in seen.found
    assert JOIN in seen.advice


def test_class_server_is_gone(work: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        seen = joined(
            work, json.dumps({"url": f"http://127.0.0.1:{nobody.getsockname()[1]}/#token"})
        )

    assert seen.ok is False
    assert "does not answer" in seen.found
    assert "secret" not in seen.found
    assert "racelab class serve" in seen.advice


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"url": 5}', '{"url": "ftp://x/"}', '{"url": "http://[/"}'])  # fmt: skip
def test_damaged_note_of_the_class_stops_nobody(work: Path, text: str) -> None:
    seen = joined(work, text)

    assert seen.ok is False
    assert seen.advice
