"""The debugger around an ASGI application."""

from __future__ import annotations

from typing import Any

from ...concurrency import run_in_pool
from ..entrance import ASGIApp, Message, Receive, Scope, Send
from .core import LONGEST, Debugger
from .seen import Answer, Seen, seen_in


class DebuggedASGI:
    """ASGI application that answers with the debugger's page where ``app`` raises an exception.

    WebSockets and the lifespan go through as they are.

    :param app: an ASGI application that lets its exceptions out, as Vial does in debug mode.
    :param host: the address that the server listens on. Without one there is no console.
    :param evalex: whether frames have consoles.
    """

    def __init__(self, app: ASGIApp, *, host: str | None = None, evalex: bool = True) -> None:
        self._app: Any = getattr(app, "_asgi_entrance", lambda: app)()
        self.debugger = Debugger(host, evalex)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = seen_in(scope)
        if self.debugger.wants(seen):
            answer = await run_in_pool(self.debugger.command, seen, await _body(receive))
            await _send(answer, seen, send)
        else:
            await self._guarded(scope, receive, send, seen)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, seen: Seen) -> None:
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as e:
            if has_begun:
                raise  # the answer is cut short; the server prints the traceback
            # In a thread: values may take their time for their reprs.
            await _send(await run_in_pool(self.debugger.answer, e, seen), seen, send)


async def _send(answer: Answer, seen: Seen, send: Send) -> None:
    length = ("content-length", str(len(answer.body)))
    headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in (*answer.headers, length)]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if seen.method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= LONGEST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
