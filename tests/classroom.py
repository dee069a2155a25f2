"""A class for tests: its server in a process of its own, which can be killed, and learners who hand things in."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RACELAB = ROOT / ".venv-ft/bin/racelab"
MACHINES = (
    ("Intel Core i7-1260P", 16),
    ("Apple M2", 8),
    ("AMD Ryzen 7 5800U", 16),
    ("Intel Xeon Platinum 8375C", 2),
    ("AMD EPYC 7763 64-Core", 1),
)
FIRST_NAMES = (
    "Ada",
    "Grace",
    "Edsger",
    "Barbara",
    "Tony",
    "Leslie",
    "Frances",
    "Ken",
    "Niklaus",
    "山田",
    "Zoë",
    "Amélie",
)


def around(failed: int, runs: int) -> list[float]:
    """Two ends that a rate lies between: as wide as an interval is, for pages that show many."""
    rate = failed / runs
    half = 2 * (rate * (1 - rate) / runs) ** 0.5 + 3 / runs
    return [max(0.0, rate - half) if failed else 0.0, min(1.0, rate + half)]


class Server:
    """`racelab class serve` as a teacher starts it.

    Args:
        file: the class's database.
        port: 0 for any free one.
    """

    def __init__(self, file: Path, port: int = 0) -> None:
        command = [str(RACELAB), "class", "serve", "--file", str(file)]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        env = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        self.said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C" in line:
                break
        else:
            _, errors = self.process.communicate(timeout=60)
            raise AssertionError(f"the server did not start: {errors}")
        self.link = next(word for word in self.said.split() if word.startswith("http://"))
        self.base, _, self.token = self.link.partition("/#")
        self.port = int(self.base.rpartition(":")[2])

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.communicate(timeout=60)

    def interrupt(self) -> tuple[int, str, str]:
        """As Ctrl-C does; returns status, output and errors."""
        self.process.send_signal(signal.SIGINT)
        out, errors = self.process.communicate(timeout=60)
        return self.process.returncode, out, errors

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """One request; returns status, JSON (or text) and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent.update({key.replace("_", "-"): value for key, value in headers.items()})
        text = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.request(method, path, text, {k: v for k, v in sent.items() if v})
            answer = connection.getresponse()
            found = answer.read()
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(found), answer.headers
        return answer.status, found.decode(), answer.headers

    def all(self) -> list[dict[str, Any]]:
        """Every result that the page would get, over all of its pages."""
        found: list[dict[str, Any]] = []
        while True:
            _, answer, _ = self.ask("GET", f"/api/state?since={found[-1]['id'] if found else 0}")
            found += answer["results"]
            if not answer["results"] or answer["newest"] == answer["results"][-1]["id"]:
                return found


@contextlib.contextmanager
def served(file: Path, port: int = 0) -> Iterator[Server]:
    """A server that is gone afterwards, whatever happens."""
    server = Server(file, port)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


class Learner:
    """Somebody who races and checks; made from a number, and always the same for it."""

    def __init__(self, number: int, name: str | None = None) -> None:
        self.random = random.Random(number)
        self.id = f"{number:032x}"
        self.name = name or f"{FIRST_NAMES[number % len(FIRST_NAMES)]} {chr(65 + number // 12)}."
        self.machine, self.cores = MACHINES[min(self.random.randrange(9), 8) % len(MACHINES)]
        #: How often one round fails on this machine.
        self.rate = {16: 0.11, 8: 0.05, 2: 0.02, 1: 0.0}[self.cores] * self.random.uniform(
            0.8, 1.25
        )

    def _entry(self, kind: str, subject: str, **facts: Any) -> dict[str, Any]:
        who = {
            "key": uuid.UUID(int=self.random.getrandbits(128)).hex,
            "learner": self.id,
            "name": self.name,
        }
        where = {"machine": self.machine, "cores": self.cores}
        return {**who, **where, "kind": kind, "subject": subject, **facts}

    def race(self, repetitions: int = 100, subject: str = "lost_update") -> dict[str, Any]:
        """One round in each of many repetitions."""
        failures = [n for n in range(1, repetitions + 1) if self.random.random() < self.rate]
        places = sorted({round(repetitions ** (i / 23)) for i in range(24)})
        ends = around(len(failures), repetitions)
        return self._entry(
            "race",
            subject,
            variant="broken",
            threads=2,
            per=1,
            failed=len(failures),
            rounds=repetitions,
            interval=ends,
            failed_repetitions=len(failures),
            repetitions=repetitions,
            repetition_interval=ends,
            first=failures[0] if failures else 0,
            points=[[n, sum(at <= n for at in failures)] for n in places],
        )

    def check(
        self, subject: str = "two_counters", verdict: str | None = None, age: int = 0
    ) -> dict[str, Any]:
        """A check; the starter has failed as often as the machine lets it."""
        verdict = verdict or self.random.choice(["PASS", "FAIL", "FAIL", "INCONCLUSIVE"])
        reason = {"PASS": "right", "FAIL": "race", "INCONCLUSIVE": "no-power"}[verdict]
        if verdict == "FAIL":
            reason = self.random.choice(["compile", "race", "race", "single", "cost"])
        rounds = self.random.randrange(50_000, 3_000_000)
        failed = sum(self.random.random() < self.rate / 30 for _ in range(3000)) * rounds // 3000
        raced = reason not in ("compile", "single")
        return self._entry(
            "check",
            subject,
            verdict=verdict,
            reason=reason,
            failed=7 if reason == "race" else 0,
            rounds=rounds if raced else 0,
            power_failed=failed if raced else 0,
            power_rounds=rounds if raced else 0,
            interval=around(failed, rounds) if raced else [],
            age=age,
        )
