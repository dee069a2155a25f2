"""The learner's side of a class: join one, leave it, hand in what was checked and raced.

What is handed in is written to `work/outbox.jsonl` first and sent by a thread of its own, so a class never makes
anybody wait, and nothing is lost while there is no network: what waits is sent again and again as long as the
process lives, at the beginning of the next check or hint, and with the next entry.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import http.client
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from racelab.classroom.entry import ClassError, Entry, valid_name
from racelab.exercise import exercises_folder, work_folder
from racelab.files import locked, write_whole

if TYPE_CHECKING:
    from racelab.checking import Verdict
    from racelab.result import Result

__all__ = [
    "Membership",
    "Said",
    "hand_in",
    "hello",
    "join",
    "leave",
    "membership",
    "send_waiting",
    "share",
]

FILE = "class.json"
OUTBOX = "outbox.jsonl"
ANSWER_S = 2.0
#: Who joins waits for the answer, and a room full of machines may be slow at first.
HELLO_S = 10.0
#: The end of a process waits so long for what is on its way; the rest is kept.
END_S = 3.0
#: It waits so long for what was made before it began, and only could not be handed in.
END_OF_OLD_S = 0.5
#: Until it is tried again; each time twice as long, up to the second one.
RETRY_S, LONGEST_RETRY_S = 2.0, 30.0


class Said(str):
    """A sentence that a notebook shows as it is."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Membership:
    """A class that was joined.

    Attributes:
        url: of the server, without the token.
        token: what lets us in.
        class_id: which class it is, whatever its address.
        learner: who we are, for the server.
        name: what we want to be called.
    """

    url: str
    token: str
    class_id: str
    learner: str
    name: str


def our_folder() -> Path:
    """Where the learner's work is.

    Raises:
        ExerciseError: there is no book here.
    """
    return work_folder(exercises_folder() / "any")


def membership(folder: Path | None = None) -> Membership | None:
    """The class that was joined, if one was."""
    known = _known(folder or our_folder())
    return Membership(**known) if "url" in known else None


def _known(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    names = Membership.__dataclass_fields__
    good = isinstance(found, dict) and set(found) in ({"learner"}, set(names))
    return found if good else {}


def join(url: str, name: str, folder: Path | None = None) -> Said:
    """Take part in a class.

    Args:
        url: the link on the wall, with the token behind `#`.
        name: what the class shall call you.
        folder: where the learner's work is.

    Raises:
        ClassError: the link or the name is wrong, or the class does not answer.
    """
    folder = folder or our_folder()
    name = valid_name(name)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.fragment:
        raise ClassError(f"{url}: the link looks like http://192.168.1.20:8765/#abcd-efgh-jkmn.")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    try:
        status, answer = hello(base, parts.fragment)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ClassError(
            f"Nobody answers at {base} ({error}). Is this the address on the wall, and the same network?"
        ) from None
    if status != 200 or not isinstance(answer.get("class"), str):
        raise ClassError(answer.get("error") or f"{base} is no class of racelab's.")
    learner = _known(folder).get("learner") or uuid.uuid4().hex
    joined = Membership(base, parts.fragment, answer["class"], learner, name)
    write_whole(folder / FILE, json.dumps(asdict(joined), indent=1) + "\n")
    (folder / FILE).chmod(0o600)
    waiting = _Outbox(folder).waiting(joined.class_id)
    sent = f" {_send(folder).said}" if waiting else ""
    return Said(
        f"You are in the class as {name}: from now on your checks, and `racelab race` of the book's labs, "
        f"show on the wall. racelab class leave ends that.{sent}"
    )


def hello(base: str, token: str) -> tuple[int, dict[str, Any]]:
    """Status and answer of the server of a class that is asked whether it is there.

    Args:
        base: its address, without the token.
        token: what lets us in.

    Raises:
        OSError, ValueError, http.client.HTTPException: nobody answers there, or it is no address.
    """
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an address of a web server")
    with _connected(base, HELLO_S) as ask:
        status, answer, _ = ask("GET", "/api/hello", token, None)
    return status, answer


def leave(folder: Path | None = None) -> Said:
    """Take part no more; what still waits is handed in, and the class is told, if it can be reached."""
    folder = folder or our_folder()
    joined = membership(folder)
    if joined is None:
        return Said("You are in no class.")
    outbox = _Outbox(folder)
    there = not outbox.waiting(joined.class_id) or not _send(folder).again
    left = len(outbox.waiting(joined.class_id))
    if there:
        _say_goodbye(joined)
    write_whole(folder / FILE, json.dumps({"learner": joined.learner}) + "\n")
    kept = f" {left} could not be handed in: join again to do that." if left else ""
    return Said(f"You have left the class; nothing is shared any more.{kept}")


def _say_goodbye(joined: Membership) -> None:
    """Nobody then thinks that we are stuck. It waits no longer than any request, and whether it came matters little."""
    silent = (OSError, ValueError, http.client.HTTPException)
    with contextlib.suppress(*silent), _connected(joined.url) as ask:
        ask("POST", "/api/leave", joined.token, {"learner": joined.learner})


def share(what: Result | Verdict, folder: Path | None = None) -> Said:
    """Show a race or a verdict on the class's wall: `rl.share(result)`.

    Args:
        what: a `Result` or a `Verdict`.
        folder: where the learner's work is.

    Returns:
        Said: one sentence. Where no class was joined it says how to join one.

    Raises:
        ClassError: it is something that cannot be compared with what others hand in.
    """
    folder = folder or our_folder()
    joined = membership(folder)
    if joined is None:
        return Said("You are in no class: racelab class join URL --name NAME")
    _Outbox(folder).put(_entry(what, joined), joined.class_id)
    sent = _send(folder)
    if sent.again:
        with contextlib.suppress(Exception):
            _Sender(folder, old=True)
    return sent.said


def hand_in(what: Result | Verdict, folder: Path | None = None) -> None:
    """The same behind whatever was asked for: never delays it, never fails it, says one line on stderr.

    In a notebook it says nothing, because by then another cell may be speaking.
    """
    # A class is an extra. Nothing that is wrong with it, a full disk included, may cost anybody a verdict.
    with contextlib.suppress(Exception):
        folder = folder or our_folder()
        joined = membership(folder)
        if joined is None:
            return
        _Outbox(folder).put(_entry(what, joined), joined.class_id)
        _Sender(folder, old=False)


def send_waiting(folder: Path | None = None) -> None:
    """Try again to hand in what could not be, if there is any: never delays, never fails, speaks only if it succeeds."""
    with contextlib.suppress(Exception):
        folder = folder or our_folder()
        joined = membership(folder)
        if joined is not None and _Outbox(folder).waiting(joined.class_id):
            _Sender(folder, old=True)


def _entry(what: Any, joined: Membership) -> Entry:
    make = Entry.of_verdict if hasattr(what, "verdict") else Entry.of_result
    return make(what, joined.learner, joined.name)


class _Sender(threading.Thread):
    """Hands in all that waits, and tries again until that has been taken or the process ends.

    Args:
        folder: where the learner's work is.
        old: it was made before, and its maker knows that it is kept: only success is worth a word.
    """

    #: Folders for which one tries again at present: another one need not.
    _trying: ClassVar[set[Path]] = set()
    _lock = threading.Lock()
    #: The process ends.
    _over = threading.Event()

    def __init__(self, folder: Path, *, old: bool) -> None:
        super().__init__(daemon=True, name="racelab-class")
        self.folder = folder
        self.kept_is_known = old
        self.start()
        atexit.register(self._finish)

    def run(self) -> None:
        """Send; then, where that failed, again and again."""
        with contextlib.suppress(Exception):
            sent = _send(self.folder)
            self._say(sent)
            with self._lock:
                if not sent.again or self.folder in self._trying:
                    return
                self._trying.add(self.folder)
            self._try_again(sent)

    def _try_again(self, sent: _Sent) -> None:
        pause = RETRY_S
        try:
            while sent.again and self._something_waits():
                if self._over.wait(max(pause, sent.wait_s)):
                    return
                pause = min(2 * pause, LONGEST_RETRY_S)
                sent = _send(self.folder)
                self._say(sent)
        finally:
            with self._lock:
                self._trying.discard(self.folder)

    def _something_waits(self) -> bool:
        """Looked at and answered for at once: what is put in later finds nobody who tries again, and does so itself."""
        with self._lock:
            joined = membership(self.folder)
            found = joined is not None and bool(_Outbox(self.folder).waiting(joined.class_id))
            if not found:
                self._trying.discard(self.folder)
            return found

    def _say(self, sent: _Sent) -> None:
        quiet = self.kept_is_known and (sent.again or not sent.taken)
        said = f"what had waited is {sent.said}" if self.kept_is_known and sent.taken else sent.said
        self.kept_is_known = True
        if not quiet and "ipykernel" not in sys.modules:
            # Whatever else is on the line tells how far a check is, and comes again.
            begin = "\r\x1b[K" if sys.stderr.isatty() else ""
            print(f"{begin}class: {said}", file=sys.stderr, flush=True)

    def _finish(self) -> None:
        self._over.set()
        self.join(END_OF_OLD_S if self.kept_is_known else END_S)
        if self.is_alive() and not self.kept_is_known:
            print(f"class: {KEPT}", file=sys.stderr, flush=True)


# ---------------------------------------------------------------------------------------------------
# The outbox
# ---------------------------------------------------------------------------------------------------

KEPT = "no answer; kept for later in work/outbox.jsonl."


class _Outbox:
    """Entries that were not accepted yet, one JSON object a line.

    Several processes and threads use it. Each change is made under a lock that is never held while somebody waits
    for the network; another one sees to it that one sends at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / OUTBOX

    @contextlib.contextmanager
    def sending(self) -> Iterator[bool]:
        """Be the only one who sends; False where somebody else is at it for too long."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + END_S
        with self.file.with_name(f".{OUTBOX}.sending").open("w") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > end:
                        yield False
                        return
                    time.sleep(0.02)
                else:
                    yield True
                    return

    def put(self, entry: Entry, class_id: str) -> None:
        """Add one."""
        line = {"class": class_id, "made": time.time(), "entry": entry.as_json()}
        with locked(self.file), self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _lines(self) -> list[dict[str, Any]]:
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        found = []
        for line in text.splitlines():
            with contextlib.suppress(ValueError):  # one that a full disk cut off
                found.append(json.loads(line))
        return found

    def waiting(self, class_id: str) -> list[dict[str, Any]]:
        """Those for this class, the oldest first."""
        with locked(self.file):
            return [line for line in self._lines() if line["class"] == class_id]

    def remove(self, keys: set[str]) -> None:
        """These were accepted, or never will be."""
        with locked(self.file):
            left = [line for line in self._lines() if line["entry"]["key"] not in keys]
            write_whole(self.file, "".join(json.dumps(line) + "\n" for line in left))


class _Sent(NamedTuple):
    """How handing in went.

    Attributes:
        said: in one sentence.
        again: whether it is worth another try.
        taken: how many entries were.
        wait_s: the class asks not to come again earlier.
    """

    said: Said
    again: bool = False
    taken: int = 0
    wait_s: float = 0.0


def _send(folder: Path) -> _Sent:
    """Hand in all that waits, and say how that went."""
    joined = membership(folder)
    if joined is None:
        return _Sent(Said("you have left the class."))
    outbox = _Outbox(folder)
    with outbox.sending() as alone:
        return _send_all(outbox, joined) if alone else _Sent(Said(KEPT), again=True)


def _send_all(outbox: _Outbox, joined: Membership) -> _Sent:
    done: set[str] = set()
    refused = stopped = ""
    again, wait_s = True, 0.0
    try:
        with _connected(joined.url) as ask:
            for line in outbox.waiting(joined.class_id):
                age = min(max(0, int(time.time() - line["made"])), 7 * 24 * 3600)
                entry = {**line["entry"], "name": joined.name, "age": age}
                status, answer, wait = ask("POST", "/api/results", joined.token, entry)
                if status in (200, 201, 413, 422):
                    done.add(entry["key"])
                if status in (413, 422):
                    refused = answer.get("error") or "no reason given"
                elif status not in (200, 201):
                    stopped = answer.get("error") or f"the class answered {status}"
                    again = status != 401  # a wrong token does not become a right one
                    wait_s = min(float(wait), LONGEST_RETRY_S) if wait.isdigit() else 0.0
                    break
    except (OSError, ValueError, http.client.HTTPException):
        stopped = "no answer"
    finally:
        if done:
            outbox.remove(done)
    if stopped == "no answer":
        return _Sent(Said(KEPT), again)
    if stopped:
        said = f"{stopped.rstrip('.')}; kept for later in work/outbox.jsonl."
        return _Sent(Said(said), again, wait_s=wait_s)
    if refused:
        return _Sent(Said(f"refused by the class: {refused}"))
    return _Sent(Said(f"shared with the class as {joined.name}."), taken=len(done))


_Ask = Callable[[str, str, str, "dict[str, Any] | None"], tuple[int, dict[str, Any], str]]


@contextlib.contextmanager
def _connected(base: str, answer_s: float = ANSWER_S) -> Iterator[_Ask]:
    """One connection; yields a function that asks and returns status, JSON and Retry-After."""
    parts = urlsplit(base)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=answer_s)

    def ask(
        method: str, path: str, token: str, body: dict[str, Any] | None
    ) -> tuple[int, dict[str, Any], str]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body).encode()
        connection.request(method, parts.path + path, text, headers)
        answer = connection.getresponse()
        try:
            found = json.loads(answer.read(65_536))
        except ValueError:
            found = {}
        wait = answer.headers.get("Retry-After", "")
        return answer.status, found if isinstance(found, dict) else {}, wait

    try:
        yield ask
    finally:
        connection.close()
