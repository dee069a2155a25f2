"""The class's server: takes entries, keeps them, and shows them on one page. Starlette, uvicorn, one SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import importlib.util
import math
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from racelab.classroom.entry import ClassError, learner_of, parse
from racelab.classroom.store import Store

__all__ = ["Limit", "application", "serve"]

LARGEST_BODY = 4096
BODY_S = 5.0
#: A learner's entries a minute, and those of an address: a whole class may be behind one.
PER_LEARNER, PER_ADDRESS, WRONG_TOKENS = 20, 900, 60
CONNECTIONS = 512
FILES = {
    "/": ("page.html", "text/html"),
    "/class.css": ("class.css", "text/css"),
    "/class.js": ("class.js", "text/javascript"),
}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
NEEDED = ("starlette", "uvicorn")
INSTALL = (
    "racelab class serve needs Starlette and uvicorn: python -m pip install '/path/to/this/clone[class]' "
    "(in the book's repository: make env)."
)


def find_framework() -> None:
    """Make Starlette and uvicorn importable: they are installed, or lie beside the notebooks' packages.

    Raises:
        ClassError: they are not there; the message says how to get them.
    """
    beside = str(Path(sys.prefix) / "class")
    if not _importable() and beside not in sys.path:
        sys.path.insert(0, beside)
        importlib.invalidate_caches()
    if not _importable():
        raise ClassError(INSTALL)


def _importable() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in NEEDED)


class Limit:
    """So many a minute for each who asks; who was silent may catch up with a minute's worth at once.

    Args:
        per_minute: how many.
        clock: seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self.clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, who: str) -> float:
        """Take one; 0, or seconds until there will be one."""
        now = self.clock()
        if len(self._left) > 10_000:
            self._forget(now)
        left, then = self._left.get(who, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
        if left < 1:
            return (1 - left) * 60 / self.per_minute
        self._left[who] = (left - 1, now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Whoever was silent for a minute has everything again, and need not be known."""
        self._left = {who: (n, at) for who, (n, at) in self._left.items() if now - at < 60}


class _Refusal(Exception):
    """The answer is known: a status and one sentence."""

    def __init__(self, status: int, sentence: str, wait_s: float = 0.0) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {"retry-after": str(math.ceil(wait_s))} if wait_s else {}


def application(store: Store, address: str) -> Any:
    """The web application, an ASGI callable.

    Args:
        store: where entries are kept.
        address: where learners reach it, for the page.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    learners, addresses = Limit(PER_LEARNER), Limit(PER_ADDRESS)
    wrong = Limit(WRONG_TOKENS)

    def admitted(request: Request) -> None:
        """The request carries the class's token; who guesses at it is held off.

        Only wrong ones are counted: a whole class may be behind one address, and a page left open since another
        class must not shut it out. What keeps a guess from succeeding is the token's length.
        """
        host = request.client.host if request.client else ""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), store.token.encode())
        if scheme.lower() != "bearer" or not right:
            _limited(wrong.wait(host), "Too many wrong tokens.")
            raise _Refusal(401, "This is not the class's token: take the link on the wall.")

    async def body_of(request: Request) -> bytes:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise _Refusal(415, "Send application/json.")
        body = b""
        try:
            async with asyncio.timeout(BODY_S):
                async for piece in request.stream():
                    body += piece
                    if len(body) > LARGEST_BODY:
                        raise _Refusal(413, f"An entry has at most {LARGEST_BODY} bytes.")
        except (TimeoutError, ClientDisconnect):
            raise _Refusal(408, "The entry did not arrive.") from None
        return body

    async def results(request: Request) -> Response:
        admitted(request)
        host = request.client.host if request.client else ""
        _limited(addresses.wait(host), "Too many entries from your network.")
        try:
            entry = parse(await body_of(request))
        except ClassError as error:
            raise _Refusal(422, str(error)) from None
        _limited(learners.wait(entry.learner), "Too many entries in a minute.")
        number, new = await asyncio.to_thread(store.add, entry)
        return JSONResponse({"id": number}, status_code=201 if new else 200)

    async def leave(request: Request) -> Response:
        admitted(request)
        host = request.client.host if request.client else ""
        _limited(addresses.wait(host), "Too many entries from your network.")
        try:
            learner = learner_of(await body_of(request))
        except ClassError as error:
            raise _Refusal(422, str(error)) from None
        await asyncio.to_thread(store.leave, learner)
        return JSONResponse({})

    async def state(request: Request) -> Response:
        admitted(request)
        since = request.query_params.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) <= 15):
            raise _Refusal(422, "since is the number of a result.")
        return JSONResponse(await asyncio.to_thread(store.after, int(since)))

    async def hello(request: Request) -> Response:
        admitted(request)
        return JSONResponse({"class": store.id, "address": address})

    def file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
        content = resources.files("racelab.classroom").joinpath("static", name).read_bytes()

        async def answer(_request: Request) -> Response:
            return Response(content, media_type=kind)

        return answer

    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, _Refusal)
        return JSONResponse({"error": str(error)}, status_code=error.status, headers=error.headers)

    async def unknown(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse(
            {"error": error.detail}, status_code=error.status_code, headers=error.headers
        )

    routes = [
        Route("/api/results", results, methods=["POST"]),
        Route("/api/leave", leave, methods=["POST"]),
        Route("/api/state", state),
        Route("/api/hello", hello),
        *(Route(path, file(*what)) for path, what in FILES.items()),
    ]
    inner = Starlette(routes=routes, exception_handlers={_Refusal: refused, HTTPException: unknown})
    return _with_headers(inner)


def _limited(wait_s: float, sentence: str) -> None:
    if wait_s > 0:
        raise _Refusal(429, f"{sentence} Try again in {math.ceil(wait_s)} s.", wait_s)


def _with_headers(inner: Any) -> Any:
    """Every answer carries the headers that keep a browser from doing more than it should."""
    extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        await inner(scope, receive, sent)

    return outer


# ---------------------------------------------------------------------------------------------------
# The process
# ---------------------------------------------------------------------------------------------------


def serve(file: Path, *, host: str, port: int, address: str | None = None) -> None:
    """Open a class, and keep it open until Ctrl-C.

    Args:
        file: the class's database; what is in it stays.
        host: address to listen on.
        port: its port; 0 takes a free one.
        address: where learners reach it, if that is another one.

    Raises:
        ClassError: the framework is missing, the port is taken, or the file cannot be used.
    """
    find_framework()
    import uvicorn

    with _listening(host, port) as listener, contextlib.closing(Store(file)) as store:
        port = listener.getsockname()[1]
        shown = (address or f"http://{_reachable(host)}:{port}").rstrip("/")
        _say_where(store, shown)
        config = uvicorn.Config(
            application(store, shown),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            loop="asyncio",
            http="h11",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
        count = store.standing()
    print(f"The class is closed. {_many(count.results, 'result')} in {file}.", flush=True)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(CONNECTIONS)  # from here on nobody is turned away
        except OSError as error:
            raise ClassError(
                f"Cannot listen on {host}, port {port}: {error.strerror}. Name another one: --port {port + 1}"
            ) from None
        yield listener


def _reachable(host: str) -> str:
    """The address that others on this network reach us by. No packet is sent."""
    if host not in ("0.0.0.0", ""):
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _say_where(store: Store, address: str) -> None:
    count = store.standing()
    link = f"{address}/#{store.token}"
    so_far = f"{_many(count.results, 'result')} of {_many(count.learners, 'learner')} so far"
    print(
        f"The class is open; {so_far}, in {store.file}.\n\n"
        f"  Wall      {link}\n"
        f"  Learners  racelab class join {link} --name NAME\n"
        "            (in a terminal of JupyterLab; in any other, .venv-ft/bin/racelab ...)\n\n"
        "Whoever has the link sees the page and can hand in results. It is plain HTTP, for a network that you trust.\n"
        "Ctrl-C closes the class; the same command opens it again with everything in it.",
        flush=True,
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
