"""Two plain Python threads call methods of one object, many times over.

Runs in a child process. argv: MODULE, TYPE, METHOD, METHODS, CALLS. The first thread makes CALLS calls of
METHOD; the second goes on with METHODS (one name, or several joined by "+") until the first is done.
Leaves `result`: the calls made, how many returned False, and the object's `value` where it has one.
An exception in a thread is raised again here, so that it ends the child.
"""

import importlib
import sys
import threading

module, kind, first, second, calls = *sys.argv[1:5], int(sys.argv[5])
thing = getattr(importlib.import_module(module), kind)()
start = threading.Barrier(2)
finished, errors = threading.Event(), []
result = {"calls": 0, "returned False": 0}


def main():
    method, wrong = getattr(thing, first), 0
    start.wait()
    for _ in range(calls):
        wrong += method() is False
    result["returned False"] = wrong


def beside():
    methods, made = [getattr(thing, name) for name in second.split("+")], 0
    start.wait()
    while not finished.is_set():
        for method in methods:
            method()
            made += 1
    result["calls"] = calls + made


def guarded(body):
    try:
        body()
    except Exception as error:
        errors.append(error)
    finally:
        finished.set()


threads = [threading.Thread(target=guarded, args=[body]) for body in (main, beside)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if errors:
    raise errors[0]
if hasattr(thing, "value"):
    result["value"] = thing.value
