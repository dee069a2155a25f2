"""Compiling on demand: what is cached, what is rebuilt, and how a mistake is shown."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from racelab.build import BuildError, Built, cache_folder, compile, load
from racelab.runner import run_child

HELLO = """\
#include <Python.h>
#include "answer.h"
static PyObject *answer(PyObject *Py_UNUSED(m), PyObject *Py_UNUSED(a))
{
    return PyLong_FromLong(ANSWER);
}
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "hello", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_hello(void) { return PyModuleDef_Init(&module); }
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A module of two files: hello.c and the header that it includes."""
    (tmp_path / "answer.h").write_text("#define ANSWER 42\n")
    path = tmp_path / "hello.c"
    path.write_text(HELLO)
    return path


def answer_of(built: Built) -> object:
    """What the module says, asked in a child."""
    return run_child("import hello; result = hello.answer()", modules=[built]).returned


def test_a_module_is_built_once_and_found_again(source: Path) -> None:
    first, second = compile(source), compile(source)

    assert (first.name, first.cached, second.cached) == ("hello", False, True)
    assert second.path == first.path
    assert answer_of(second) == 42
    assert load(second).answer() == 42


@pytest.mark.parametrize("damage", ["truncate", "flip", "stamp", "remove"])
def test_a_damaged_entry_is_rebuilt_not_loaded(source: Path, damage: str) -> None:
    """Loading half a library would be a bus error."""
    built = compile(source)
    data = bytearray(built.path.read_bytes())
    stamp = built.path.parent / "stamp.json"
    built.path.unlink()
    if damage == "truncate":
        built.path.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        data[len(data) // 2] ^= 0xFF
        built.path.write_bytes(data)
    elif damage == "stamp":
        built.path.write_bytes(data)
        stamp.write_text(stamp.read_text()[:40])

    again = compile(source)

    assert not again.cached
    assert answer_of(again) == 42


def test_an_included_file_that_changed_is_seen(source: Path) -> None:
    assert answer_of(compile(source)) == 42
    (source.parent / "answer.h").write_text("#define ANSWER 43\n")

    changed = compile(source)

    assert not changed.cached
    assert answer_of(changed) == 43


def test_going_back_finds_the_old_entry(source: Path) -> None:
    old = compile(source)
    header = source.parent / "answer.h"
    header.write_text("#define ANSWER 43\n")
    compile(source)
    header.write_text("#define ANSWER 42\n")

    assert compile(source).path == old.path


def test_flags_make_another_module(source: Path) -> None:
    (source.parent / "answer.h").write_text("#ifndef ANSWER\n#define ANSWER 42\n#endif\n")

    assert answer_of(compile(source)) == 42
    assert answer_of(compile(source, flags="-DANSWER=7")) == 7
    assert answer_of(compile(source, flags=["-DANSWER=8"])) == 8


def test_the_compiler_that_was_used_is_part_of_the_key(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compile(source)
    wrapper = tmp_path / "mycc"
    wrapper.write_text('#!/bin/sh\nexec gcc "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", str(wrapper))

    second = compile(source)

    assert not second.cached
    assert second.path != first.path


def test_an_error_names_file_line_and_shows_the_source(source: Path) -> None:
    source.write_text(HELLO.replace("PyLong_FromLong(ANSWER);", "PyLong_FromLong(ANSWER)"))

    with pytest.raises(BuildError) as caught:
        compile(source)

    assert caught.value.line == 5
    assert caught.value.file is not None
    assert caught.value.file.endswith("hello.c")
    assert "return PyLong_FromLong(ANSWER)" in str(caught.value)
    assert "^" in str(caught.value)


def test_an_error_in_text_is_at_the_readers_line() -> None:
    """A cell's first line is the magic; the compiler must count as the reader does."""
    with pytest.raises(BuildError) as caught:
        compile("#include <Python.h>\nint x = ;\nPyInit_cell\n", origin="cell 3", first_line=2)

    assert caught.value.line == 3
    assert str(caught.value).startswith("cell 3 does not compile")
    assert str(cache_folder()) not in str(caught.value)


def test_warnings_are_kept_with_the_module(source: Path) -> None:
    source.write_text(
        HELLO.replace("static PyObject *answer", "static int idle;\nstatic PyObject *answer", 1)
    )

    assert "idle" in compile(source).log
    assert "idle" in compile(source).log  # from the cache, too


def test_a_module_that_goes_by_another_name_is_refused(source: Path) -> None:
    with pytest.raises(ValueError, match="defines PyInit_hello"):
        compile(source, name="goodbye")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"source": "nothing.c"}, "no such source file"),
        ({"source": "int x;\n"}, "PyInit_"),
        ({"source": "int x;\n", "name": "not a name"}, "cannot be the name"),
        ({"source": "int x;\n", "name": "x", "language": "d"}, "language='d'"),
        ({"source": "int x;\n", "name": "x", "sanitizer": "memory"}, "sanitizer='memory'"),
        ({"source": "int x;\n", "name": "x", "freethreading_compatible": True}, "Py_mod_gil"),
        ({"source": "int x;\n", "name": "x", "python": "/no/python"}, "no such interpreter"),
        ({"source": []}, "empty list"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments: dict[str, object], said: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=said) as caught:
        compile(**arguments)  # type: ignore[arg-type]

    assert "\n" not in str(caught.value)


def test_a_missing_compiler_says_what_to_install(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)

    with pytest.raises(BuildError, match="apt-get install gcc"):
        compile(source)


def test_a_cache_that_cannot_be_written_is_named(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    with pytest.raises(BuildError, match="XDG_CACHE_HOME"):
        compile(source)


def test_nothing_half_written_is_left_after_an_error(source: Path) -> None:
    source.write_text("#include <Python.h>\nnonsense\n")
    with pytest.raises(BuildError):
        compile(source)

    left = [path for path in cache_folder().rglob("*") if path.is_file()]

    assert [path.name for path in left] == ["lock"]


def test_concurrent_builds_of_one_thing_build_it_once(source: Path) -> None:
    """Eight processes at once: all get the module, one of them has compiled it."""
    code = "import json, sys; from racelab.build import compile; b = compile(sys.argv[1]); print(json.dumps([b.cached, str(b.path)]))"
    command = [sys.executable, "-c", code, str(source)]

    def build(_: int) -> list[object]:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        found: list[object] = json.loads(done.stdout)
        return found

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(build, range(8)))

    assert sorted(cached for cached, _ in answers) == [False] + [True] * 7  # type: ignore[type-var]
    assert len({path for _, path in answers}) == 1


def test_another_interpreter_gets_its_own_module(source: Path, tmp_path: Path) -> None:
    """The file name is that of the interpreter that was asked for, not ours."""
    other = tmp_path / "otherpython"
    other.write_text(
        "#!/bin/sh\necho '"
        + json.dumps(
            {
                "version": "9.9",
                "prefix": "/nowhere",
                "suffix": ".other.so",
                "includes": [str(path) for path in _includes()],
                "cc": "gcc",
                "cxx": "g++",
                "free_threaded": True,
            }
        )
        + "'\n"
    )
    other.chmod(0o755)

    built = compile(source, python=other)

    assert built.path.name == "hello.other.so"
    assert built.path != compile(source).path


def _includes() -> list[str]:
    import sysconfig

    return sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude")})


def test_cpp_and_several_files(tmp_path: Path) -> None:
    (tmp_path / "answer.h").write_text("#define ANSWER forty_two()\nlong forty_two();\n")
    text = HELLO.replace(
        "PyModuleDef_HEAD_INIT, .m_name", ".m_base = PyModuleDef_HEAD_INIT, .m_name"
    )
    (tmp_path / "hello.cpp").write_text(text)
    (tmp_path / "more.cpp").write_text(
        "#include <vector>\nlong forty_two() { return std::vector<int>(42).size(); }\n"
    )

    built = compile([tmp_path / "hello.cpp", tmp_path / "more.cpp"], flags="-std=c++20")

    assert (built.language, built.log) == ("c++", "")
    assert answer_of(built) == 42


def test_cython_with_and_without_the_promise() -> None:
    pytest.importorskip("Cython")
    text = "def answer():\n    return 42\n"
    code = "import sys, hello; result = [hello.answer(), sys._is_gil_enabled()]"

    silent = compile(text, name="hello", language="cython")
    promised = compile(text, name="hello", language="cython", freethreading_compatible=True)

    forgot = run_child(code, modules=[silent])
    assert forgot.returned == [42, True]
    assert forgot.gil_enabled_by == "hello"
    assert run_child(code, modules=[promised]).returned == [42, False]


def test_cython_errors_name_the_line() -> None:
    pytest.importorskip("Cython")

    with pytest.raises(BuildError) as caught:
        compile("def f():\n    return undefined_name +\n", name="hello", language="cython")

    assert caught.value.line == 2
    assert "hello.pyx:2" in str(caught.value)


def test_race_point_header_is_found_without_any_flag() -> None:
    text = HELLO.replace('#include "answer.h"', '#include "racelab/race_point.h"')
    text = text.replace("PyLong_FromLong(ANSWER)", "(RACE_POINT(), PyLong_FromLong(42))")

    assert answer_of(compile(text)) == 42


def test_leftovers_of_killed_builds_are_swept(source: Path) -> None:
    built = compile(source)
    left = built.path.parent.parent / "tmp-1-1"
    left.mkdir()
    os.utime(left, (1, 1))
    (source.parent / "answer.h").write_text("#define ANSWER 43\n")

    compile(source)

    assert not left.exists()


NOISY = """\
#include <Python.h>
static int idle;
static PyObject *
go(PyObject *module, PyObject *ignored)
{
    int unused;
    Py_RETURN_NONE
}
PyMODINIT_FUNC PyInit_noisy(void) { return go(NULL, NULL); }
"""


def test_a_compile_error_is_not_drowned_by_warnings() -> None:
    with pytest.raises(BuildError) as caught:
        compile(NOISY)
    said = str(caught.value)

    assert "warning:" in caught.value.log
    assert "warning:" not in said
    assert said.startswith("noisy.c does not compile; the error is at noisy.c:8.")
    assert "    8 | }" in said  # the line that the compiler shows is still there
    assert "flags=" not in said


def test_a_warning_on_the_line_before_an_error_stays() -> None:
    """A semicolon is missing there; the error names the next line alone."""
    with pytest.raises(BuildError) as caught:
        compile(NOISY.replace("int unused;", "int unused = 1\n    int next = 2;"))

    assert "noisy.c:6:9: warning: unused variable" in str(caught.value)
    assert "noisy.c:2" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("#include <no/such_header.h>", '-I/folder/of/the/header"] in the lab'),
        ("int width = WIDTH_OF_ALL;", '-DNAME=value"] in the lab'),
        ("#error say which backend", '-DNAME=value"] in the lab'),
    ],
)
def test_a_header_or_a_macro_that_is_missing_says_how_to_give_it(line: str, hint: str) -> None:
    with pytest.raises(BuildError) as caught:
        compile(
            NOISY.replace("Py_RETURN_NONE", "Py_RETURN_NONE;").replace("static int idle;", line)
        )

    assert str(caught.value).splitlines()[-1].count(hint) == 1
