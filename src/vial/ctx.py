"""One context per request: the app, and what a request builds while it is handled.

Nothing is built before it is used: ``request``, ``session``, ``g`` and the URL adapter appear in
the context at first access; ``made_request`` and ``opened_session`` tell whether they did.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextvars import Token
from functools import update_wrapper
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO, TypeVar

from werkzeug.exceptions import HTTPException

from . import logging
from .callables import is_async
from .driver import drive
from .globals import _cv, no_request_context
from .lazy import lazy
from .signals import appcontext_popped, appcontext_pushed
from .teardown import leave

if TYPE_CHECKING:
    from werkzeug.routing import MapAdapter, Rule

    from . import typing as vt
    from .app import Vial
    from .flow import Plan
    from .sessions import SessionMixin
    from .wrappers import Request

_sentinel = object()
F = TypeVar("F", bound=Callable[..., Any])


class _AppCtxGlobals:
    """A plain object to store data on while a context lives; what ``g`` points to."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(name) from None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or ``default`` where there is none."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _sentinel) -> Any:
        """Return and remove an attribute; without ``default`` a missing one is a KeyError."""
        if default is _sentinel:
            return self.__dict__.pop(name)
        return self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return an attribute, setting it to ``default`` where there was none."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, item: str) -> bool:
        return item in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        ctx = _cv.get(None)
        return object.__repr__(self) if ctx is None else f"<vial.g of {ctx.app.name!r}>"


class AppContext:
    """The app is active: ``current_app`` and ``g`` work. Made by ``app.app_context()``.

    Pushed inside a request it gets a ``g`` of its own, and the request stays visible.
    """

    #: The request context that was active when this one was pushed.
    _enclosing: RequestContext | None = None

    def __init__(self, app: Vial) -> None:
        self.app = app
        self._tokens: list[Token[AppContext]] = []

    @lazy
    def g(self) -> _AppCtxGlobals:
        """The namespace of this context (``app.app_ctx_globals_class``)."""
        return self.app.app_ctx_globals_class()

    @lazy
    def url_adapter(self) -> MapAdapter | None:
        """Werkzeug's view of the URL map; ``None`` outside a request without ``SERVER_NAME``."""
        return self.app.create_url_adapter(None)

    def _request_context(self) -> RequestContext | None:
        """The context that ``request`` and ``session`` are read from, if there is one."""
        return self._enclosing

    @property
    def request(self) -> Request:
        if self._enclosing is None:
            no_request_context()
        return self._enclosing.request

    @property
    def session(self) -> SessionMixin:
        if self._enclosing is None:
            no_request_context()
        return self._enclosing.session

    def push(self) -> None:
        """Make this the current context. Each push wants a :meth:`pop`."""
        outer = _cv.get(None)
        if outer is not None:
            self._enclosing = outer._request_context()
        self._tokens.append(_cv.set(self))
        appcontext_pushed.send(self.app, _async_wrapper=self.app.ensure_sync)

    def pop(self, exc: BaseException | None = _sentinel) -> None:  # type: ignore[assignment]
        """Undo one :meth:`push`; the last one runs the teardown functions."""
        try:
            if len(self._tokens) == 1:
                self.app.do_teardown_appcontext(_active_exception(exc))
        finally:
            self._leave()
        appcontext_popped.send(self.app, _async_wrapper=self.app.ensure_sync)

    def _leave(self) -> None:
        current = _cv.get(None)
        if not self._tokens or current is not self:
            raise AssertionError(
                f"Popped wrong context: {self!r} was to be left, {current!r} is the current one."
            )
        _cv.reset(self._tokens.pop())

    def __enter__(self) -> Self:
        self.push()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.pop(exc_value)


def _active_exception(exc: BaseException | object | None) -> BaseException | None:
    return sys.exc_info()[1] if exc is _sentinel else exc  # type: ignore[return-value]


class RequestContext(AppContext):
    """One request is being handled: ``request`` and ``session`` work as well.

    Made by a gateway, or by ``app.request_context(environ)`` and
    ``app.test_request_context(…)``. Pushed while a context of the same app is active it shares
    that one's ``g``, as in Flask 3.1.
    """

    plan: Plan
    # Class attributes, not set per instance: few requests need them.
    view_args: dict[str, Any] | None = None
    url_rule: Rule | None = None
    flashes: list[tuple[str, str]] | None = None
    _outer: AppContext | None = None
    _left: bool = False

    def __init__(
        self,
        app: Vial,
        environ: dict[str, Any],
        request: Request | None = None,
        session: SessionMixin | None = None,
    ) -> None:
        self.app = app
        self.environ = environ
        self.host: str | None = environ.get("HTTP_HOST")
        self.sends_cookies = "HTTP_COOKIE" in environ
        self.made_request = request is not None
        self.opened_session = session is not None
        self.routing_exception: Exception | None = None
        #: What after_this_request() was given.
        self.after_functions: list[vt.AfterRequestCallable[Any]] | tuple[()] = ()
        #: How many streams of stream_with_context() still read; ``_left``: only they do.
        self._streams = 0
        if request is not None:
            self.request = request
            self.url_rule, self.view_args = request.url_rule, request.view_args
        if session is not None:
            self._session = session

    def _request_context(self) -> RequestContext:
        return self

    @lazy
    def _tokens(self) -> list[Token[AppContext]]:
        return []

    @lazy
    def request(self) -> Request:
        """The request; the first access makes it (``app.request_class(environ)``)."""
        request = self.app.request_class(self.environ)
        self.made_request = True
        request.url_rule = self.url_rule
        request.view_args = self.view_args
        request.routing_exception = self.routing_exception  # type: ignore[assignment]
        return request

    @lazy
    def _session(self) -> SessionMixin:
        interface = self.app.session_interface
        session = interface.open_session(self.app, self.request)
        self.opened_session = True
        return interface.make_null_session(self.app) if session is None else session

    @lazy
    def session(self) -> SessionMixin:
        """The session; the first access opens it (``app.session_interface``)."""
        self._session.accessed = True  # the response will say that it varies by the cookie
        return self._session

    @lazy
    def g(self) -> _AppCtxGlobals:
        return self.app.app_ctx_globals_class() if self._outer is None else self._outer.g

    @lazy
    def url_adapter(self) -> MapAdapter | None:
        return self.app.create_url_adapter(self.request)

    def match_request(self) -> None:
        """Find the plan, and with it ``url_rule`` and ``view_args``, of this request.

        A failure is kept in ``routing_exception`` and raised when the request is dispatched, so
        that hooks and error handlers run for it.
        """
        path = decoded_path(self.environ.get("PATH_INFO") or "")
        self._match(path, self.environ["REQUEST_METHOD"])

    def _match(self, path: str, method: str) -> None:
        app = self.app
        try:
            if app.config["TRUSTED_HOSTS"] is not None:
                self.url_adapter  # noqa: B018 - refuses a Host that is not in the list
            elif self.host not in app._known_hosts:
                app._check_host(self)
            matcher = app._matcher or app._make_matcher()
            rule, self.view_args = matcher.match(path, method, self._adapter)
            self.url_rule = rule
            plan = app._plans.get(rule.endpoint)
            self.plan = app._make_plan(rule.endpoint) if plan is None else plan
            if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
                self.plan = app._options_plan(self.plan)
        except Exception as e:
            # Usually 404 or 405; a converter of the application may also fail in any other way.
            # Its traceback has this frame, and this object has it: leave the collector nothing.
            self.routing_exception = e.with_traceback(None) if isinstance(e, HTTPException) else e
            self.plan = app._plans.get(None) or app._make_plan(None)
        if self.made_request:
            self._tell_request()

    def _adapter(self) -> Any:
        return self.url_adapter

    def _tell_request(self) -> None:
        request = self.request
        request.url_rule, request.view_args = self.url_rule, self.view_args
        request.routing_exception = self.routing_exception  # type: ignore[assignment]

    def copy(self) -> RequestContext:
        """A context for the same request and session, to be pushed in another thread or task."""
        return RequestContext(self.app, self.environ, self.request, self._session)

    def push(self) -> None:
        """Make this the current context and match the URL. Each push wants a :meth:`pop`."""
        outer = _cv.get(None)
        if outer is not None and outer is not self and outer.app is self.app:
            self._outer = outer
        self._tokens.append(_cv.set(self))
        self._pushed()
        if not hasattr(self, "plan"):
            self.match_request()

    def _pushed(self) -> None:
        if self._outer is None and appcontext_pushed.receivers:
            appcontext_pushed.send(self.app, _async_wrapper=self.app.ensure_sync)

    def pop(self, exc: BaseException | None = _sentinel) -> None:  # type: ignore[assignment]
        """Undo one :meth:`push`; the last one runs the teardown functions."""
        try:
            if len(self._tokens) == 1:
                drive(leave(self, _active_exception(exc)))
        finally:
            self._leave()

    def __repr__(self) -> str:
        environ = self.environ
        return (
            f"<{type(self).__name__} {environ.get('PATH_INFO')!r}"
            f" [{environ.get('REQUEST_METHOD')}] of {self.app.name}>"
        )


def decoded_path(path: str) -> str:
    """The text of a ``PATH_INFO``, which has its bytes decoded as latin-1 (PEP 3333)."""
    return path.encode("latin-1").decode("utf-8", "replace")


def _request_errors() -> TextIO | None:
    ctx = _cv.get(None)
    request_ctx = None if ctx is None else ctx._request_context()
    return None if request_ctx is None else request_ctx.environ["wsgi.errors"]


logging.find_request_errors = _request_errors


def after_this_request(f: vt.AfterRequestCallable[Any]) -> vt.AfterRequestCallable[Any]:
    """Call ``f(response)`` after the current request; it returns the response to send."""
    ctx = _request_ctx_for("after_this_request")
    if not isinstance(ctx.after_functions, list):
        ctx.after_functions = []
    ctx.after_functions.append(f)  # in place: one of them may add another
    return f


def copy_current_request_context(f: F) -> F:
    """Wrap a function so that it sees the current request when a thread or task runs it later.

    The request and the session are shared, ``g`` is not (Flask 3.1).
    """
    ctx = _request_ctx_for("copy_current_request_context").copy()

    def run(*args: Any, **kwargs: Any) -> Any:
        with ctx.copy():
            return f(*args, **kwargs)

    async def run_async(*args: Any, **kwargs: Any) -> Any:
        with ctx.copy():
            return await f(*args, **kwargs)

    return update_wrapper(run_async if is_async(f) else run, f)  # type: ignore[return-value]


def _request_ctx_for(name: str) -> RequestContext:
    current = _cv.get(None)
    ctx = None if current is None else current._request_context()
    if ctx is None:
        raise RuntimeError(
            f"'{name}' can only be used while a request is handled, such as in a view function."
        )
    return ctx


def has_request_context() -> bool:
    """Whether ``request`` and ``session`` may be used now."""
    ctx = _cv.get(None)
    return ctx is not None and ctx._request_context() is not None


def has_app_context() -> bool:
    """Whether ``current_app`` and ``g`` may be used now."""
    return _cv.get(None) is not None
