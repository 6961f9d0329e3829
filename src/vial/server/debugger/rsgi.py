"""The debugger around a RSGI application."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ...concurrency import run_in_pool
from ...gateways.environ import as_asgi
from .core import LONGEST, Debugger
from .seen import Answer, Seen, seen_in

RSGIApp = Callable[[Any, Any], Coroutine[Any, Any, None]]


class DebuggedRSGI:
    """RSGI application: ``app.rsgi_app = DebuggedRSGI(app.rsgi_app, host="127.0.0.1")``.

    :param app: a RSGI application that lets its exceptions out, as Vial does in debug mode.
    :param host: the address that the server listens on. Without one there is no console.
    :param evalex: whether frames have consoles.
    """

    def __init__(self, app: RSGIApp, *, host: str | None = None, evalex: bool = True) -> None:
        self._app = app
        self.debugger = Debugger(host, evalex)

    async def __call__(self, scope: Any, protocol: Any) -> None:
        """Serve one request or WebSocket."""
        if scope.proto != "http":
            await self._app(scope, protocol)
            return
        seen = seen_in(as_asgi(scope))
        if self.debugger.wants(seen):
            answer = await run_in_pool(self.debugger.command, seen, await _body(protocol))
            _send(answer, seen, protocol)
        else:
            await self._guarded(scope, _Noting(protocol), seen)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        await self(scope, protocol)

    async def _guarded(self, scope: Any, protocol: _Noting, seen: Seen) -> None:
        try:
            await self._app(scope, protocol)
        except Exception as e:
            if protocol.has_begun:
                raise  # the answer is cut short; the server prints the traceback
            _send(await run_in_pool(self.debugger.answer, e, seen), seen, protocol)


class _Noting:
    """A RSGI protocol, and whether anything was sent by it."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.has_begun = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("response_"):
            self.has_begun = True
        return getattr(self._protocol, name)

    def __call__(self) -> Any:
        return self._protocol()

    def __aiter__(self) -> Any:
        return self._protocol.__aiter__()


def _send(answer: Answer, seen: Seen, protocol: Any) -> None:
    headers = [*answer.headers, ("content-length", str(len(answer.body)))]
    if seen.method == "HEAD":
        protocol.response_empty(answer.status, headers)
    else:
        protocol.response_bytes(answer.status, headers, answer.body)


async def _body(protocol: Any) -> bytes:
    body = b""
    async for piece in protocol:
        body += piece
        if len(body) > LONGEST:
            break
    return body
