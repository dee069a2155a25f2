"""Children: every way to end has its name, and nothing is left behind whatever happens."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from racelab.build import compile
from racelab.runner import Ending, run_child


def is_there(pid: int) -> bool:
    """Whether a process is there and not merely a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process is gone, or goes within a while."""
    until = time.monotonic() + within_s
    while is_there(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_there(pid)


def no_children_left() -> bool:
    """Whether this process has no child that it has not reaped (idle zygotes apart)."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return True


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("result = 1", "ok"),
        ("raise ValueError('x')", "error(ValueError)"),
        ("class Odd(Exception): pass\nraise Odd", "error(Odd)"),
        ("def f(:", "error(SyntaxError)"),
        ("import no_such_module", "error(ModuleNotFoundError)"),
        ("import sys; sys.exit(3)", "exit(3)"),
        ("import sys; sys.exit('no')", "exit(1)"),
        ("import os; os._exit(0)", "exit(0)"),
        ("import os; os._exit(9)", "exit(9)"),
        ("import os; os.abort()", "crash(SIGABRT)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed"),
        ("import time; time.sleep(60)", "hang"),
        ("while True: pass", "hang"),
        ("import os\nos.closerange(3, 256)\nresult = 1", "exit(0)"),
    ],
)
def test_each_ending_has_its_name(code: str, outcome: str) -> None:
    assert run_child(code, timeout_s=1.5 if outcome == "hang" else 30).outcome == outcome
    assert no_children_left()


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTERM", "SIGTRAP"])
def test_a_child_that_dies_by_signal_is_a_crash(name: str) -> None:
    """A dead child is a result, not an error in the harness."""
    seen = run_child(f"import os, signal; print('so far'); os.kill(os.getpid(), signal.{name})")

    assert seen.outcome == f"crash({name})"
    assert seen.signal == name
    assert seen.exit_status is None
    assert seen.stdout == "so far\n"  # what was printed before the crash is not lost


def test_a_crash_in_c_shows_where() -> None:
    seen = run_child("import ctypes\ndef poke():\n    ctypes.string_at(8)\npoke()")

    assert seen.outcome == "crash(SIGSEGV)"
    assert "Segmentation fault" in seen.traceback
    assert "in poke" in seen.traceback
    assert "child.py" not in seen.traceback


def test_a_hang_shows_every_threads_stack() -> None:
    seen = run_child(
        """
        import threading
        lock = threading.Lock()
        def wait_for_ever():
            with lock:
                lock.acquire()
        threading.Thread(target=wait_for_ever).start()
        """,
        timeout_s=1.5,
    )

    assert seen.outcome == "hang"
    assert "Thread 0x" in seen.traceback


def test_an_exception_shows_its_lines_and_nothing_of_ours() -> None:
    seen = run_child("def f():\n    raise KeyError('k')\nf()")

    assert "raise KeyError('k')" in seen.traceback
    assert "child.py" not in seen.traceback


def test_result_comes_back_beside_the_output() -> None:
    seen = run_child(
        "import sys\nresult = {'a': [1, None]}\nprint('out')\nprint('err', file=sys.stderr)"
    )

    assert (seen.returned, seen.stdout, seen.stderr) == ({"a": [1, None]}, "out\n", "err\n")


def test_a_result_that_json_cannot_carry_is_said() -> None:
    seen = run_child("result = {1, 2}")

    assert (seen.outcome, seen.returned) == ("ok", None)
    assert "set" in seen.warnings[0]


def test_a_flood_is_counted_not_kept() -> None:
    seen = run_child("import os\nfor _ in range(320): os.write(1, b'x' * 65536)\nresult = 1")

    assert seen.outcome == "ok"
    assert len(seen.stdout) == 1 << 20
    assert seen.thrown_away == 320 * 65536 - (1 << 20)
    assert len(str(seen)) < 5000


def test_a_crash_after_a_flood_still_has_its_traceback() -> None:
    seen = run_child(
        "import os, sys, ctypes\nfor _ in range(64): os.write(2, b'x' * 65536)\nctypes.string_at(8)"
    )

    assert "Segmentation fault" in seen.traceback


def test_out_of_memory_is_the_childs_affair() -> None:
    assert run_child("x = bytearray(10**9)", memory_mb=300).outcome == "error(MemoryError)"
    assert run_child("x = bytearray(10**6)", memory_mb=300).outcome == "ok"


def test_an_interpreter_that_does_not_start_has_not_run() -> None:
    seen = run_child("result = 1", xoptions=["gil=2"])

    assert seen.outcome == "not-run"
    assert seen.gil_enabled is None


@pytest.mark.parametrize("gil", ["auto", 0, 1])
def test_python_gil_is_unset_unless_asked_for(gil: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_GIL", "0")
    seen = run_child("import os; result = os.environ.get('PYTHON_GIL', 'unset')", gil=gil)  # type: ignore[arg-type]

    assert seen.returned == {"auto": "unset", 0: "0", 1: "1"}[gil]
    assert seen.gil_enabled is (gil == 1)


def test_the_module_that_turns_the_gil_on_is_named() -> None:
    silent = compile(
        "#include <Python.h>\n"
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "silent"};\n'
        "PyMODINIT_FUNC PyInit_silent(void) { return PyModuleDef_Init(&module); }\n"
    )

    seen = run_child("import silent", modules=[silent])

    assert (seen.outcome, seen.gil_enabled, seen.gil_enabled_by) == ("ok", True, "silent")
    assert run_child("result = 1").gil_enabled is False


def test_arguments_environment_and_files_reach_the_child(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("answer = 42\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, neighbour\nresult = [sys.argv, os.environ['WHO'], neighbour.answer]\n"
    )

    seen = run_child(script, args=["a", "b"], env={"WHO": "me", "HOME": None})

    assert seen.returned == [[str(script), "a", "b"], "me", 42]


def test_main_is_main() -> None:
    assert run_child("result = __name__").returned == "__main__"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"code": "1", "timeout_s": 0}, "timeout_s=0"),
        ({"code": "1", "gil": 2}, "gil=2"),
        ({"code": "1", "python": "/no/python"}, "no such interpreter"),
        ({"code": "1", "modules": ["/no/module.so"]}, "no such module file"),
        ({"code": Path("/no/file.py")}, "no such file"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments: dict[str, object], said: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        run_child(**arguments)  # type: ignore[arg-type]


# -- nothing is left behind ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        "if os.fork() == 0:\n    time.sleep(60)",
        "if os.fork() == 0:\n    os.closerange(0, 256)\n    time.sleep(60)",
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(60)",
        "import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True)",
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(60)\n    os._exit(0)",
    ],
    ids=["fork", "closed", "setsid", "popen", "daemon"],
)
def test_descendants_go_with_the_child(how: str, tmp_path: Path) -> None:
    """A descendant that sleeps is found by its command line or environment, and must be gone."""
    mark = f"RACELAB_TEST={os.getpid()}-{time.monotonic_ns()}"
    name, _, value = mark.partition("=")

    seen = run_child(f"import os, time\n{how}\nresult = 1", env={name: value})

    assert seen.outcome == "ok"
    left = [pid for pid in _pids() if mark.encode() in _environment_of(pid)]
    assert all(gone(pid) for pid in left), tmp_path


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _parent(code: str) -> subprocess.Popen[str]:
    """A process that runs `code`, which uses racelab as any user would."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _pid_in(path: Path, within_s: float = 30.0) -> int:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        text = path.read_text() if path.exists() else ""
        if text:
            return int(text)
        time.sleep(0.02)
    raise AssertionError(f"no child wrote {path}")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_parent_that_is_ended_takes_its_child_along(ending: int, tmp_path: Path) -> None:
    """Ctrl-C, kill and kill -9: the child is gone each time, and no parent's clean-up may be needed."""
    pid_file = tmp_path / "pid"
    body = f"import os, time, pathlib\npathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\nwhile True: time.sleep(1)"
    parent = _parent(f"from racelab.runner import run_child\nrun_child({body!r}, timeout_s=120)")
    child = _pid_in(pid_file)

    parent.send_signal(ending)
    _, said = parent.communicate(timeout=30)

    assert gone(child)
    if ending == signal.SIGINT:
        assert "KeyboardInterrupt" in said


def test_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run_child("import os; os.abort()")
    run_child("import time; time.sleep(9)", timeout_s=0.5)

    assert list(tmp_path.iterdir()) == []


def test_no_descriptor_is_left() -> None:
    run_child("result = 1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run_child("import os; os.abort()")

    assert len(list(Path("/proc/self/fd").iterdir())) == before


# -- how it looks ----------------------------------------------------------------------------------


def ending(**changes: object) -> Ending:
    """An ending with something in every field."""
    fields: dict[str, object] = {
        "outcome": "crash(SIGSEGV)",
        "returned": None,
        "stdout": "<b>out</b>\n",
        "stderr": "",
        "exit_status": None,
        "signal": "SIGSEGV",
        "seconds": 0.5,
        "traceback": "Fatal Python error",
        "warnings": (),
        "gil_enabled": True,
        "gil_enabled_by": "culprit",
    }
    return Ending(**{**fields, **changes})  # type: ignore[arg-type]


def test_text_and_html_say_the_same() -> None:
    shown = ending()

    for text in (str(shown), shown._repr_html_()):
        assert "crash(SIGSEGV)" in text
        assert "culprit" in text
    assert "<b>out</b>" not in shown._repr_html_()
    assert "&lt;b&gt;out&lt;/b&gt;" in shown._repr_html_()


def test_html_has_no_colour_of_its_own() -> None:
    """It must be readable on light and on dark pages."""
    text = ending()._repr_html_()

    assert "currentColor" in text
    assert not re.search(r"(?<!&)#[0-9a-fA-F]{3}", text)
    assert "rgb(" not in text


def test_sanitizer_reports_are_outcomes() -> None:
    report = "WARNING: ThreadSanitizer: data race (pid=1)\\n  Write of size 8"
    seen = run_child(f"import os, sys\nsys.stderr.write('{report}')\nos._exit(66)")

    assert seen.outcome == "sanitizer(data race)"


UNABLE = [
    "==1==ERROR: ThreadSanitizer setrlimit() failed 22",
    "FATAL: ThreadSanitizer: unexpected memory mapping 0x5555-0x6666",
    "FATAL: ThreadSanitizer: memory layout is incompatible, even though ASLR is disabled.",
    "FATAL: ThreadSanitizer can not mmap the shadow memory (something is mapped at 0x5555)",
    'ThreadSanitizer: CHECK failed: x.cpp:9 "((personality(old | ADDR_NO_RANDOMIZE))) != ((-1))"',
    "==1==ERROR: ThreadSanitizer: out of memory: failed to allocate noreserve 0x80 (128) bytes of shadow",
    "==1==ERROR: AddressSanitizer failed to allocate 0xdfff0001000 (15392894357504) bytes (errno: 12)",
    "==1==ReserveShadowMemoryRange failed while trying to map 0xdff bytes. Perhaps you're using ulimit -v",
    "==1==Shadow memory range interleaves with an existing memory mapping. ASan cannot proceed.",
    "==1==ASan runtime does not come first in initial library list",
]


@pytest.mark.parametrize("said", UNABLE)
@pytest.mark.parametrize("end", ["exit 66", "kill -ABRT $$"])
def test_a_sanitizer_that_cannot_start_says_nothing_about_the_code(
    said: str, end: str, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat >&2 <<'EOF'\n{said}\nEOF\n{end}\n")
    python.chmod(0o755)
    seen = run_child("result = 1", python=python)

    assert seen.outcome == "not-run"
    assert any(
        cure in seen.warnings[-1] for cure in ("vm.mmap_rnd_bits", "ulimit -v", "LD_PRELOAD")
    )


def test_a_sanitizer_that_started_at_the_second_attempt_has_run() -> None:
    """On a kernel that mixes addresses much, ThreadSanitizer warns, and starts itself again."""
    said = "WARNING: ThreadSanitizer: memory layout is incompatible, possibly due to high-entropy ASLR."
    seen = run_child(f"import sys\nprint({said!r}, file=sys.stderr)\nraise ValueError")

    assert seen.outcome == "error(ValueError)"
    assert (seen.reports, seen.warnings) == ([], ())


#: Fine children first; then some that may not have the address space that a sanitizer needs.
LIMITED = """
import ctypes, json, resource, sys
import racelab as rl
from racelab import racing, reports
which = sys.argv[1]
how = dict(sanitizer=which, count=2, rounds=20, progress=False)
fine = rl.race("lost_update", "fixed", **how)
ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)  # from its next exec on, even root may not raise its own limits
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
seen = rl.race("lost_update", "fixed", **how)
child = rl.run_child("result = 1", python=racing.sanitizer_python(which))
print(json.dumps([fine.exit_status, seen.exit_status, seen.forbidden, str(seen), child.outcome, child.warnings]))
"""


@pytest.mark.parametrize("which", ["thread", "address"])
def test_a_limit_of_address_space_is_no_fault_of_the_code(which: str) -> None:
    from racelab import RaceError, racing

    try:
        racing.sanitizer_python(which)
    except RaceError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, which], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    fine, status, forbidden, shown, outcome, warnings = json.loads(done.stdout.splitlines()[-1])

    assert (fine, status, forbidden) == (0, 2, {}), shown
    assert "raise the limit (`ulimit -v`" in shown
    assert outcome == "not-run"
    assert "raise the limit (`ulimit -v`" in warnings[-1]


LIMITED_FROM_THE_START = """
import ctypes, resource, sys
from racelab.cli import main
ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
sys.exit(main(["race", "lost_update", "--variant", "fixed", "--sanitizer", "thread", "--count", "1"]))
"""


def test_the_command_line_says_what_to_do_about_a_limit() -> None:
    from racelab import RaceError, racing

    try:
        racing.sanitizer_python("thread")
    except RaceError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED_FROM_THE_START], capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 2
    assert "raise the limit (`ulimit -v`" in done.stderr


def test_json_of_an_unfinished_event_is_ignored() -> None:
    from racelab.runner import parse_events

    whole = json.dumps({"event": "started"})
    assert parse_events(f"{whole}\n{{'half") == [{"event": "started"}]
