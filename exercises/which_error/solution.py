"""which_error.py: six messages from six ports to 3.13t. Nothing is left out of them but stacks and repetitions.

1   $ python -m pip install -q dist/lamp-1.0-cp313-cp313t-linux_x86_64.whl && python -P -c "import lamp"
    ModuleNotFoundError: No module named 'lamp'
    $ unzip -l dist/*.whl | grep -o 'lamp.*so'
    lamp.cpython-313-x86_64-linux-gnu.so

2   $ cython --version
    Cython version 3.3.1
    $ grep requires pyproject.toml
    requires = ["setuptools", "cython<3.1"]
    $ python -m pip wheel --no-deps -w dist .
    lamp.c:1708:80: error: unknown type name '__pyx_vectorcallfunc'; did you mean 'vectorcallfunc'?

3   $ python -c "import app, sys; print(sys._is_gil_enabled())"
    RuntimeWarning: The global interpreter lock (GIL) has been enabled to load module 'lamp', which has not
    declared that it can run safely without the GIL.
    True

4   $ make test                                        (a recipe of one line: ./add 2>report.txt)
    all tests passed
    make: *** [Makefile:2: test] Error 66

5   $ python -c "import lamp; lamp.make()"
    Fatal Python error: Segmentation fault
    $ python-debug -c "import lamp; lamp.make()"
    Fatal Python error: _Py_object_freelists_GET: the function must be called with the GIL held, after Python
    initialization and before Python finalization, but the GIL is released (the current Python thread state
    is NULL)

6   $ python-tsan -m pytest -s
    WARNING: Program is run with limited virtual address space, which wouldn't work with ThreadSanitizer.
    Re-execing with unlimited virtual address space.
    ERROR: ThreadSanitizer setrlimit() failed 22

Cures: "build with 3.13t"   "rename the wheel"        "upgrade cython here"    "raise the pin"
       "add the slot"       "PYTHON_GIL=0"            "exitcode=0"             "mend the race"
       "attach for it"      "begin a section"         "setarch -R"             "raise the limit"
("add the slot": after a look at what the module shares. "here": in the environment that you see.
"mend the race": the one that the report names. "attach for it": or move the call. "begin a section": a
critical section around the call.)

Proofs, each of them a command that you run before and after the cure:
       "pip install"        installs the wheel
       "import"             python -P -c "import lamp", after pip install in a fresh environment
       "cython"             cython -3 lamp.pyx, and then gcc, in the environment that you see
       "pip wheel"          builds the wheel as pip does, in an environment of its own
       "strict import"      python -W error::RuntimeWarning -c "import lamp", PYTHON_GIL not set
       "quiet import"       PYTHON_GIL=0 python -c "import lamp"
       "status"             ./add, and its exit status, TSAN_OPTIONS not set
       "output"             ./add, and whether it says "all tests passed"
       "call"               python-debug -c "import lamp; lamp.make()"
       "tsan"               python-tsan -c pass, where the tests run

Goal   For each message a cure after which nothing is wrong any more, and a proof that fails before it and
       succeeds after it.
Check  racelab check which_error        Stuck?  racelab hint which_error
"""

# BEGIN STARTER
# CURE = {
#     1: "rename the wheel",
#     2: "upgrade cython here",
#     3: "PYTHON_GIL=0",
#     4: None,
#     5: None,
#     6: None,
# }
# BEGIN SOLUTION
CURE = {
    1: "build with 3.13t",
    2: "raise the pin",
    3: "add the slot",
    4: "mend the race",
    5: "attach for it",
    6: "raise the limit",
}
# END

# BEGIN STARTER
# PROOF = {
#     1: "pip install",
#     2: "cython",
#     3: "quiet import",
#     4: None,
#     5: None,
#     6: None,
# }
# BEGIN SOLUTION
PROOF = {
    1: "import",
    2: "pip wheel",
    3: "strict import",
    4: "status",
    5: "call",
    6: "tsan",
}
# END
