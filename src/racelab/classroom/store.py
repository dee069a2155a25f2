"""Where a class keeps what was handed in: one SQLite file. What `add` has returned from survives a power cut."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from racelab.classroom.entry import LISTS, ClassError, Entry, columns

__all__ = ["Standing", "Store"]

VERSION = 2
#: Letters and digits that nobody mixes up when they read them off a wall.
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
PAGE = 500
SCHEMA = """
CREATE TABLE class (id TEXT NOT NULL, token TEXT NOT NULL);
CREATE TABLE learners (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE results (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  learner INTEGER NOT NULL REFERENCES learners,
  key TEXT NOT NULL UNIQUE,
  machine TEXT NOT NULL, cores REAL NOT NULL,
  kind TEXT NOT NULL, subject TEXT NOT NULL, variant TEXT NOT NULL,
  threads INTEGER NOT NULL, gil INTEGER NOT NULL, per INTEGER NOT NULL, widened INTEGER NOT NULL,
  verdict TEXT NOT NULL, reason TEXT NOT NULL, unit TEXT NOT NULL,
  failed INTEGER NOT NULL, rounds INTEGER NOT NULL,
  power_failed INTEGER NOT NULL, power_rounds INTEGER NOT NULL,
  failed_repetitions INTEGER NOT NULL, repetitions INTEGER NOT NULL,
  first INTEGER NOT NULL, points TEXT NOT NULL
);
"""
#: What was added to version 1. A file of that version gets it, and goes on.
SINCE_1 = """
ALTER TABLE results ADD COLUMN interval TEXT NOT NULL DEFAULT '[]';
ALTER TABLE results ADD COLUMN repetition_interval TEXT NOT NULL DEFAULT '[]';
ALTER TABLE results ADD COLUMN inconclusive INTEGER NOT NULL DEFAULT 0;
ALTER TABLE learners ADD COLUMN left_at REAL;
"""


class Standing(NamedTuple):
    """How much a class has handed in."""

    results: int
    learners: int


class Store:
    """One class in one file, made if it is not there.

    Args:
        file: the database.

    Raises:
        ClassError: the file is none of ours, or of another version of racelab.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise ClassError(f"{file} cannot be used as a class's file: {error}.") from None
        self._database.row_factory = sqlite3.Row
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise
        row = self._ask("SELECT id, token FROM class")[0]
        #: The class's identity, which stays when the server is started again.
        self.id: str = row["id"]
        #: What who takes part has to know.
        self.token: str = row["token"]

    def _open(self) -> None:
        try:
            version = self._ask("PRAGMA user_version")[0][0]
            empty = not self._ask("SELECT 1 FROM sqlite_master LIMIT 1")
        except sqlite3.DatabaseError as error:
            raise ClassError(f"{self.file} cannot be used as a class's file: {error}.") from None
        if version not in (1, VERSION) and not (empty and version == 0):
            raise ClassError(
                f"{self.file} was made by another version of racelab, or is not a class's file. "
                "Name another one: racelab class serve --file FILE"
            )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        if empty:
            self._make()
        elif version == 1:
            self._database.executescript(
                f"BEGIN IMMEDIATE; {SINCE_1} PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def _make(self) -> None:
        words = ("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))
        identity, token = uuid.uuid4().hex, "-".join(words)
        self._database.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} {SINCE_1} INSERT INTO class VALUES ('{identity}', '{token}');"
            f"PRAGMA user_version = {VERSION}; COMMIT;"
        )

    def _ask(self, question: str, *values: object) -> list[sqlite3.Row]:
        return self._database.execute(question, values).fetchall()

    def add(self, entry: Entry) -> tuple[int, bool]:
        """Keep an entry; it is on disk when this returns.

        Returns:
            tuple: its number, and whether it is new; the same key again is not.
        """
        row = columns(entry)
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            known = self._ask("SELECT id FROM results WHERE key = ?", entry.key)
            if known:
                return known[0][0], False
            self._database.execute(
                "INSERT INTO learners (id, name) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET name = excluded.name, left_at = NULL",
                (entry.learner, entry.name),
            )
            [[learner]] = self._ask("SELECT number FROM learners WHERE id = ?", entry.learner)
            made = self._database.execute(
                f"INSERT INTO results (at, learner, {names}) VALUES (?, ?, {marks})",
                (time.time() - entry.age, learner, *row.values()),
            )
            return int(made.lastrowid or 0), True

    def leave(self, learner: str) -> None:
        """Somebody takes part no more, until they hand something in again; their results stay."""
        with self._lock, self._database:
            self._database.execute(
                "UPDATE learners SET left_at = ? WHERE id = ?", (time.time(), learner)
            )

    def after(self, since: int) -> dict[str, Any]:
        """What was handed in after the result with this number, a page of it, and who those learners are."""
        with self._lock:
            rows = self._ask("SELECT * FROM results WHERE id > ? ORDER BY id LIMIT ?", since, PAGE)
            newest = self._ask("SELECT coalesce(max(id), 0) FROM results")[0][0]
            numbers = sorted({row["learner"] for row in rows})
            marks = ", ".join("?" * len(numbers))
            named = self._ask(
                f"SELECT number, name FROM learners WHERE number IN ({marks})", *numbers
            )
            left = self._ask("SELECT number, left_at FROM learners WHERE left_at IS NOT NULL")
        return {
            "class": self.id,
            "now": time.time(),
            "newest": newest,
            "learners": {row["number"]: row["name"] for row in named},
            "left": {row["number"]: row["left_at"] for row in left},
            "results": [_shown(row) for row in rows],
        }

    def standing(self) -> Standing:
        """How much there is."""
        with self._lock:
            [[results, learners]] = self._ask(
                "SELECT count(*), count(DISTINCT learner) FROM results"
            )
        return Standing(results, learners)

    def close(self) -> None:
        """Close the file; its journal is folded in."""
        with self._lock:
            self._database.close()


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    del found["key"]
    for name in ("gil", "widened", "inconclusive"):
        found[name] = bool(found[name])
    for name in LISTS:
        found[name] = json.loads(found[name])
    return found
