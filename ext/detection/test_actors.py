"""The calls of a lab as a test for pytest-run-parallel, as friendly to it as a test can be.

In each iteration every thread makes its actor's calls, all on one fresh state; the last one to come back looks
at what came out, as the race itself would do. What is run, and until when, measure.py says in DETECT.
The test ends the process as soon as it knows: the plugin would first run all its iterations.
"""

import json
import os
import threading
import time
from pathlib import Path

from racelab.child import _Prepared

asked = json.loads(os.environ["DETECT"])
THREADS = asked["threads"]
END = time.monotonic() + asked["seconds"]

known = _Prepared({**asked, "guard": False}).arguments
lab = asked["lab"]
lock = threading.Lock()


def fresh():
    """A state, and what its calls return; the count says how many threads are not back yet."""
    state = known["setup"]() if known["setup"] is not None else None
    return {"state": state, "returned": [None] * THREADS, "left": THREADS}


states = [fresh()]


def call(body, state):
    """One call; an exception is what it returns."""
    body, *args = body if isinstance(body, tuple) else (body,)
    try:
        if isinstance(body, str):
            return getattr(state, body)(*args)
        return body(*args) if known["setup"] is None else body(state, *args)
    except Exception as error:
        return error


def label(now):
    """What the lab calls what came out."""
    for value in now["returned"]:
        if isinstance(value, Exception):
            return f"error({type(value).__name__})"
    observe = known["observe"]
    if observe is None:
        return ", ".join(map(str, now["returned"]))
    if isinstance(observe, str):
        return str(getattr(now["state"], observe))
    try:
        return str(observe(now["state"], now["returned"], THREADS))
    except Exception as error:
        return f"observe-error({type(error).__name__})"


def end(said):
    """Say what is known, and leave past every clean-up."""
    Path(asked["answer"]).write_text(json.dumps({"said": said, "iterations": len(states)}))
    os._exit(0)


def grade(said):
    """The lab's grade of a label."""
    from racelab.lab import load_labs

    declared = next(one for one in load_labs(asked["lab_file"]) if one.name == lab)
    return declared.grade(said).name


grades = {}
Path(asked["answer"]).write_text(json.dumps({"begun": True}))


def test_actors(thread_index, iteration_index):
    now = states[iteration_index]
    for _ in range(known["bursts"][thread_index]):
        returned = call(known["actors"][thread_index], now["state"])
    with lock:
        now["returned"][thread_index] = returned
        now["left"] -= 1
        if now["left"]:
            return
        said = label(now)
        if said not in grades:
            grades[said] = grade(said)
        if grades[said] == "FORBIDDEN":
            end(said)
        if time.monotonic() > END:
            end("")
        states[iteration_index] = None
        states.append(fresh())
