"""The debugger around a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import EnvironHeaders, Headers

from .core import LONGEST, Debugger
from .seen import Answer, Seen

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    WSGIApp = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


class DebuggedWSGI:
    """WSGI application: ``app.wsgi_app = DebuggedWSGI(app.wsgi_app, host="127.0.0.1")``.

    :param app: a WSGI application that lets its exceptions out, as Vial does in debug mode.
    :param host: the address that the server listens on. Without one there is no console.
    :param evalex: whether frames have consoles.
    """

    def __init__(self, app: WSGIApp, *, host: str | None = None, evalex: bool = True) -> None:
        self._app = app
        self.debugger = Debugger(host, evalex)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        seen = _seen(environ)
        if self.debugger.wants(seen):
            return _send(self.debugger.command(seen, _body(environ)), seen, start_response)
        return self._guarded(environ, start_response, seen)

    def _guarded(
        self, environ: WSGIEnvironment, start_response: StartResponse, seen: Seen
    ) -> Iterator[bytes]:
        body: Any = ()
        has_started = has_begun = False

        def noting(*args: Any) -> Any:
            nonlocal has_started
            has_started = True
            return start_response(*args)

        try:
            try:
                body = self._app(environ, noting)
                for chunk in body:
                    has_begun = has_begun or bool(chunk)
                    yield chunk
            finally:
                getattr(body, "close", lambda: None)()
        except Exception as e:
            if has_begun:
                raise  # the answer is cut short; the server prints the traceback
            answer = self.debugger.answer(e, seen)
            # Only with exc_info may start_response be called again (PEP 3333).
            yield from _send(answer, seen, start_response, e if has_started else None)


def _send(
    answer: Answer, seen: Seen, start_response: StartResponse, error: Exception | None = None
) -> list[bytes]:
    length = ("Content-Length", str(len(answer.body)))
    status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    exc_info: Any = None if error is None else (type(error), error, error.__traceback__)
    start_response(status, [*answer.headers, length], exc_info)
    return [] if seen.method == "HEAD" else [answer.body]


def _seen(environ: WSGIEnvironment) -> Seen:
    return Seen(
        environ["REQUEST_METHOD"],
        _decoded(environ.get("PATH_INFO", "")),
        environ.get("QUERY_STRING", ""),
        Headers(list(EnvironHeaders(environ))),
        environ.get("REMOTE_ADDR"),
        environ["wsgi.url_scheme"],
        _decoded(environ.get("SCRIPT_NAME", "")),
    )


def _decoded(text: str) -> str:
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > LONGEST:
        return b""
    return environ["wsgi.input"].read(int(length))  # type: ignore[no-any-return]
