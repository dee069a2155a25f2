"""Start the children that measure: recipes under pytest, the C core alone, cells. Every one has a time limit."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import racelab as rl

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RECIPE_LIMIT_S = 300.0
CORE_LIMIT_S = 120.0


class BenchError(RuntimeError):
    """A measurement could not be made; the message says which, and what the child said."""


@dataclass(frozen=True)
class UnderPytest:
    """What one run of pytest has shown.

    Attributes:
        trials, failed: how many releases of threads on a fresh object there were, and how many broke it.
        loop_s: seconds in pytest's loop over the tests, start-up and collection left out.
        wall_s: seconds from the start of the process to its end.
        first_failure_s: seconds from the start of the process to the first report of a failure, or None.
        skews_ns: first to last thread of each release, where the recipe measures that.
    """

    trials: int
    failed: int
    loop_s: float
    wall_s: float
    first_failure_s: float | None
    skews_ns: tuple[int, ...]


def lab_file(slug: str) -> Path:
    """The file that declares a lab of the book."""
    return ROOT / "ext" / slug / "lab.py"


def broken(slug: str) -> rl.Built:
    """The broken module of a lab, compiled."""
    return rl.compile(ROOT / "ext" / slug / f"{slug}_broken.c")


def under_pytest(
    recipe: str,
    slug: str,
    options: list[str],
    *,
    threads: int = 10,
    iterations: int = 1000,
    parallel: bool = False,
) -> UnderPytest:
    """Run one recipe on one broken module under real pytest, in a child.

    Args:
        recipe: name of the file here, with ``::test`` if one of its tests is meant.
        slug: the lab whose broken module is tested.
        options: more of pytest's options, e.g. ["--count=100"].
        threads, iterations: what the recipe takes from its surroundings.
        parallel: leave pytest-run-parallel on.

    Raises:
        BenchError: pytest did not get as far as a count.
    """
    plugins = [] if parallel else ["-p", "no:run-parallel"]
    started = time.monotonic_ns()
    ending = rl.run_child(
        HERE / "under_pytest.py",
        args=[str(started), recipe, *plugins, *options],
        modules=[broken(slug)],
        timeout_s=RECIPE_LIMIT_S,
        env={
            "RACELAB_BENCH_FILE": str(lab_file(slug)),
            "RACELAB_BENCH_THREADS": str(threads),
            "RACELAB_BENCH_ITERATIONS": str(iterations),
            "PYTEST_ADDOPTS": None,
        },
    )
    if ending.signal is not None or ending.outcome == "hang":
        return _died(ending)
    found = ending.returned
    if not found or found["problem"] or found["status"] not in (0, 1) or not found["trials"]:
        said = (found or {}).get("problem") or ending.stdout[-1500:] + ending.stderr[-1500:]
        raise BenchError(f"{recipe} on {slug} counted nothing ({ending.outcome}): {said}")
    return UnderPytest(
        trials=found["trials"],
        failed=found["failed"],
        loop_s=found["loop_s"],
        wall_s=ending.seconds,
        first_failure_s=found["first_failure_s"],
        skews_ns=tuple(found["skews_ns"]),
    )


def _died(ending: rl.Ending) -> UnderPytest:
    """pytest died or hung: one failure, after as many trials as it had printed dots and Fs for."""
    progress = [
        line for line in ending.stdout.splitlines() if line and not line.strip(".F%[] 0123456789")
    ]
    trials = sum(line.count(".") + line.count("F") for line in progress)
    failed = sum(line.count("F") for line in progress)
    return UnderPytest(trials + 1, failed + 1, ending.seconds, ending.seconds, ending.seconds, ())


def core(slug: str, **settings: Any) -> dict[str, Any]:
    """One run of the C core on a broken module in a child of its own; facts as `core_run` leaves them.

    Raises:
        BenchError: the child did not end well, or its GIL was on.
    """
    ending = rl.run_child(
        HERE / "core_run.py",
        args=[str(lab_file(slug)), "broken", json.dumps(settings)],
        modules=[broken(slug)],
        timeout_s=CORE_LIMIT_S,
    )
    facts: dict[str, Any] | None = ending.returned
    if ending.outcome != "ok" or not facts:
        raise BenchError(
            f"a run of the C core on {slug} with {settings} ended as {ending.outcome}: "
            f"{(ending.traceback or ending.stderr)[-1500:]}"
        )
    if facts["gil"]:
        raise BenchError(f"the GIL was on in a child that raced {slug}; is PYTHON_GIL set?")
    return facts


CELL = """#include <Python.h>
/* {stamp} */
static PyObject *
add(PyObject *Py_UNUSED(module), PyObject *args)
{{
    long a, b;
    if (!PyArg_ParseTuple(args, "ll", &a, &b)) {{
        return NULL;
    }}
    return PyLong_FromLong(a + b);
}}
static PyMethodDef methods[] = {{
    {{"add", add, METH_VARARGS, "Add two numbers."}},
    {{NULL, NULL, 0, NULL}},
}};
static PyModuleDef_Slot slots[] = {{
    {{Py_mod_gil, Py_MOD_GIL_NOT_USED}},
    {{0, NULL}},
}};
static PyModuleDef definition = {{
    PyModuleDef_HEAD_INIT,
    .m_name = "cell_add",
    .m_methods = methods,
    .m_slots = slots,
}};
PyMODINIT_FUNC
PyInit_cell_add(void)
{{
    return PyModuleDef_Init(&definition);
}}
"""


def compile_cell() -> tuple[float, float]:
    """Seconds that one `%%c` cell of 30 lines takes in a fresh shell: for the first time, and cached.

    Raises:
        BenchError: the cell did not compile, or its module did not work.
    """
    with tempfile.TemporaryDirectory(prefix="racelab-bench-") as folder:
        cell = Path(folder, "cell.c")
        cell.write_text(CELL.format(stamp=time.monotonic_ns()), encoding="utf-8")
        env: dict[str, str | None] = {"XDG_CACHE_HOME": folder, "IPYTHONDIR": f"{folder}/ipython"}
        times = []
        for _ in range(2):
            ending = rl.run_child(
                HERE / "cell_run.py", args=[str(cell), "cell_add"], env=env, timeout_s=CORE_LIMIT_S
            )
            if ending.outcome != "ok" or ending.returned is None:
                said = (ending.traceback or ending.stderr)[-1500:]
                raise BenchError(f"the cell did not compile ({ending.outcome}): {said}")
            times.append(float(ending.returned))
    return times[0], times[1]
