"""Build the site: `make book`. Strict: a warning is an error, and every failing page is named.

What jupyter-book leaves open and this adds:
- its cache of executed notebooks looks at code cells alone, so a chapter whose C files, harness, kernel or
  interpreter changed would keep stale outputs: such chapters are dropped from the cache first;
- a page that failed once counts as read, so the next build would pass without it: after a failure every
  page is read again (executed chapters stay cached);
- a kernel that dies stops the build with a traceback: the page is named instead.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import assets
import site_check
from project import BUILD, KERNELS, ROOT, SITE, digest, fail, only_one, python_of, remove, say

DOCTREES = BUILD / ".doctrees"
CACHE = BUILD / ".jupyter_cache"
LOG = BUILD / "book.log"
STAMPS = BUILD / "chapters.json"
NOTEBOOKS = ROOT / "notebooks"
ALWAYS = [
    ROOT / "src/racelab",
    ROOT / "requirements/kernel.lock",
    ROOT / ".venv-ft/.stamp",
]
# The kernel remarks on its transport, a loopback connection, at every start.
SHOWN = re.compile(r"^(?!\[IPKernelApp\]).*(?:WARNING|ERROR|CRITICAL|Executing notebook|error:)")


def main(arguments: list[str] | None = None) -> int:
    """Bring the assets, drop what is stale, build, check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="show all that jupyter-book prints")
    chosen = parser.parse_args(arguments)
    start, began = time.monotonic(), time.time()
    with only_one("book"):
        BUILD.mkdir(exist_ok=True)
        assets.main()
        stale = drop_stale()
        for name in stale:
            say(f"book: {name} runs anew")
        status, log = build(chosen.verbose)
        if status != 0:
            remove(DOCTREES)
            report(log, began)
            return 1
        found = site_check.problems(SITE)
        if found:
            say("\n".join(found))
            fail(
                f"The site was built, but {len(found)} of its links or resources are wrong (above)."
            )
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    pages = sum(1 for _ in SITE.rglob("*.html"))
    print(
        f"The book is in {SITE.relative_to(ROOT)}/index.html: {pages} pages, {size / 1e6:.1f} MB, "
        f"built in {time.monotonic() - start:.1f} s. See it with `make serve`."
    )
    return 0


def drop_stale() -> list[str]:
    """Forget the outputs of chapters whose code changed outside their cells; return their names."""
    before = json.loads(STAMPS.read_text()) if STAMPS.exists() else {}
    pages = {path.name: path for path in [*executed_pages(), *sorted(NOTEBOOKS.glob("*.md"))]}
    now = {name: digest(depends_on(path)) for name, path in pages.items()}
    stale = [name for name, value in now.items() if before.get(name) not in (None, value)]
    if stale:
        forget = (
            "import sys; from jupyter_cache import get_cache\n"
            "cache = get_cache(sys.argv[1])\n"
            "for record in cache.list_cache_records():\n"
            "    if record.uri.rsplit('/', 1)[-1] in sys.argv[2:]:\n"
            "        cache.remove_cache(record.pk)\n"
        )
        if CACHE.exists():
            command = [str(python_of("book")), "-c", forget, str(CACHE), *stale]
            subprocess.run(command, check=True)
        for name in stale:
            doctree = DOCTREES / pages[name].relative_to(ROOT).with_suffix(".doctree")
            doctree.unlink(missing_ok=True)
    STAMPS.write_text(json.dumps(now, indent=1))
    return stale


def executed_pages() -> list[Path]:
    """Pages of `book/` that have cells."""
    found = sorted((ROOT / "book").glob("*.md"))
    return [page for page in found if "\nkernelspec:" in page.read_text(encoding="utf-8")[:400]]


def depends_on(chapter: Path) -> list[Path]:
    """What a chapter's outputs come from, beside its own cells.

    Its slug's folders, those of every other slug it names in quotes, the benchmarks if it reads them, the
    package and the kernel.
    """
    text = chapter.read_text(encoding="utf-8")
    slugs = set(re.findall(r"[\"']([a-z0-9_]+)[\"']", text)) | {chapter.stem.split("_", 1)[-1]}
    own = [ROOT / kind / slug for slug in sorted(slugs) for kind in ("ext", "exercises")]
    recorded = [NOTEBOOKS / "recorded" / f"{slug}.jsonl" for slug in sorted(slugs)]
    measured = [ROOT / "benchmarks"] if "../benchmarks" in text else []
    return [*ALWAYS, *(path for path in own + recorded + measured if path.exists())]


def build(verbose: bool) -> tuple[int, list[str]]:
    """Run jupyter-book strictly; return its exit status and all that it printed."""
    command = [str(python_of("book").with_name("jupyter-book")), "build", str(ROOT)]
    command += ["-W", "-n", "--keep-going"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    log: list[str] = []
    try:
        for line in _lines(process):
            log.append(line)
            if verbose or SHOWN.search(line):
                say(f"  {os.path.relpath(line, ROOT) if line.startswith(str(ROOT)) else line}")
    except KeyboardInterrupt:
        os.killpg(process.pid, 15)
        raise
    LOG.write_text("\n".join(log), encoding="utf-8")
    return process.wait(), log


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """The build's lines as they come; a word every half minute when it says nothing."""
    assert process.stdout is not None
    done = threading.Event()
    start = time.monotonic()

    def pulse() -> None:
        while not done.wait(30):
            say(
                f"  ... {time.monotonic() - start:.0f} s (chapters run; six to ten minutes cold on two cores)"
            )

    threading.Thread(target=pulse, daemon=True).start()
    try:
        for line in process.stdout:
            yield re.sub(r"\x1b\[[0-9;]*[mK]", "", line.rstrip())
    finally:
        done.set()


def environment() -> dict[str, str]:
    """The variables for a build: our kernel alone, and no word about the GIL."""
    values = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
    values["JUPYTER_PATH"] = str(KERNELS / "share/jupyter")
    values["JUPYTER_PREFER_ENV_PATH"] = "0"
    values["RACELAB_BOOK"] = str(ROOT)
    values["RACELAB_PROGRESS"] = "0"  # a progress bar leaves an empty output on the page
    values["RACELAB_STATIC"] = "1"  # living figures are written for the site
    values["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return values


def report(log: list[str], began: float) -> None:
    """Say which pages failed and why, after everything else."""
    named: dict[str, str] = {}
    running = None
    for line in log:
        match = re.search(r"([\w./-]+\.md)(?::\d+)?: (?:WARNING|ERROR|CRITICAL): (.*)", line)
        if match:
            page = os.path.relpath(match[1], ROOT) if match[1].startswith("/") else match[1]
            named.setdefault(page, match[2])
        if "Executing notebook" in line:
            found = re.search(r"([\w./-]+\.md)", line)
            running = os.path.relpath(found[1], ROOT) if found else running
    say("")
    if not named and running:
        # The first exception is the cause; what follows it says that something went wrong.
        raised = (re.match(r"[\w.]*?(\w+(?:Error|Exception): .+)", line) for line in log)
        why = next((match[1] for match in raised if match), "see above")
        named[running] = f"the build stopped while this chapter was running: {why}"
    for page, why in named.items():
        say(f"{page}: {why}")
        for text in sorted((SITE / "reports").rglob(f"{Path(page).stem}.err.log")):
            if text.stat().st_mtime < began:
                continue  # of an earlier build
            last = [line for line in text.read_text().splitlines() if line.strip()]
            say(f"    {last[-1] if last else ''} (the whole traceback: {text.relative_to(ROOT)})")
    if not named:
        end = next((i for i, line in enumerate(log) if "Traceback" in line), len(log))
        say("\n".join(log[max(0, end - 12) : end]))
    say(
        f"The book was not built: {len(named) or 'an unknown number of'} page(s) failed (above). All that the build said: {LOG.relative_to(ROOT)}"
    )


if __name__ == "__main__":
    sys.exit(main())
