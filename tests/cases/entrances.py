"""Ways into an app without a server, strict about the protocol: WSGI and ASGI behind one call."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes
from wsgiref.validate import validator as wsgi_validator

from asgi_validator import validator as asgi_validator

from vial.globals import _cv

Pairs = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What the client got. Headers are in order, their names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    chunks: list[bytes]
    #: Whether the client saw the end of the answer.
    whole: bool = True

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        return self.body.decode()

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value


@dataclass
class Ask:
    """One request. ``chunks`` go out as a chunked body, ``body`` with its length."""

    target: str = "/"
    method: str = "GET"
    headers: Pairs = ()
    body: bytes = b""
    chunks: Sequence[bytes] | None = None
    #: A Content-Length other than the body's.
    announced: str | None = None
    #: The client leaves once it sent what there is.
    cut: bool = False
    #: Further requests until now leave after that many pieces of the answer.
    leave_after: int | None = None
    host: str | None = "localhost"
    root: str = ""
    scheme: str = "http"
    version: str = "1.1"
    #: Who asks; "" is a Unix socket.
    client: str = "127.0.0.1"
    #: More keys of the environ.
    environ: dict[str, Any] = field(default_factory=dict)

    def all_headers(self) -> list[tuple[str, str]]:
        headers = [] if self.host is None else [("Host", self.host)]
        headers += self.headers
        if self.chunks is not None:
            headers.append(("Transfer-Encoding", "chunked"))
        elif self.announced is not None:
            headers.append(("Content-Length", self.announced))
        elif self.body or self.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(self.body))))
        return headers

    def pieces(self) -> Sequence[bytes]:
        return [self.body] if self.chunks is None else self.chunks


class Entrance(Protocol):
    name: str

    def ask(self, app: Any, target: str = "/", method: str = "GET", **options: Any) -> Answer: ...


class Input(io.RawIOBase):
    """A server's ``wsgi.input``, which cannot tell of a cut-off body but by its length."""

    def __init__(self, ask: Ask) -> None:
        self.buffer = io.BytesIO(b"".join(ask.pieces()))
        self.breaks = ask.cut and ask.chunks is not None

    def read(self, size: int | None = -1) -> bytes:
        # Less than was asked for, as a socket may give.
        data = self.buffer.read(size if size is None or size < 0 else min(size, 5000))
        if not data and self.breaks:
            raise OSError("the client left in the middle of a chunk")
        return data

    def readline(self, size: int | None = -1) -> bytes:
        return self.buffer.readline(size)


class Wsgi:
    """PEP 3333, every call through ``wsgiref.validate``."""

    name = "wsgi"

    def ask(self, app: Any, target: str = "/", method: str = "GET", **options: Any) -> Answer:
        ask = Ask(target, method, **options)
        started: list[tuple[str, list[tuple[str, str]]]] = []
        watched = wsgi_validator(past_validator(app, ask, started))
        environ = self.environ(ask)
        if ask.announced is not None:
            del environ["CONTENT_LENGTH"]
        with closing(watched(environ, lambda *args: lambda data: None)) as iterable:
            chunks, whole = take(iter(iterable), ask.leave_after)
        ((status, headers),) = started
        assert _cv.get(None) is None, "the gateway left a context"
        return Answer(int(status[:3]), [(k.lower(), v) for k, v in headers], chunks, whole)

    def bare_environ(self, method: str) -> dict[str, Any]:
        return self.environ(Ask(method=method))

    def environ(self, ask: Ask) -> dict[str, Any]:
        path, _, query = ask.target.partition("?")
        environ = {
            "REQUEST_METHOD": ask.method,
            "SCRIPT_NAME": unquote_to_bytes(ask.root).decode("latin-1"),
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": ask.client,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": f"HTTP/{ask.version}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": ask.scheme,
            "wsgi.input": Input(ask),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in ask.all_headers():
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ | ask.environ


def past_validator(app: Any, ask: Ask, started: list[Any]) -> Any:
    """Note how the answer starts. Hide from the validator the Content-Type of a 204, which Flask
    sends and RFC 9110 allows, and a Content-Length that is none."""

    def hiding(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            started.append((status, headers))
            if status.startswith("204"):
                headers = [header for header in headers if header[0] != "Content-Type"]
            return start_response(status, headers, *exc_info)

        if ask.announced is not None:
            environ["CONTENT_LENGTH"] = ask.announced
        return app(environ, start)

    return hiding


def take(iterator: Any, limit: int | None) -> tuple[list[bytes], bool]:
    """Up to ``limit`` items, and whether that was all."""
    chunks: list[bytes] = []
    while limit is None or len(chunks) < limit:
        try:
            chunks.append(next(iterator))
        except StopIteration:
            return chunks, True
    return chunks, False


class Asgi:
    """ASGI 3, every call through the validator, on a loop that must be empty at the end."""

    name = "asgi"

    def ask(self, app: Any, target: str = "/", method: str = "GET", **options: Any) -> Answer:
        return asyncio.run(self._ask(app, Ask(target, method, **options)))

    async def _ask(self, app: Any, ask: Ask) -> Answer:
        try:
            return await self.ask_here(app, ask)
        finally:
            await asyncio.sleep(0)  # tasks that are done tell so in the next turn
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"the gateway left {left}"

    async def ask_here(self, app: Any, ask: Ask) -> Answer:
        """The same on the running loop, where other requests may be in flight."""
        client = Client(ask)
        await asgi_validator(app)(self.scope(ask), client.receive, client.send)
        assert _cv.get(None) is None, "the gateway left a context"
        return client.answer

    def scope(self, ask: Ask) -> dict[str, Any]:
        path, _, query = ask.target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": ask.version,
            "method": ask.method,
            "scheme": ask.scheme,
            "path": unquote_to_bytes(ask.root + path).decode("utf-8", "replace"),
            "raw_path": (ask.root + path).encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": unquote_to_bytes(ask.root).decode(),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in ask.all_headers()],
            "client": (ask.client, 1234) if ask.client else None,
            "server": ("127.0.0.1", 80),
        }


class Client:
    """The server's half of one ASGI exchange."""

    def __init__(self, ask: Ask) -> None:
        self.answer = Answer(0, [], [], whole=False)
        self._pieces = list(ask.pieces())
        self._cut = ask.cut
        self._leave_after = ask.leave_after
        self._left = asyncio.Event()
        if ask.leave_after == 0:
            self._left.set()

    async def receive(self) -> dict[str, Any]:
        if self._pieces:
            piece = self._pieces.pop(0)
            more = bool(self._pieces) or self._cut
            return {"type": "http.request", "body": piece, "more_body": more}
        if not self._cut:
            await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(0)  # as a server that waits for its socket
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = decoded(message["headers"])
            return
        if message.get("body"):
            self.answer.chunks.append(message["body"])
        self.answer.whole = not message.get("more_body", False)
        if len(self.answer.chunks) == self._leave_after:
            self._left.set()


def decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


ENTRANCES: list[Entrance] = [Wsgi(), Asgi()]
