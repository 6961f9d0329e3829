"""The names that point at the current context: ``current_app``, ``g``, ``request``, ``session``.

One :class:`~contextvars.ContextVar` holds the context; each name is a proxy to an attribute of it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from .app import Vial
    from .ctx import AppContext, RequestContext, _AppCtxGlobals
    from .sessions import SessionMixin
    from .wrappers import Request

_cv: ContextVar[AppContext] = ContextVar("vial.context")

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


def no_app_context() -> NoReturn:
    raise RuntimeError(_no_app_msg)


def no_request_context() -> NoReturn:
    raise RuntimeError(_no_req_msg)


def _current() -> AppContext:
    try:
        return _cv.get()
    except LookupError:
        no_app_context()


def _current_app() -> Vial:
    return _current().app


def _current_g() -> _AppCtxGlobals:
    return _current().g


def _current_request_ctx() -> RequestContext:
    current = _cv.get(None)
    ctx = None if current is None else current._request_context()
    if ctx is None:
        no_request_context()
    return ctx


def _current_request() -> Request:
    ctx = _cv.get(None)
    return no_request_context() if ctx is None else ctx.request


def _current_session() -> SessionMixin:
    ctx = _cv.get(None)
    return no_request_context() if ctx is None else ctx.session


class _RequestProxy(LocalProxy[Any]):
    """PERF: an attribute of the request is one Python call, not Werkzeug's four."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        ctx = _cv.get(None)
        return getattr(no_request_context() if ctx is None else ctx.request, name)


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


app_ctx: AppContext = LocalProxy(_current)  # type: ignore[assignment]
request_ctx: RequestContext = LocalProxy(_current_request_ctx)  # type: ignore[assignment]
current_app: Vial = _AppProxy(_current_app)  # type: ignore[assignment]
g: _AppCtxGlobals = _GProxy(_current_g)  # type: ignore[assignment]
request: Request = _RequestProxy(_current_request)  # type: ignore[assignment]
session: SessionMixin = _SessionProxy(_current_session)  # type: ignore[assignment]

# Flask 3.1 keeps two variables; extensions that reach for them find the one there is.
_cv_app = _cv_request = _cv
