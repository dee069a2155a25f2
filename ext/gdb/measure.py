"""What is recorded for `gdb` besides its sessions: where one bug crashes, and what a breakpoint does to a rate.

Run  racelab record gdb [--only where]
"""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path

from racelab import outside, toolbox

HERE = Path(__file__).resolve().parent
CRASHES = 10
PROCESSES = 6
SECONDS = 0.5
IN_PYTHON = re.compile(r'shelf\.py", line \d+, in (\w+)')
IN_MODULE = re.compile(r"borrowed_ref_broken\.c:(\d+)")
#: The innermost frame that has a name; there is none where the processor was sent to no code at all.
NAMED = re.compile(r"^#\d+\s+(?:0x[0-9a-f]+ in )?(\w+) \(", re.MULTILINE)


def gdb(*words: str) -> str:
    """What gdb printed."""
    program = toolbox.find("gdb")
    if program is None:
        raise ValueError("no gdb here")
    command = [*toolbox.gdb_command(program, batch=True), *words]
    return outside.run(command, timeout_s=60).text


def where() -> list[dict]:
    """Of some crashes of one bug: the innermost function with a name, the module's line, the Python function."""
    rows = []
    for _ in range(CRASHES):
        program = ["--args", sys.executable, str(HERE / "shelf.py")]
        text = gdb("-ex", "run", "-ex", "bt", "-ex", "py-bt", *program)
        signal = re.search(r"received signal (SIG\w+)", text)
        named = NAMED.search(text)
        line, function = IN_MODULE.search(text), IN_PYTHON.search(text)
        rows.append(
            {
                "signal": signal[1] if signal else "none",
                "innermost": named[1] if named else "none",
                "line": int(line[1]) if line else None,
                "python": function[1] if function else "none",
            }
        )
    return rows


def rates(*words: str) -> list[dict]:
    """Rounds and lost updates of some processes, each under gdb with these words; without words: no gdb."""
    rows = []
    program = [sys.executable, str(HERE / "rate.py"), str(SECONDS)]
    for _ in range(PROCESSES):
        text = gdb(*words, "--args", *program) if words else outside.run(program, timeout_s=60).text
        found = re.search(r"^\{.*\}$", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"no count from rate.py: {text[-500:]}")
        rows.append(json.loads(found[0]))
    return rows


def at(place: str) -> tuple[str, ...]:
    """A breakpoint that says nothing and goes on."""
    return ("-ex", f"break {place}", "-x", str(HERE / "go_on.gdb"))


MEASUREMENTS = {
    "where": where,
    "no_gdb": rates,
    "gdb": functools.partial(rates, "-ex", "run"),
    "in_window": functools.partial(rates, *at("lost_update_broken.c:31")),
    "at_entrance": functools.partial(rates, *at("counter_bump")),
    "elsewhere": functools.partial(rates, *at("counter_value")),
}
