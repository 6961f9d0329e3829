"""The names that point at the current context: ``current_app``, ``g``, ``request``, ``session``,
``websocket``.

One :class:`~contextvars.ContextVar` holds the context; each name is a proxy to an attribute of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, NoReturn

from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from .app import Vial
    from .ctx import AppContext, RequestContext, _AppCtxGlobals
    from .sessions import SessionMixin
    from .websockets import WebSocket
    from .wrappers import Request

_cv: ContextVar[AppContext] = ContextVar("vial.context")

#: Whether a test client makes the request: it lets background work end before it returns.
_under_test: ContextVar[bool] = ContextVar("vial.under_test", default=False)


@contextmanager
def without_context() -> Iterator[None]:
    """Inside, no context is active: what is pushed there shares no ``g`` with what is around."""
    token = _cv.set(None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        _cv.reset(token)


_no_app_msg = (
    "Working outside of application context.\n\n"
    "You used something that belongs to an app (current_app, g, url_for, a database of it) while"
    " no app was active. In a script or shell put it inside 'with app.app_context():'; in a"
    " command use 'app.cli' or @with_appcontext."
)
_no_req_msg = (
    "Working outside of request context.\n\n"
    "You used something that belongs to a request (request, session, flash) while none was being"
    " handled. Use it inside a view or a hook; in a test put it inside"
    " 'with app.test_request_context():' or use the test client."
)

_no_websocket_msg = (
    "Working outside of WebSocket context.\n\n"
    "You used 'websocket' while no WebSocket was being handled. Use it inside a view that was"
    " decorated with @app.websocket(...), or in a hook of one; in a view for HTTP use 'request'."
)


def _situation() -> str:
    from .hints.contexts import situation

    return situation()


def no_app_context() -> NoReturn:
    raise RuntimeError(_no_app_msg + _situation())


def _current() -> AppContext:
    try:
        return _cv.get()
    except LookupError:
        no_app_context()


def _current_app() -> Vial:
    return _current().app


def _current_g() -> _AppCtxGlobals:
    return _current().g


def find_request_ctx() -> RequestContext | None:
    """The context of the request that is being handled, if one is."""
    current = _cv.get(None)
    return None if current is None else current._request_context()


def _current_request_ctx() -> RequestContext:
    ctx = find_request_ctx()
    if ctx is None:
        raise RuntimeError(_no_req_msg + _situation())
    return ctx


def _current_request() -> Request:
    return _current_request_ctx().request


def _current_websocket() -> WebSocket:
    ctx = find_request_ctx()
    if ctx is None or not ctx.request.is_websocket:
        raise RuntimeError(_no_websocket_msg)
    return ctx.request  # type: ignore[return-value]


def _current_session() -> SessionMixin:
    return _current_request_ctx().session


class _RequestProxy(LocalProxy[Any]):
    """PERF: an attribute of the request is one Python call, not Werkzeug's four."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        ctx = _cv.get(None)
        if ctx is None or not ctx._is_request:
            ctx = _current_request_ctx()
        return getattr(ctx.request, name)  # type: ignore[attr-defined]


class _WebSocketProxy(LocalProxy[Any]):
    """PERF: as :class:`_RequestProxy`, for ``websocket``."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        ctx = _cv.get(None)
        if ctx is None or not ctx._is_websocket:
            return getattr(_current_websocket(), name)
        return getattr(ctx.request, name)  # type: ignore[attr-defined]


class _SessionProxy(LocalProxy[Any]):
    """PERF: as :class:`_RequestProxy`, for ``session["key"]``."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        return _current_session()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        _current_session()[key] = value


class _AppProxy(LocalProxy[Any]):
    """PERF: as :class:`_RequestProxy`, for ``current_app``."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(_current().app, name)


class _GProxy(LocalProxy[Any]):
    """PERF: as :class:`_RequestProxy`, for ``g``."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(_current().g, name)


for _cls in (_RequestProxy, _WebSocketProxy, _SessionProxy, _AppProxy, _GProxy):
    _cls.__name__ = "LocalProxy"  # what its repr() says while it points at nothing

app_ctx: AppContext = LocalProxy(lambda: _current()._app_context())  # type: ignore[assignment]
request_ctx: RequestContext = LocalProxy(_current_request_ctx)  # type: ignore[assignment]
current_app: Vial = _AppProxy(_current_app)  # type: ignore[assignment]
g: _AppCtxGlobals = _GProxy(_current_g)  # type: ignore[assignment]
request: Request = _RequestProxy(_current_request)  # type: ignore[assignment]
websocket: WebSocket = _WebSocketProxy(_current_websocket)  # type: ignore[assignment]
session: SessionMixin = _SessionProxy(_current_session)  # type: ignore[assignment]


class _View:
    """One of the two variables that Flask 3.1 keeps, for extensions that reach for them."""

    def __init__(self, name: str, select: Callable[[AppContext], AppContext | None]) -> None:
        self.name = name
        self._select = select

    def get(self, *default: Any) -> Any:
        """The context; without one ``default``, else a :exc:`LookupError`."""
        current = _cv.get(None)
        ctx = None if current is None else self._select(current)
        if ctx is None and not default:
            raise LookupError(self)
        return default[0] if ctx is None else ctx

    def set(self, ctx: AppContext) -> Token[AppContext]:
        """Make a context the current one, until :meth:`reset` of what this returns."""
        return _cv.set(ctx)

    def reset(self, token: Token[AppContext]) -> None:
        """Undo :meth:`set`."""
        _cv.reset(token)


_cv_app = _View("vial.app_ctx", lambda ctx: ctx._app_context())
_cv_request = _View("vial.request_ctx", lambda ctx: ctx._request_context())
