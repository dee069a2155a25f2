"""CPython's source from Debian's signed archive, and packages from the machine's own.

The archive's signature is what is trusted: apt checks the signed index of the suite, the hashes in
it, and the hashes of the downloaded files. Nothing of the machine's apt settings is changed; all
lists, indexes and downloads live in a temporary folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import _store
from _steps import Trouble, capture, clean_environment, error_lines, say, step

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_FOLDER = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
MIRROR_VARIABLE = "RACELAB_DEBIAN_MIRROR"
SUITES = {"3.13": ("trixie",), "3.14": ("forky", "sid"), "3.15": ("forky", "sid")}
"""Where each series is to be had, best first."""
DEBIAN_SUITES = re.compile(
    r"(buster|bullseye|bookworm|trixie|forky|duke|sid|oldstable|stable|testing|unstable)"
    r"(-updates|-backports)?"
)
INDEX_LIMIT_S = 300.0
SOURCE_LIMIT_S = 600.0
INSTALL_LIMIT_S = 900.0


@dataclass(frozen=True)
class Entry:
    """One line or stanza of an apt sources list."""

    types: tuple[str, ...]
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]


def parse_one_line(text: str) -> list[Entry]:
    """Read a `.list` file: `deb [options] URI suite components`, one per line."""
    entries = []
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", " ", line.split("#")[0]).split()
        if len(words) >= 3 and words[0] in ("deb", "deb-src"):
            entries.append(Entry((words[0],), (words[1],), (words[2],), tuple(words[3:])))
    return entries


def parse_deb822(text: str) -> list[Entry]:
    """Read a `.sources` file: stanzas of `Field: value`; disabled ones are left out."""
    entries = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() not in ("no", "false", "off", "0", "without"):
            types, uris, suites, components = (
                tuple(fields.get(each, "").split())
                for each in ("types", "uris", "suites", "components")
            )
            if types and uris and suites:
                entries.append(Entry(types, uris, suites, components))
    return entries


def mirrors(apt_folder: Path = APT_FOLDER) -> list[str]:
    """Addresses of the Debian archive that this machine's own apt lists name, in their order.

    RACELAB_DEBIAN_MIRROR comes instead of them where it is set. Archives that are not Debian's main
    one (Ubuntu's, security, third parties) are left out.
    """
    if chosen := os.environ.get(MIRROR_VARIABLE):
        if not re.fullmatch(r"[a-z0-9+.-]+:\S+", chosen):
            raise Trouble(f"{MIRROR_VARIABLE} is {chosen!r}, not an address: correct or unset it.")
        return [chosen.rstrip("/")]
    entries: list[Entry] = []
    for path in (apt_folder / "sources.list", *sorted((apt_folder / "sources.list.d").glob("*"))):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if path.suffix == ".list":
                entries += parse_one_line(path.read_text())
            elif path.suffix == ".sources":
                entries += parse_deb822(path.read_text())
    found = [uri.rstrip("/") for entry in entries if _is_debian(entry) for uri in entry.uris]
    usable = [uri for uri in found if "security" not in uri and not uri.startswith("cdrom:")]
    return list(dict.fromkeys(usable))


def _is_debian(entry: Entry) -> bool:
    suites = all(DEBIAN_SUITES.fullmatch(suite) for suite in entry.suites)
    return suites and "main" in entry.components


@dataclass(frozen=True)
class Source:
    """A downloaded source package.

    Attributes:
        folder: where its files lie.
        package: "python3.13".
        version: of the package: "3.13.5-2+deb13u5".
        suite: "trixie".
        sha256: of each of its files, by name.
    """

    folder: Path
    package: str
    version: str
    suite: str
    sha256: dict[str, str]

    @property
    def dsc(self) -> Path:
        """The package's description."""
        return self.folder / next(name for name in self.sha256 if name.endswith(".dsc"))


def source(py: str) -> Source:
    """The source package of CPython: from the cache, else from the first suite that has it.

    Args:
        py: "3.13t".

    Raises:
        Trouble: it cannot be had; one line per suite and mirror tried.
    """
    series = py[:-1]
    with _store.lock(f"source-{series}", f"downloading the source of CPython {series}"):
        cached = _cached(series)
        if cached is not None:
            return cached
        require(py)
        reasons = []
        for suite in SUITES.get(series, ("forky", "sid")):
            for uri in mirrors():
                try:
                    return _download(series, suite, uri)
                except Trouble as trouble:
                    say(str(trouble))
                    reasons.append(str(trouble))
        raise Trouble(" ".join(reasons))


def require(py: str) -> None:
    """Make sure that `source` has a way to go, before anything is installed for its sake.

    Raises:
        Trouble: it has none; the message says what to do.
    """
    series = py[:-1]
    if any((_store.root() / "sources" / series).glob("*/source.json")):
        return
    if shutil.which("apt-get") is None:
        raise Trouble(
            f"CPython {series} is built from Debian's source package, and there is no apt-get here."
        )
    if not KEYRING.is_file():
        raise Trouble(
            f"The keyring {KEYRING}, which Debian's signature is checked with, is missing: "
            "apt-get install debian-archive-keyring."
        )
    if not mirrors():
        raise Trouble(
            f"No Debian mirror in {APT_FOLDER}: set {MIRROR_VARIABLE} to the address of one "
            "(https://www.debian.org/mirror/list has them)."
        )


def _cached(series: str) -> Source | None:
    place = _store.root() / "sources" / series
    for record in sorted(place.glob("*/source.json"), key=_date, reverse=True):
        with contextlib.suppress(OSError, ValueError, KeyError, StopIteration):
            known = json.loads(record.read_text())
            sha256 = dict(known["sha256"])
            if all(_sha256(record.parent / name) == value for name, value in sha256.items()):
                names = (known["package"], known["version"], known["suite"])
                found = Source(record.parent, *names, sha256)
                say(f"Using the downloaded source of {found.package} {found.version}")
                return found
        say(f"The downloaded source in {record.parent} is damaged; downloading it again")
        _store.discard(record.parent)
    return None


def _date(path: Path) -> float:
    return path.stat().st_mtime


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def _fetching(series: str) -> Iterator[Path]:
    for leftover in _store.root().glob(f".fetching-{series}-*"):
        _store.discard(leftover)
    folder = _store.root() / f".fetching-{series}-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        _store.discard(folder)


def _download(series: str, suite: str, uri: str) -> Source:
    package = f"python{series}"
    where = f"{package} from Debian's suite {suite} at {uri}"
    with _fetching(series) as folder:
        files = folder / "files"
        options = _apt_options(folder, suite, uri)
        say(f"Fetching the source of {where}: usually under a minute")
        begin = time.monotonic()
        _apt(["update"], options, folder, INDEX_LIMIT_S, where)
        files.mkdir()
        # Only what the signed index vouches for: see _apt_options.
        wanted = ["source", "--download-only", "--only-source", package]
        _apt(wanted, options, files, SOURCE_LIMIT_S, where)
        _own(files)
        sha256 = {path.name: _sha256(path) for path in sorted(files.iterdir())}
        version = _version_of(files, where)
        record = {"package": package, "version": version, "suite": suite, "sha256": sha256}
        (files / "source.json").write_text(json.dumps(record, indent=1) + "\n")
        final = _store.prepare(_store.root() / "sources" / series) / version
        _store.discard(final)
        os.sync()
        files.rename(final)
        say(f"Fetched {package} {version}: {time.monotonic() - begin:.0f} s, signature checked")
        return Source(final, package, version, suite, sha256)


def _own(folder: Path) -> None:
    """Replace links, which apt makes to the files of a mirror on a local disk, by copies."""
    for path in folder.iterdir():
        if path.is_symlink():
            target = path.resolve()
            path.unlink()
            shutil.copyfile(target, path)


def _version_of(files: Path, where: str) -> str:
    for dsc in files.glob("*.dsc"):
        match = re.search(r"^Version: (?:\d+:)?([\w.+~-]+)$", dsc.read_text(), re.MULTILINE)
        if match:
            return match[1]
    raise Trouble(f"No source package came with {where}.")


def _apt_options(folder: Path, suite: str, uri: str) -> list[str]:
    """Settings that keep apt inside a folder and make it refuse whatever is not signed."""
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (folder / name).mkdir(parents=True)
    (folder / "parts/racelab.sources").write_text(
        f"Types: deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n"
    )
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": f"{folder}/parts",
        "Dir::State::Lists": f"{folder}/lists",
        "Dir::Cache": f"{folder}/cache",
        "Acquire::AllowInsecureRepositories": "false",
        "Acquire::AllowWeakRepositories": "false",
        "Acquire::AllowDowngradeToInsecureRepositories": "false",
        "APT::Get::AllowUnauthenticated": "false",
        "APT::Update::Error-Mode": "any",
        "APT::Update::Post-Invoke": "",
        "APT::Update::Post-Invoke-Success": "",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "30",
        "Acquire::https::Timeout": "30",
    }
    if os.geteuid() == 0:
        # apt as root downloads as user _apt, who may not enter a private cache, and warns about it.
        settings["APT::Sandbox::User"] = "root"
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _apt(words: list[str], options: list[str], cwd: Path, limit_s: float, where: str) -> None:
    try:
        status, printed = capture(
            ["apt-get", "-q", *options, *words], limit_s=limit_s, cwd=cwd, env=_apt_environment()
        )
    except Trouble as trouble:
        raise Trouble(f"Could not fetch {where}: apt-get {trouble}.") from None
    if status != 0:
        raise Trouble(f"Could not fetch {where}: {_apt_reason(printed)}")


def _apt_environment() -> dict[str, str]:
    return clean_environment(DEBIAN_FRONTEND="noninteractive")


def _apt_reason(printed: str) -> str:
    """What apt's output comes to, in one sentence."""
    if re.search(r"NO_PUBKEY|Missing key|no.* public key", printed):
        return (
            f"{KEYRING} does not have the key that signed it; "
            "upgrade the package debian-archive-keyring."
        )
    if re.search(r"BADSIG|not signed|invalid signature|signatures? (couldn't|were)", printed, re.I):
        return "its signature is bad or missing, so nothing of it is used; try another mirror."
    if re.search(r"Hash Sum mismatch|Hashes of", printed, re.I):
        return "a file does not have the hash that the signed index says; try again later."
    if re.search(r"Unable to find a source package", printed):
        return "the suite does not have this package."
    if re.search(r"\b(403 +Forbidden|404 +Not Found)", printed):
        return "the mirror lists it but does not hand it out."
    if re.search(r"connect|resolv|timed? ?out|network|unreachable", printed, re.I):
        return "the mirror cannot be reached; is the network there?"
    return " / ".join(error_lines(printed, most=2)) or "apt-get gave no reason."


def is_debian_like() -> bool:
    """Whether this system's packages have Debian's names and apt-get installs them."""
    with contextlib.suppress(OSError):
        for line in OS_RELEASE.read_text().splitlines():
            name, _, value = line.partition("=")
            family = set(value.strip('"').split())
            if name in ("ID", "ID_LIKE") and family & {"debian", "ubuntu"}:
                return shutil.which("apt-get") is not None
    return False


def install_packages(names: Sequence[str], log: Path) -> None:
    """Install packages with apt-get, its package lists brought up to date where they have to be.

    Args:
        names: of Debian packages.
        log: file for apt-get's output.

    Raises:
        Trouble: they are still missing afterwards.
    """
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    install = [*command, "install", *names]
    env = _apt_environment()
    what = f"installing {' '.join(names)}"
    try:
        step(what, install, log=log, usually="a minute", env=env, limit_s=INSTALL_LIMIT_S)
    except Trouble:
        say("Not from the present package lists; bringing them up to date first")
        update = ["apt-get", "-q", "update"]
        step("apt-get update", update, log=log, usually="half a minute", env=env, limit_s=600)
        step(what, install, log=log, usually="a minute", env=env, limit_s=INSTALL_LIMIT_S)
