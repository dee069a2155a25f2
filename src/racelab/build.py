"""Compile C, C++ and Cython to a loadable module, on demand, and remember it.

A chapter compiles its modules while it is read, so a first build must cost a tenth of a second and
a repeated one next to nothing. There is no setuptools in between: one compiler command, made from
what `sysconfig` says about the interpreter that shall load the module.

Cache layout, below ``$XDG_CACHE_HOME/racelab/modules``::

    <key>/<entry>/<name><EXT_SUFFIX>    the module
    <key>/<entry>/stamp.json            written last; holds the module's checksum and its headers'
    sources/<sha>/<name>.c              sources that came as text, so that debuggers find them

A key names source, flags, compiler and interpreter; an entry adds the contents of every local header
that the compiler has read. An entry is made under a temporary name and renamed into place.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from racelab.files import write_whole
from racelab.reports import unable

if sys.platform != "win32":
    import fcntl

__all__ = ["BuildError", "Built", "cache_folder", "compile", "compiler_version", "load"]

#: Part of every key: raise it when the recipe below changes what comes out.
RECIPE = 1

DEFAULT_FLAGS = ("-O2", "-g", "-Wall", "-Wextra")
STANDARD = {"c": "-std=c11", "c++": "-std=c++17"}
SUFFIXES = {
    ".c": "c",
    ".cc": "c++",
    ".cpp": "c++",
    ".cxx": "c++",
    ".pyx": "cython",
}
LANGUAGES = ("c", "c++", "cython")
SANITIZERS = ("thread", "address")
COMPILER_LIMIT_S = 600.0
STALE_AFTER_S = 3600.0

_PYINIT = re.compile(r"\bPyInit_(\w+)")
_DIAGNOSTIC = re.compile(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:(?P<column>\d+):)? (?:fatal )?error: (?P<text>.*)$",
    re.MULTILINE,
)
_KIND = re.compile(
    r"(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:\d+:)? (?:fatal )?(?P<kind>error|warning|note): "
)
_LEADS_IN = re.compile(
    r"[^\s:][^:\n]*: (?:In .*|At top level):$|In file included from .*|\s+from .*:\d+[,:]"
)
_COUNTED = re.compile(r"(?:\d+ (?:warning|error)s?(?: and )?)+ generated\.")
_UNKNOWN_MACRO = re.compile(
    r"^#error|(?:^|undeclared identifier )['\u2018][A-Z][A-Z0-9_]+['\u2019](?: undeclared|$)"
)
_CYTHON_DIAGNOSTIC = re.compile(r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?P<column>\d+): ", re.M)
_CYTHON_CPLUS = re.compile(r"^#\s*distutils:\s*language\s*=\s*c\+\+", re.MULTILINE)

#: Asked of an interpreter that is not this one. Must work on any CPython 3.10 or newer.
_ASK = """
import json, sys, sysconfig
v = sysconfig.get_config_var
print(json.dumps({
    "version": sys.version, "prefix": sys.prefix, "suffix": v("EXT_SUFFIX"),
    "includes": sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude")}),
    "cc": v("CC") or "cc", "cxx": v("CXX") or "c++",
    "free_threaded": bool(v("Py_GIL_DISABLED")),
}))
"""


class BuildError(Exception):
    """A source did not become a module.

    `str()` of it is one sentence, then the compiler's own words on its errors with the source line and the caret.

    Attributes:
        file, line, column: where the first error is; None where there is no place (no compiler).
        message: the first error in the compiler's words.
        log: everything that the compiler printed.
        command: the command that failed.
    """

    def __init__(
        self,
        text: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        message: str = "",
        log: str = "",
        command: Sequence[str] = (),
    ) -> None:
        super().__init__(text)
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.log = log
        self.command = tuple(command)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the compiler's message, not our own call stack."""
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Built:
    """A module on disk, not imported yet.

    Attributes:
        name: what to import it as.
        path: the shared library.
        log: what the compiler said (warnings); paths as the reader knows them.
        seconds: what this call took.
        cached: True when nothing had to be compiled.
        source: path of the (first) source file.
        sha256: of the sources and of the local headers that they include.
        command: the last compiler command.
        language: "c", "c++" or "cython".
        compiler: first line of the compiler's --version.
        flags: the flags given on top of the default ones.
        sanitizer: None, "thread" or "address".
    """

    name: str
    path: Path
    log: str
    seconds: float
    cached: bool
    source: str
    sha256: str
    command: tuple[str, ...]
    language: str = "c"
    compiler: str = ""
    flags: tuple[str, ...] = ()
    sanitizer: str | None = None

    def __str__(self) -> str:
        how = "from the cache" if self.cached else f"compiled in {self.seconds:.2f} s"
        text = f"{self.name}: {how} ({self.compiler or self.language})"
        return f"{text}\n{self.log.rstrip()}" if self.log.strip() else text

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Built(...)")


@dataclass(frozen=True)
class _Interpreter:
    """What the compiler command needs to know about the interpreter that will load the module."""

    executable: str
    version: str
    prefix: str
    suffix: str
    includes: tuple[str, ...]
    cc: str
    cxx: str
    free_threaded: bool


@dataclass(frozen=True)
class _Job:
    """One thing to compile, with everything that its key depends on."""

    name: str
    language: str
    sources: tuple[Path, ...]
    texts: tuple[str, ...]
    flags: tuple[str, ...]
    cplus: bool
    sanitizer: str | None
    freethreading_compatible: bool | None
    interpreter: _Interpreter
    compiler: tuple[str, ...]
    origin: str | None
    quote_folder: str | None
    line_directives: bool = False


def compile(
    source: str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    language: str | None = None,
    flags: Sequence[str] | str = (),
    python: str | Path | None = None,
    sanitizer: str | None = None,
    freethreading_compatible: bool | None = None,
    origin: str | None = None,
    first_line: int = 1,
    line_directives: bool = False,
) -> Built:
    """Compile a module, or find it in the cache.

    Args:
        source: a file (.c, .cc, .cpp, .cxx, .pyx), the source text itself, or several files of
            one module, the one with PyInit_ first. A string with a line break in it is text.
        name: the module's name. Default: from PyInit_<name> in C and C++, the file's stem in Cython.
        language: "c", "c++" or "cython". Default: by the file's suffix, and "c" for text.
        flags: more compiler flags, a list or one string; they come last, so they win.
        python: interpreter that shall load the module. Default: this one.
        sanitizer: "thread" or "address": an instrumented module, for an interpreter built the same way.
        freethreading_compatible: Cython only. True or False gives the directive on Cython's command
            line (``-X``); a ``# cython:`` comment in the source wins. None: only the source says it.
        origin: how messages shall call a source that came as text, e.g. "cell counter.c".
        first_line: number of the text's first line in those messages.
        line_directives: Cython only. Debuggers then know the lines of the .pyx, not those of the C code.

    Returns:
        Built: where the module is. Nothing has been imported.

    Raises:
        BuildError: the source does not compile, or there is no compiler.
        ValueError: arguments that contradict each other; the message says which.
        FileNotFoundError: a source or the interpreter is not there.
    """
    begin = time.perf_counter()
    interpreter = _interpreter(python)
    job = _job(
        source,
        name,
        language,
        flags,
        interpreter,
        sanitizer,
        freethreading_compatible,
        origin,
        first_line,
    )
    if line_directives and job.language == "cython":
        job = replace(job, line_directives=True)
    folder = cache_folder() / _key(job)
    built = _find(job, folder)
    if built is None:
        with _locked(folder):
            # Whoever held the lock before us may have built the same thing.
            built = _find(job, folder) or _build(job, folder)
    return replace(built, seconds=time.perf_counter() - begin)


#: Name -> what `load` imported here.
_loaded: dict[str, Built | Path] = {}


def load(built: Built | str | Path, name: str | None = None) -> ModuleType:
    """Import a built module into *this* process and register it under its name.

    Only for modules that are meant to live here. A module under study is raced in children, which find
    by name whatever was loaded so.

    Args:
        built: what `compile` returned, or the path of a shared library.
        name: what to register it as. Default: the name it was built with.

    Raises:
        ImportError: the library does not load, or holds no such module.
    """
    import importlib.machinery
    import importlib.util

    if isinstance(built, Built):
        path, module_name = built.path, name or built.name
    else:
        path = Path(built)
        module_name = name or path.name.split(".", 1)[0]
    loader = importlib.machinery.ExtensionFileLoader(module_name, str(path))
    spec = importlib.util.spec_from_file_location(module_name, path, loader=loader)
    if spec is None:
        raise ImportError(f"{path} cannot be loaded as the module {module_name}.")
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules[module_name] = module
    _loaded[module_name] = built if isinstance(built, Built) else path
    return module


def loaded_modules() -> list[Built | Path]:
    """What `load` brought into this process: children find it by name, too."""
    return list(_loaded.values())


def cache_folder() -> Path:
    """Where compiled modules are kept: ``$XDG_CACHE_HOME/racelab/modules``, by default in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root / "racelab" / "modules"


@functools.lru_cache(maxsize=8)
def compiler_version(compiler: tuple[str, ...] | None = None) -> str:
    """First line of the compiler's --version, or "" where there is none.

    Args:
        compiler: its command. Default: the C compiler that `compile` would use for this interpreter.
    """
    command = compiler or _compiler(_interpreter(None), cplus=False)
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0].strip()


def python_version(python: str | Path | None = None) -> str:
    """Version and kind of build of an interpreter, e.g. "3.13.5 experimental free-threading build".

    Args:
        python: its path. Default: this one.
    """
    found = _interpreter(python)
    kind = "experimental free-threading build" if found.free_threaded else "build with the GIL"
    debug = ", debug" if re.search(r"-\d+t?d-", found.suffix) else ""  # what its modules end with
    return f"{found.version.split()[0]} {kind}{debug}"


# ---------------------------------------------------------------------------------------------------
# What is to be built
# ---------------------------------------------------------------------------------------------------


def _job(
    source: str | Path | Sequence[str | Path],
    name: str | None,
    language: str | None,
    flags: Sequence[str] | str,
    interpreter: _Interpreter,
    sanitizer: str | None,
    freethreading_compatible: bool | None,
    origin: str | None,
    first_line: int,
) -> _Job:
    if language is not None and language not in LANGUAGES:
        raise ValueError(f"language={language!r} is not one of {', '.join(LANGUAGES)}.")
    if sanitizer is not None and sanitizer not in SANITIZERS:
        raise ValueError(f"sanitizer={sanitizer!r} is not one of {', '.join(SANITIZERS)}.")
    extra = tuple(shlex.split(flags)) if isinstance(flags, str) else tuple(flags)
    if _is_text(source):
        return _text_job(
            str(source),
            name,
            language or "c",
            extra,
            interpreter,
            sanitizer,
            freethreading_compatible,
            origin,
            first_line,
        )
    listed = [source] if isinstance(source, (str, Path)) else list(source)
    if not listed:
        raise ValueError("compile() got an empty list of sources; name at least one file.")
    paths = tuple(_existing(Path(item)) for item in listed)
    texts = tuple(path.read_text(encoding="utf-8", errors="replace") for path in paths)
    kind = language or SUFFIXES.get(paths[0].suffix)
    if kind is None:
        known = ", ".join(SUFFIXES)
        raise ValueError(f"{paths[0].name}: the suffix says no language ({known}); give language=.")
    return _finish(
        name,
        kind,
        paths,
        texts,
        extra,
        interpreter,
        sanitizer,
        freethreading_compatible,
        origin,
        None,
    )


def _is_text(source: object) -> bool:
    return isinstance(source, str) and ("\n" in source or Path(source).suffix not in SUFFIXES)


def _text_job(
    text: str,
    name: str | None,
    language: str,
    flags: tuple[str, ...],
    interpreter: _Interpreter,
    sanitizer: str | None,
    freethreading_compatible: bool | None,
    origin: str | None,
    first_line: int,
) -> _Job:
    if "\n" not in text:
        raise FileNotFoundError(
            f"{text!r} is neither a source file ({', '.join(SUFFIXES)}) nor source text of several lines."
        )
    chosen = name or _name_in(text, language)
    # Blank lines in front make the compiler count as the reader does.
    body = "\n" * (first_line - 1) + text
    suffix = {"c": ".c", "c++": ".cpp", "cython": ".pyx"}[language]
    path = _keep_source(chosen, suffix, body)
    return _finish(
        chosen,
        language,
        (path,),
        (body,),
        flags,
        interpreter,
        sanitizer,
        freethreading_compatible,
        origin or f"{chosen}{suffix}",
        str(Path.cwd()),
    )


def _finish(
    name: str | None,
    language: str,
    paths: tuple[Path, ...],
    texts: tuple[str, ...],
    flags: tuple[str, ...],
    interpreter: _Interpreter,
    sanitizer: str | None,
    freethreading_compatible: bool | None,
    origin: str | None,
    quote_folder: str | None,
) -> _Job:
    """Settle name, compiler and dialect, and refuse what cannot work."""
    if language != "cython" and freethreading_compatible is not None:
        raise ValueError(
            "freethreading_compatible= is for Cython; a C module says it in its Py_mod_gil slot."
        )
    chosen = name or _name_in(texts[0], language, paths[0])
    if not chosen.isidentifier():
        raise ValueError(f"{chosen!r} cannot be the name of a module: use letters, digits and _.")
    defined = {found for text in texts for found in _PYINIT.findall(text)}
    if language != "cython" and defined and chosen not in defined:
        raise ValueError(
            f"{paths[0].name} defines PyInit_{min(defined)}, so it cannot be imported as {chosen!r}; "
            f"use name={min(defined)!r} or rename the function."
        )
    cplus = language == "c++" or (language == "cython" and bool(_CYTHON_CPLUS.search(texts[0])))
    return _Job(
        name=chosen,
        language=language,
        sources=paths,
        texts=texts,
        flags=flags,
        cplus=cplus,
        sanitizer=sanitizer,
        freethreading_compatible=freethreading_compatible,
        interpreter=interpreter,
        compiler=_compiler(interpreter, cplus=cplus),
        origin=origin,
        quote_folder=quote_folder,
    )


def _name_in(text: str, language: str, path: Path | None = None) -> str:
    if language == "cython":
        if path is None:
            raise ValueError("Cython text names no module: give name=.")
        return path.stem
    found = _PYINIT.search(text)
    if found:
        return found.group(1)
    if path is not None:
        return path.stem
    raise ValueError(
        "the source has no PyInit_<name> function, so it is not a module; or give name=."
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such source file (looked in {Path.cwd()}).")
    return path.resolve()


def _keep_source(name: str, suffix: str, text: str) -> Path:
    """Store source text under its hash, so that debuggers and sanitizers can show it later."""
    folder = cache_folder() / "sources" / hashlib.sha256(text.encode()).hexdigest()[:16]
    path = folder / f"{name}{suffix}"
    if not (path.is_file() and path.read_text(encoding="utf-8") == text):
        write_whole(path, text)
    return path


# ---------------------------------------------------------------------------------------------------
# Interpreter and compiler
# ---------------------------------------------------------------------------------------------------


def _interpreter(python: str | Path | None) -> _Interpreter:
    if python is None or str(python) == sys.executable:
        return _this_interpreter()
    found = shutil.which(str(python))
    if found is None:
        raise FileNotFoundError(
            f"{python}: there is no such interpreter, or it cannot be executed."
        )
    state = Path(found).stat()
    return _other_interpreter(found, state.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _this_interpreter() -> _Interpreter:
    import sysconfig

    var = sysconfig.get_config_var
    return _Interpreter(
        executable=sys.executable,
        version=sys.version,
        prefix=sys.prefix,
        suffix=str(var("EXT_SUFFIX")),
        includes=tuple(sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude")})),
        cc=str(var("CC") or "cc"),
        cxx=str(var("CXX") or "c++"),
        free_threaded=bool(var("Py_GIL_DISABLED")),
    )


@functools.lru_cache(maxsize=16)
def _other_interpreter(executable: str, mtime_ns: int) -> _Interpreter:  # noqa: ARG001
    """Ask another interpreter once per process; `mtime_ns` makes a replaced one be asked again."""
    try:
        done = subprocess.run(
            [executable, "-I", "-c", _ASK], capture_output=True, text=True, timeout=60, check=True
        )
        answer = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        said = unable(error.stderr) or error.stderr.strip()
        raise BuildError(f"{executable} does not run as Python: {said}") from error
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        raise BuildError(
            f"{executable} does not answer as a Python interpreter: {error}"
        ) from error
    return _Interpreter(executable=executable, **{**answer, "includes": tuple(answer["includes"])})


def _compiler(interpreter: _Interpreter, *, cplus: bool) -> tuple[str, ...]:
    """The compiler's command, program resolved: from CC or CXX, else what built the interpreter."""
    variable = "CXX" if cplus else "CC"
    wish = os.environ.get(variable) or (interpreter.cxx if cplus else interpreter.cc)
    words = shlex.split(wish)
    program = shutil.which(words[0])
    if program is None:
        program = shutil.which("c++" if cplus else "cc")
        words = words[:1]
    if program is None:
        raise BuildError(
            f"there is no {'C++' if cplus else 'C'} compiler: {wish!r} is not on PATH. "
            f"Install one (Debian, Ubuntu: apt-get install {'g++' if cplus else 'gcc'}) or set {variable}."
        )
    return (program, *words[1:])


def _identity(program: str) -> list[Any]:
    """Names a compiler without starting it: an update changes size or time of its file."""
    real = Path(program).resolve()
    state = real.stat()
    return [str(real), state.st_size, state.st_mtime_ns]


def _include_folder() -> Path:
    """The folder in which ``racelab/race_point.h`` is found."""
    return Path(__file__).resolve().parent.parent


def _key(job: _Job) -> str:
    parts = [
        RECIPE,
        job.name,
        job.language,
        [str(path) for path in job.sources],
        list(job.texts),
        list(job.flags),
        job.cplus,
        job.sanitizer,
        job.freethreading_compatible,
        [*job.compiler[1:], *_identity(job.compiler[0])],
        [job.interpreter.version, job.interpreter.suffix, *job.interpreter.includes],
        str(_include_folder()),
        job.quote_folder,
        # A change of Cython changes the C code; its version is known without importing it.
        _cython_identity() if job.language == "cython" else None,
        *(["line directives"] if job.line_directives else []),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _cython_identity() -> str | None:
    import importlib.util

    spec = importlib.util.find_spec("Cython")
    if spec is None or spec.origin is None:
        return None
    version = Path(spec.origin).with_name("Shadow.py")
    return f"{version}:{version.stat().st_mtime_ns}" if version.is_file() else spec.origin


# ---------------------------------------------------------------------------------------------------
# The cache
# ---------------------------------------------------------------------------------------------------


def _find(job: _Job, folder: Path) -> Built | None:
    """The entry whose module and headers are as they were, or None."""
    if not folder.is_dir():
        return None
    for stamp in sorted(folder.glob("[0-9a-f]*/stamp.json")):
        entry = _read_entry(job, stamp)
        if entry is not None:
            return entry
    return None


def _read_entry(job: _Job, stamp: Path) -> Built | None:
    """A cache entry, or None where it is damaged or out of date. Never raises for its contents."""
    try:
        facts = json.loads(stamp.read_text(encoding="utf-8"))
        module = stamp.parent / facts["module"]
        if _sha256(module) != facts["module_sha256"]:
            return None
        if any(_sha256(Path(path)) != digest for path, digest in facts["headers"].items()):
            return None
        return Built(
            name=job.name,
            path=module,
            log=str(facts["log"]),
            seconds=0.0,
            cached=True,
            source=str(job.sources[0]),
            sha256=str(facts["source_sha256"]),
            command=tuple(facts["command"]),
            language=job.language,
            compiler=str(facts["compiler"]),
            flags=job.flags,
            sanitizer=job.sanitizer,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One builder per key; the lock goes when its process does, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BuildError(
            f"the cache folder {folder} cannot be written ({error.strerror}); set XDG_CACHE_HOME to one that can."
        ) from error
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _build(job: _Job, folder: Path) -> Built:
    _sweep(folder)
    work = folder / f"tmp-{os.getpid()}-{time.monotonic_ns()}"
    work.mkdir()
    try:
        return _build_in(job, folder, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _build_in(job: _Job, folder: Path, work: Path) -> Built:
    module = work / f"{job.name}{job.interpreter.suffix}"
    log = ""
    sources: tuple[Path, ...] = job.sources
    headers: set[Path] = set()
    if job.language == "cython":
        translated, log, headers = _translate(job, work)
        sources = (translated, *job.sources[1:])
    depfile = work / "headers.d"
    command = _compile_command(job, sources, module, depfile)
    log += _run_compiler(job, command, work)
    headers |= _local_headers(depfile, job)
    digests = {str(path): _sha256(path) for path in sorted(headers)}
    facts = {
        "module": module.name,
        "module_sha256": _sha256(module),
        "headers": digests,
        "source_sha256": _source_digest(job, digests),
        "command": command,
        "compiler": compiler_version(job.compiler),
        "log": log,
    }
    depfile.unlink(missing_ok=True)
    entry = folder / hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]
    (work / "stamp.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    _install(work, entry)
    built = _read_entry(job, entry / "stamp.json")
    if built is None:
        raise BuildError(
            f"{entry} was written and does not read back whole: is the disk full? Free space and try again."
        )
    return replace(built, cached=False)


def _install(work: Path, entry: Path) -> None:
    """Rename into place; a damaged entry of the same name steps aside first."""
    if entry.exists():
        aside = entry.with_name(f"tmp-old-{os.getpid()}-{time.monotonic_ns()}")
        entry.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    work.rename(entry)


def _sweep(folder: Path) -> None:
    """Remove what builds that were killed have left."""
    for left in folder.glob("tmp-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


def _source_digest(job: _Job, headers: dict[str, str]) -> str:
    digest = hashlib.sha256()
    for text in job.texts:
        digest.update(text.lstrip("\n").encode())
    for _path, value in sorted(headers.items(), key=lambda item: item[1]):
        digest.update(value.encode())
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------------
# The commands
# ---------------------------------------------------------------------------------------------------


def _compile_command(job: _Job, sources: Iterable[Path], module: Path, depfile: Path) -> list[str]:
    command = [*job.compiler, *DEFAULT_FLAGS]
    if job.language == "cython":
        command.append("-w")  # the C code is Cython's; its warnings tell the reader nothing
    elif job.cplus:
        command.append("-Wno-missing-field-initializers")  # every PyModuleDef has some
    command.append(STANDARD["c++" if job.cplus else "c"])
    command += ["-fPIC", "-fdiagnostics-color=never", "-MMD", "-MF", str(depfile)]
    command += (
        ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    )
    if job.sanitizer:
        command += [f"-fsanitize={job.sanitizer}", "-fno-omit-frame-pointer"]
    if job.quote_folder:
        command += ["-iquote", job.quote_folder]
    if job.language == "cython":
        command += ["-iquote", str(job.sources[0].parent)]
    if job.line_directives:  # a debugger shall find the .pyx where it is, not where its C code was
        command.append(f"-fdebug-prefix-map={module.parent}={job.sources[0].parent}")
    command += [word for path in job.interpreter.includes for word in ("-I", path)]
    # Last in the search, so that a neighbour of ours in site-packages never shadows anything.
    command += ["-idirafter", str(_include_folder())]
    command += [str(path) for path in sources]
    return [*command, *job.flags, "-o", str(module)]


def _translate(job: _Job, work: Path) -> tuple[Path, str, set[Path]]:
    """Cython to C or C++; returns the file, the messages, and the .pxd and .pxi files it read."""
    out = work / f"{job.name}{'.cpp' if job.cplus else '.c'}"
    command = [*_cython_command(job), "-3", "-M", "--module-name", job.name]
    if job.sanitizer or job.line_directives:
        command.append(
            "--line-directives"
        )  # reports and stacks then name lines of the .pyx, not of the C code
    if job.cplus:
        command.append("--cplus")
    if job.freethreading_compatible is not None:
        command += ["-X", f"freethreading_compatible={job.freethreading_compatible}"]
    command += [str(job.sources[0]), "-o", str(out)]
    log = _run_compiler(job, command, work)
    depfile = Path(f"{out}.dep")
    headers = _local_headers(depfile, job)
    depfile.unlink(missing_ok=True)
    return out, log, headers


def _cython_command(job: _Job) -> list[str]:
    import importlib.util

    if importlib.util.find_spec("Cython") is not None:
        return [sys.executable, "-m", "cython"]
    program = shutil.which("cython")
    if program is None:
        raise BuildError(
            f"{job.sources[0].name} needs Cython, which is not installed for {sys.executable}: "
            "pip install 'cython>=3.1'."
        )
    return [program]


def _run_compiler(job: _Job, command: list[str], work: Path) -> str:
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=COMPILER_LIMIT_S,
            env=env,
            cwd=work,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"{job.name}: {command[0]} did not finish within {COMPILER_LIMIT_S:.0f} s.",
            command=command,
        ) from error
    except OSError as error:
        raise BuildError(
            f"{command[0]} cannot be started: {error.strerror}.", command=command
        ) from error
    log = _readable(job, done.stdout + done.stderr, work)
    if done.returncode != 0:
        raise _build_error(job, log, command, done.returncode)
    return log


def _readable(job: _Job, log: str, work: Path) -> str:
    """The compiler's words, with the names that the reader knows in place of ours."""
    if job.origin:
        log = log.replace(str(job.sources[0]), job.origin)
    for path in job.sources:
        log = log.replace(str(path), _short(path))
    return log.replace(f"{work}{os.sep}", "")


def _short(path: Path) -> str:
    """A path as one would type it here: relative when it is below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _build_error(job: _Job, log: str, command: list[str], status: int) -> BuildError:
    what = job.origin or _short(job.sources[0])
    cython = "cython" in " ".join(command[1:3])
    pattern = _CYTHON_DIAGNOSTIC if cython else _DIAGNOSTIC
    found = list(pattern.finditer(log))
    shown = log if cython else _without_warnings(log)
    if not found:
        ending = f"was ended by signal {-status}" if status < 0 else f"exit status {status}"
        text = f"{what}: the compiler failed ({Path(command[0]).name}, {ending}).\n{shown.rstrip()}"
        return BuildError(text, log=log, command=command)
    first = found[0]
    many = f"{len(found)} errors; the first is" if len(found) > 1 else "the error is"
    where = f"{first['file']}:{first['line']}"
    message = first.groupdict().get("text") or log[first.end() :].partition("\n")[0]
    return BuildError(
        f"{what} does not compile; {many} at {where}.\n{shown.rstrip()}{_missing(found, cython)}",
        file=first["file"],
        line=int(first["line"]),
        column=int(first["column"]) if first["column"] else None,
        message=message,
        log=log,
        command=command,
    )


def _without_warnings(log: str) -> str:
    """What the compiler said of errors, with their notes, and of the line before each: there a semicolon is missing."""
    parts: list[tuple[re.Match[str] | None, list[str]]] = [(None, [])]
    before: list[
        str
    ] = []  # "In function ...", "In file included from ...": said of what comes next
    for line in log.splitlines():
        kind = _KIND.match(line)
        if kind is None and _LEADS_IN.match(line):
            before.append(line)
        elif kind is not None and kind["kind"] != "note":
            parts.append((kind, [*before, line]))
            before = []
        else:
            if kind is None and not line.startswith((" ", "\t")):
                parts.append((None, []))  # the linker's words, or a count
            parts[-1][1].extend([*before, line])
            before = []
    errors = {
        (kind["file"], int(kind["line"])) for kind, _ in parts if kind and kind["kind"] == "error"
    }
    near = {(file, line - back) for file, line in errors for back in (0, 1)}
    kept = [
        line
        for kind, lines in parts
        if kind is None or (kind["file"], int(kind["line"])) in near
        for line in lines
    ]
    return "\n".join(line for line in kept if not _COUNTED.fullmatch(line))


def _missing(found: Sequence[re.Match[str]], cython: bool) -> str:
    """What to do where a header or a macro is not found."""
    texts = [] if cython else [error["text"] for error in found]
    if any(text.endswith(("No such file or directory", "file not found")) for text in texts):
        return '\nMore compiler options: flags=["-I/folder/of/the/header"] in the lab, or in compile().'
    if any(_UNKNOWN_MACRO.search(text) for text in texts):
        return '\nIf that is a macro of your build, say it: flags=["-DNAME=value"] in the lab, or in compile().'
    return ""


def _local_headers(depfile: Path, job: _Job) -> set[Path]:
    """Files that were read and may change: all but the sources, the interpreter's and the system's."""
    if not depfile.is_file():
        return set()
    text = depfile.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    _target, _colon, listed = text.partition(": ")
    outside = (*job.interpreter.includes, "/usr/", "/opt/")
    own = {path.resolve() for path in job.sources}
    found = set()
    for word in shlex.split(listed):
        path = (depfile.parent / word).resolve()
        if path in own or path.parent == depfile.parent or str(path).startswith(outside):
            continue
        if path.is_file():
            found.add(path)
    return found
