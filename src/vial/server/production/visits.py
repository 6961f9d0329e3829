"""One request that is logged, or one of the last of a worker, as each interface has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from time import perf_counter
from typing import Any
from urllib.parse import quote

from .access import ID_HEADER, Log, Request, id_of

Headers = list[tuple[str, str]]
_CLOSE = ("connection", "close")


class Visit:
    """The status and the size of an answer, for the log; what is added to its headers."""

    def __init__(self, scope: Any, log: Log | None, is_last: bool) -> None:
        self._log = log
        self.status = 500  # what granian answers where the app fails
        self._size: str | None = None
        self.added: Headers = []
        self._begun = perf_counter()
        if log is not None:
            self._request = self._describe(scope)
            self.added.append((ID_HEADER, self._request.id))
        if is_last and self._version(scope) < "2":  # HTTP/2 has no such header, and GOAWAY
            self.added.append(_CLOSE)

    def _describe(self, scope: Any) -> Request:
        """What the log has of a request."""
        raise NotImplementedError

    def _version(self, scope: Any) -> str:
        """The version of HTTP, such as ``"1.1"``."""
        raise NotImplementedError

    def begin(self, status: int, headers: Iterable[tuple[Any, Any]]) -> None:
        """Note what the answer begins with; names and values are text or bytes."""
        self.status = status
        if self._log is not None:
            for name, value in headers:
                if len(name) == 14 and name.lower() in ("content-length", b"content-length"):
                    self._size = value if isinstance(value, str) else value.decode("latin-1")

    def end(self) -> None:
        """The answer is over: write its line."""
        if self._log is not None:
            self._log(self._request, self.status, self._size, perf_counter() - self._begun)


class RsgiVisit(Visit):
    """By RSGI, where the scope is granian's own object."""

    def _version(self, scope: Any) -> str:
        return scope.http_version  # type: ignore[no-any-return]

    def _describe(self, scope: Any) -> Request:
        headers = scope.headers
        return Request(
            id_of(headers.get(ID_HEADER)),
            scope.client.rpartition(":")[0].strip("[]"),
            scope.method,
            quote(scope.path, _PATH),
            scope.query_string,
            scope.http_version,
            headers.get("referer"),
            headers.get("user-agent"),
        )


#: Stays as it is in the path of a log line, beside letters and digits.
_PATH = "/:@!$&'()*+,;=~"


class RsgiProtocol:
    """A RSGI protocol whose answers have some headers more."""

    def __init__(self, inner: Any, visit: Visit) -> None:
        self._inner, self._visit = inner, visit

    def __call__(self) -> Awaitable[bytes]:
        return self._inner()  # type: ignore[no-any-return]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._inner)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not name.startswith("response_"):
            return method

        def answer(status: int, headers: Headers, *rest: Any) -> Any:
            self._visit.begin(status, headers)
            return method(status, [*headers, *self._visit.added], *rest)

        return answer


class AsgiVisit(Visit):
    """By ASGI, where an answer begins with a message."""

    def _version(self, scope: Any) -> str:
        return scope["http_version"]  # type: ignore[no-any-return]

    def _describe(self, scope: Any) -> Request:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        return Request(
            id_of(headers.get(ID_HEADER.encode())),
            (scope.get("client") or ("",))[0],
            scope["method"],
            quote(scope["path"], _PATH),
            scope["query_string"].decode("latin-1"),
            scope["http_version"],
            headers.get(b"referer"),
            headers.get(b"user-agent"),
        )

    def sending(self, send: Any) -> Callable[[dict[str, Any]], Awaitable[None]]:
        """A ``send`` that notes how the answer begins, and adds to its headers."""
        added = [(name.encode(), value.encode()) for name, value in self.added]

        def noting(message: dict[str, Any]) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *added]
                self.begin(message["status"], headers)
                message = {**message, "headers": headers}
            return send(message)  # type: ignore[no-any-return]

        return noting


class WsgiVisit(Visit):
    """By WSGI, where a body in pieces is over when it is closed (PEP 3333)."""

    def _version(self, environ: Any) -> str:
        return environ["SERVER_PROTOCOL"].partition("/")[2]  # type: ignore[no-any-return]

    def _describe(self, environ: Any) -> Request:
        return Request(
            id_of(environ.get("HTTP_X_REQUEST_ID")),
            environ.get("REMOTE_ADDR", ""),
            environ["REQUEST_METHOD"],
            quote(environ["PATH_INFO"].encode("latin-1", "replace"), _PATH),
            environ["QUERY_STRING"],
            self._version(environ),
            environ.get("HTTP_REFERER"),
            environ.get("HTTP_USER_AGENT"),
        )

    def starting(self, start_response: Any) -> Callable[..., Any]:
        """A ``start_response`` that notes how the answer begins, and adds to its headers."""

        def noting(status: str, headers: Headers, exc_info: Any = None) -> Any:
            self.begin(int(status[:3]), headers)
            return start_response(status, [*headers, *self.added], exc_info)

        return noting

    def run(self, app: Any, environ: Any, start_response: Any) -> Iterable[bytes]:
        """The body of the answer."""
        try:
            answer = app(environ, self.starting(start_response))
        except BaseException:
            self.end()
            raise
        if isinstance(answer, list):  # granian sends it at once
            self.end()
            return answer
        return _Pieces(answer, self.end)


class _Pieces:
    """A body in pieces, which is over when it is closed."""

    def __init__(self, inner: Iterable[bytes], end: Callable[[], None]) -> None:
        self._inner, self._end = inner, end

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._inner)

    def close(self) -> None:
        try:
            close = getattr(self._inner, "close", None)
            if close is not None:
                close()
        finally:
            self._end()
