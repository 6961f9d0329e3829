"""From what a view returned to a response object, by Flask's rules."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as ResponseBase

from .events import EventStream
from .globals import find_request_ctx
from .wrappers import Page, Response

if TYPE_CHECKING:
    from .app import Vial

_ACCEPTED = (
    "a string, bytes, a dict or list for JSON, a Response, an iterator, an EventStream, a WSGI"
    " callable, or a tuple (body, status), (body, headers) or (body, status, headers)"
)

#: What a class of HTTP errors may do in its own way, with the environ of the request.
_HTTP_METHODS = (
    "__call__",
    "get_response",
    "get_body",
    "get_description",
    "get_headers",
    "name",
)
#: What an error has of its own where it is only raised; it may also have methods of its own.
_HTTP_ATTRIBUTES = {"description", "response"}
#: Pages of errors remembered: there may be a class of errors for every request.
_KNOWN_PAGES = 100


def to_response(app: Vial, rv: Any) -> Response:
    """Turn a view's return value into an ``app.response_class``.

    :raises TypeError: naming the endpoint and what it returned.
    """
    status = headers = None
    if isinstance(rv, tuple):
        rv, status, headers = _unpacked(rv)
    response: Response
    try:
        response, status, headers = _converted(app, rv, status, headers)
        if status is not None:
            if isinstance(status, (str, bytes, bytearray)):
                response.status = status  # type: ignore[assignment]
            else:
                response.status_code = status
        if headers:
            response.headers.update(headers)
    except (AttributeError, TypeError, ValueError) as e:
        if status is not None and not isinstance(status, (int, str, bytes, bytearray)):
            e.add_note(f"Hint: {_wrong_order(status)}")
        raise
    return response


def _wrong_order(status: Any) -> str:
    """What to say of ``return body, headers, status``."""
    return (
        f"{_culprit()} returned a tuple with {_named(status)} where its status belongs. The order"
        " is (body, status, headers), with a status such as 404, and headers a dict."
    )


def _unpacked(rv: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    if len(rv) == 3:
        return rv
    if len(rv) == 2:
        if isinstance(rv[1], (Headers, dict, tuple, list)):
            return rv[0], None, rv[1]
        return rv[0], rv[1], None
    raise TypeError(
        f"{_culprit()} returned a tuple of {len(rv)} values. A view returns {_ACCEPTED}."
    )


def _converted(app: Vial, rv: Any, status: Any, headers: Any) -> tuple[Any, Any, Any]:
    cls = app.response_class
    if isinstance(rv, cls):
        return rv, status, headers
    if isinstance(rv, (dict, list)):
        return app.json.response(rv), status, headers
    if isinstance(rv, HTTPException):
        return _of_http_exception(cls, rv), status, headers
    if isinstance(rv, (str, bytes, bytearray, Iterator, AsyncIterable)):
        return cls(rv, status=status, headers=headers), None, None  # type: ignore[arg-type]
    if isinstance(rv, EventStream):
        return rv._response(app), status, headers
    if isinstance(rv, ResponseBase) or callable(rv):
        return _forced(cls, rv), status, headers
    if rv is None:
        raise TypeError(
            f"{_culprit()} returned None: it ended without a 'return', or returned the result of"
            f" a function that has none. A view returns {_ACCEPTED}."
        )
    raise TypeError(f"{_culprit()} returned {_named(rv)}. {_what_to_return(rv, status)}")


def _named(value: Any) -> str:
    """``an int``."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _what_to_return(rv: Any, status: Any) -> str:
    """How to make a response of a value that is none."""
    if hasattr(rv, "__await__"):
        return _refused_awaitable(rv)
    accepted = f"A view returns {_ACCEPTED}."
    if isinstance(rv, int) and isinstance(status, (str, bytes, dict, list)):
        return f"The body comes first: return body, {rv}. {accepted}"
    if isinstance(rv, (bool, int, float)):
        return f"Write str(…) of it, or a dict such as {{'result': …}}. {accepted}"
    if isinstance(rv, (set, frozenset)):
        return f"Write list(…) or sorted(…) of it. {accepted}"
    return accepted


def _refused_awaitable(rv: Any) -> str:
    name = getattr(rv, "__qualname__", "work")
    if hasattr(rv, "close"):
        rv.close()  # or Python warns that it was never awaited, which this error says already
    return (
        f"Nothing awaits it: declare the function 'async def' and write 'return await {name}(…)'."
        " A decorator around an async function must make an async one, or call it by"
        " current_app.ensure_sync()."
    )


def _forced(cls: type[Response], rv: Any) -> Any:
    ctx = find_request_ctx()
    environ = None if ctx is None else ctx.request.environ
    try:
        return cls.force_type(rv, environ)
    except TypeError as e:
        name = getattr(rv, "__name__", None)
        cure = f" Was {name}(…) meant, with parentheses?" if name else ""
        raise TypeError(
            f"{_culprit()} returned {_named(rv)}{f' ({name})' if name else ''}, which was called as"
            f" a WSGI application and failed: {e}.{cure} A view returns {_ACCEPTED}."
        ) from e


def _of_http_exception(cls: type[Response], error: HTTPException) -> Any:
    own = _is_own(type(error)) or not vars(error).keys() <= _HTTP_ATTRIBUTES  # type: ignore[arg-type]
    if own or error.response is not None or cls is not Response or _is_head():
        return _forced(cls, error)
    return cls(Page([_page(error)]), error.code, content_type="text/html; charset=utf-8")


@lru_cache(_KNOWN_PAGES)
def _is_own(cls: type[HTTPException]) -> bool:
    """Whether a class of errors answers in its own way."""
    return any(getattr(cls, name) is not getattr(HTTPException, name) for name in _HTTP_METHODS)


def _is_head() -> bool:
    """Whether the answer is to a HEAD request: then that of an HTTP error has no body."""
    ctx = find_request_ctx()
    return ctx is not None and ctx.environ.get("REQUEST_METHOD") == "HEAD"


_pages: dict[tuple[Any, ...], bytes] = {}


def _page(error: HTTPException) -> bytes:
    """PERF: benchmarks/dispatch.py, 404: Werkzeug takes 10 µs to write the same page again."""
    if error.description is not type(error).description:
        return error.get_body().encode()
    key = type(error), error.code, error.description
    page = _pages.get(key)
    if page is None:
        page = error.get_body().encode()
        if len(_pages) < _KNOWN_PAGES:
            _pages[key] = page
    return page


def _culprit() -> str:
    ctx = find_request_ctx()
    rule = None if ctx is None else ctx.request.url_rule
    if rule is None:
        return "A handler"
    return f"The view function for the endpoint {rule.endpoint!r} (or a hook or error handler)"
