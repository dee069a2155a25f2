"""Tests with the habits of one thread. Run with planted_fixed: what fails here is the test itself."""

import os
import warnings
from pathlib import Path

import planted
import pytest

hits = planted.Counter()


def test_exact():
    before = hits.value
    hits.bump()
    assert hits.value == before + 1


def test_tmp_path(tmp_path):
    (tmp_path / "folder").mkdir()


def test_raises():
    with pytest.raises(TypeError):
        planted.show("not a list")


def test_warns():
    with pytest.warns(UserWarning, match="careful"):
        warnings.warn("careful", stacklevel=1)


def test_capsys(capsys):
    print("hello")
    assert capsys.readouterr().out == "hello\n"


def test_monkeypatch(monkeypatch):
    monkeypatch.setenv("PLANTED_COLOUR", "red")
    assert os.environ["PLANTED_COLOUR"] == "red"


@pytest.mark.thread_unsafe(reason="changes the working directory of the whole process")
def test_marked(tmp_path):
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert Path.cwd() == tmp_path
    finally:
        os.chdir(here)
