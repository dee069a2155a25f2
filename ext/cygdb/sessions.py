"""Cython's commands in gdb: what works, what does not, and the way round that does. On the counter of chapter 13.

Run  racelab record cygdb [--only step]

Each session runs its command, word for word, in a folder that holds the files of this one, the counter's .pyx and, where
it needs one, the module as `python setup.py build_ext --inplace` builds it.
"""

import atexit
import functools
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from racelab.outside import run
from racelab.sessions import Session

DEPENDS = ["cy_counter"]

HERE = Path(__file__).resolve().parent
COUNTER = HERE.parent / "cy_counter" / "cy_counter_broken.pyx"
BUILD = "python setup.py build_ext --inplace"
#: A command to the folder in which it has run.
READY = {}
QUIET = f"{BUILD} >log 2>&1"

#: Notes of gdb on its settings and on libraries of the system; blank lines.
NOISE = re.compile(
    r"auto-load|^To (?:enable execution|completely disable)|^line to your configuration|Auto-loading safe path|this security protection"
    r"|set logging|set pagination|^\[Thread debugging|^Using host libthread_db|^\[(?:New )?Thread .*|^\s*$"
    r"|^\[Switching to Thread|^No source file named|^\d+\tin |: No such file or directory\.$"
)


def tidy(text):
    """A transcript: commands behind gdb's prompt (trace-commands marks them with a plus), and no noise."""
    lines = [line for line in text.splitlines() if not re.match(r"\+\+", line)]
    lines = [line for line in lines if not NOISE.search(line)]
    return "\n".join(re.sub(r"^\+", "(gdb) ", line) for line in lines)


def brief(text):
    """The same; of a traceback inside gdb its last line alone."""
    text = re.sub(
        r"^Traceback \(most recent call last\):\n(?:[ \n].*\n+|.*following exception.*\n)*",
        "",
        text,
        flags=re.M,
    )
    return tidy(
        re.sub(
            r"^(?:During handling.*|Python Exception .*|gdb\.\w*[Ee]rror: .*)\n+",
            "",
            text,
            flags=re.M,
        )
    )


def in_a_folder(command, *, built="", env=None, timeout_s=60):
    """A run of a command line in a folder of its own; `built`: what was run there before."""

    def go():
        if not built and command.startswith(QUIET):
            return first(command)
        with tempfile.TemporaryDirectory(prefix="cygdb-") as folder:
            inside = Path(folder, "counter")
            shutil.copytree(prepared(built), inside)
            return shell(command, inside, env, timeout_s)

    return go


def first(command):
    """The session that builds: what it built is there for the others."""
    folder = Path(kept(), "first", "counter")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared(""), folder)
    seen = shell(command, folder)
    READY[QUIET] = folder
    return seen


@functools.cache
def kept():
    """Where what was built lies, until this process ends."""
    folder = tempfile.mkdtemp(prefix="cygdb-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def prepared(built):
    """The folder, after a command or before any."""
    if built not in READY:
        READY[built] = prepare(built)
    return READY[built]


def prepare(built):
    """A folder in which that command has run."""
    folder = Path(kept(), str(abs(hash(built))), "counter")
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__", "sessions.py"))
    shutil.copy(COUNTER, folder)
    if built:
        seen = shell(built, folder)
        if seen.status != 0:
            log = folder / "log"
            said = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{built}: {seen.ending}: {seen.text}{said}")
    return folder


def shell(command, folder, env=None, timeout_s=60):
    """Run a command line by bash in a folder, with this environment's programs first. {folder} in env is that folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    mine = {name: value.format(folder=folder, path=path) for name, value in (env or {}).items()}
    given = {"PATH": path, "VIRTUAL_ENV": None, "PYTHONPATH": None, "CFLAGS": None, **mine}
    return run(["bash", "-c", command], timeout_s=timeout_s, env=given, folder=folder)


def gdb(*commands, program="once.py", before=""):
    """A command line for gdb: cy.gdb, then a script or commands, each shown before what it prints."""
    words = ["gdb -nx -q -batch -x cy.gdb"]
    if len(commands) > 1:
        words += ["-ex 'set trace-commands on'", *(f"-ex '{one}'" for one in commands)]
    else:
        words += [f"-x {commands[0]}"]
    return f"{before}{' '.join(words)} --args python {program}"


def under_gdb(command, *, built=QUIET, needs=("gdb",), **more):
    """What a session of one command has in common with the next."""
    return {
        "command": command,
        "run": in_a_folder(command, built=built, **more),
        "needs": needs,
    }


FOUND = f"{BUILD} >log 2>&1; ls -d cy*; ls cython_debug"
CYGDB = "cygdb --build-dir . -- -nx -batch -ex 'cy run' --args python once.py"
INSIDE = (
    "gdb -nx -batch -ex 'python import sys; print(\"gdb: \", sys.version)'; "
    "python -c 'import sys; print(\"mine:\", sys.version)'"
)
OPTIMISED = f"sed -i s/-O0/-O2/ setup.py; {QUIET}"
LINES = f"sed -i s/gdb_debug/emit_linenums/ setup.py; {QUIET}"
UV = HERE.parent.parent / ".venv-tools" / "bin" / "uv"
TOOLS = f"{UV} pip install -q --python python --target tools meson ninja"
MESON = (
    "meson setup build >log && meson compile -C build >>log && ls -d build/cy*; "
    "CYTHON_DEBUG=build/cython_debug PYTHONPATH=build "
)
VERSIONS = "python versions.py 3.1.8 3.2.9 3.3.0 3.3.1"

SESSIONS = {
    "build": Session(
        title="The module, built for a debugger",
        command=FOUND,
        run=in_a_folder(FOUND),
        shape=(
            r"^(cy_counter_broken\.c)$",
            r"^(cython_debug)$",
            r"^(cython_debug_info_cy_counter_broken)$",
            r"^(interpreter)$",
        ),
    ),
    "cygdb": Session(
        title="cygdb, as this Cython brings it",
        **under_gdb(CYGDB),
        shape=(r"(SyntaxError)", r"(Error in sourced command file)", r"(Undefined command)"),
        tidy=tidy,
    ),
    "inside": Session(
        title="Two Pythons: the one inside gdb, and yours",
        **under_gdb(INSIDE, built=""),
        shape=(r"^gdb: +3\.", r"^mine: +3\."),
    ),
    "step": Session(
        title="One thread, step by step",
        **under_gdb(gdb("step.gdb")),
        shape=(
            r"^\(gdb\) (cy bt)",
            r"in (bump)\(\) at .*cy_counter_broken\.pyx:(46)",
            r"in (add_one)\(\) at .*cy_counter_broken\.pyx:(38)",
            r"^\(gdb\) (cy list)",
            r"^> +(40) ",
            r"^(seen) = \(long\) (0)",
            r"(counter\.bump\(\))",
        ),
        tidy=tidy,
    ),
    "look": Session(
        title="Values, module globals, and a line of Python",
        **under_gdb(gdb("look.gdb")),
        shape=(r"^(seen) = \(long\) (0)", r"^(Python globals):", r"^ +(Counter) ", r"^(value 0)"),
        tidy=tidy,
    ),
    "stale": Session(
        title="The same, where nobody has mended how dicts are read",
        **under_gdb(
            gdb(
                "cy break cy_counter_broken:40",
                "cy run",
                "cy print seen",
                "cy globals",
                "cy locals",
                before="PYTHON_GDB=none ",
            )
        ),
        shape=(
            r"^\(gdb\) (cy print)",
            r"(no member named dk_size)",
            r"^\(gdb\) (cy globals)",
            r"(no member named dk_size)",
            r"^(seen) = \(long\) (0)",
        ),
        tidy=brief,
    ),
    "hold": Session(
        title="Two threads, held where they have read and not yet written",
        **under_gdb(gdb("hold.gdb", program="two.py"), timeout_s=15),
        shape=(
            r"^(Thread 2) \(",
            r"^(seen) = \(long\) (0)",
            r"^(Thread 3) \(",
            r"^(seen) = \(long\) (0)",
            r"^(two calls, value 1)",
        ),
        tidy=tidy,
    ),
    "plain": Session(
        title="No Cython in gdb at all, with line directives in the C file",
        **under_gdb("gdb -nx -q -batch -x plain.gdb --args python once.py", built=LINES),
        shape=(
            r"(add_one) .*cy_counter_broken\.pyx:(40)",
            r"(bump) .*cy_counter_broken\.pyx:(46)",
            r"(__pyx_v_seen) = (0)",
        ),
        tidy=tidy,
    ),
    "traps": Session(
        title="Four breakpoints at which nothing stops",
        **under_gdb(
            gdb(
                "cy break :40",
                "cy break cy_counter_broken:36",
                "cy break Counter.bump",
                "cy break -p add",
                "cy run",
                program="two.py",
            )
        ),
        shape=(
            r"(No frame is currently selected)",
            r"(Not a valid line number)",
            r"(Counter\.bump)\) pending",
            r"^(two calls, value 2)",
        ),
        tidy=brief,
    ),
    "optimised": Session(
        title="Compiled with -O2",
        **under_gdb(gdb("cy break cy_counter_broken:40", "cy run", "cy locals"), built=OPTIMISED),
        shape=lambda text: (
            ["seen"]
            if re.search(
                r"self=<optimized out>.*\n.*\n *40 .*\n\(gdb\) cy locals\nseen = .*$", text
            )
            else None
        ),
        tidy=tidy,
    ),
    "meson": Session(
        title="The same module, built by Meson",
        **under_gdb(
            gdb("cy break add_one", "cy run", "cy bt", before=MESON),
            built=TOOLS,
            needs=("gdb", "network"),
            timeout_s=240,
            env={"PATH": "{folder}/tools/bin:{path}", "PYTHONPATH": "{folder}/tools"},
        ),
        shape=(
            r"^(build/cython_debug)$",
            r"in (bump)\(\) at .*cy_counter_broken\.pyx:(46)",
            r"in (add_one)\(\) at .*cy_counter_broken\.pyx:(38)",
        ),
        tidy=tidy,
        long=True,
    ),
    "versions": Session(
        title="cygdb of four Cythons, with and without VIRTUAL_ENV",
        **under_gdb(VERSIONS, built="", needs=("gdb", "network"), timeout_s=240),
        shape=(r"^(3\.1\.8 .*)", r"^(3\.2\.9 .*)", r"^(3\.3\.0 .*)", r"^(3\.3\.1 .*)"),
        tries=1,
        long=True,
    ),
}
