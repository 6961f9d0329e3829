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
from .globals import _cv, find_request_ctx
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

    #: Whether this context has a request, and whether that is for a WebSocket.
    _is_request = _is_websocket = False
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

    def _app_context(self) -> AppContext:
        """The context that ``app_ctx`` is."""
        return self

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
            # Flask's kinds of error.
            raise (LookupError if current is None else AssertionError)(
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

    _is_request = True
    #: What handles the request, from the end of matching on.
    plan: Plan
    # Class attributes, not set per instance: few requests need them.
    view_args: dict[str, Any] | None = None
    url_rule: Rule | None = None
    flashes: list[tuple[str, str]] | None = None
    #: The context of the same app around this one, whose ``g`` it has.
    _outer: AppContext | None = None
    #: That context, where the app makes its contexts in its own way and this one pushed it.
    _implied: AppContext | None = None
    _left: bool = False

    def __init__(
        self,
        app: Vial,
        environ: dict[str, Any] | None,
        request: Request | None = None,
        session: SessionMixin | None = None,
    ) -> None:
        self.app = app
        if environ is not None:  # gateways with a loop know these from elsewhere
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

    def _app_context(self) -> AppContext:
        return self._own_app_context if self._outer is None else self._outer._app_context()

    @lazy
    def _own_app_context(self) -> AppContext:
        """The app's half of this context, for those who hand ``app_ctx`` to a thread."""
        ctx = AppContext(self.app)
        ctx.g = self.g
        ctx._tokens.append(None)  # type: ignore[arg-type]  # as pushed: no pop of theirs ends it
        return ctx

    @lazy
    def _tokens(self) -> list[Token[AppContext]]:
        return []

    @property
    def _after_request_functions(self) -> list[vt.AfterRequestCallable[Any]]:
        """:attr:`after_functions` under the name that extensions know (Flask 3.1)."""
        if not isinstance(self.after_functions, list):
            self.after_functions = []
        return self.after_functions

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

    @property
    def session(self) -> SessionMixin:
        """The session; the first access opens it (``app.session_interface``)."""
        session = self._session
        session.accessed = True  # the response will say that it varies by the cookie
        return session

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
            if plan is None or method == "OPTIONS":
                plan = app._plan_of(rule, method)
            self.plan = plan
        except Exception as e:
            # Usually 404 or 405; a converter of the application may also fail in any other way.
            # Its traceback has this frame, and this object has it: leave the collector nothing.
            told = isinstance(e, HTTPException)
            self.routing_exception = e.with_traceback(None) if told else e
            self.plan = app._plans.get(None) or app._make_plan(None)
            if not told:
                self.plan = app._without_hooks(self.plan)
        if self.made_request:
            self._tell_request()

    def _adapter(self) -> Any:
        return self.url_adapter

    def _tell_request(self) -> None:
        request = self.request
        request.url_rule, request.view_args = self.url_rule, self.view_args
        request.routing_exception = self.routing_exception  # type: ignore[assignment]

    def _matched(self) -> tuple[str | None, dict[str, Any] | None]:
        """The endpoint and the URL's values, as a hook may have changed them on the request."""
        if self.made_request:
            return self.request.endpoint, self.request.view_args
        return None if self.url_rule is None else self.url_rule.endpoint, self.view_args

    def _follow_request(self) -> None:
        """Handle what hooks made of the request: its rule, arguments and routing exception, and
        the registries of the app, are those that count when it is dispatched (Flask 3.1)."""
        rule, method = self.url_rule, self.environ["REQUEST_METHOD"]
        if self.made_request:
            request = self.request
            rule, method = request.url_rule, request.method
            self.view_args = request.view_args
            self.routing_exception = request.routing_exception
        if rule is not self.url_rule or not self.app._plans:
            self.url_rule = rule
            self.plan = self.app._plan_of(rule, method, self.plan.is_async)

    def copy(self) -> RequestContext:
        """A context for the same request and session, to be pushed in another thread or task."""
        return type(self)(self.app, self.environ, self.request, self._session)

    def push(self) -> None:
        """Make this the current context and match the URL. Each push wants a :meth:`pop`."""
        outer = _cv.get(None)
        if outer is None or outer.app is not self.app:
            self._imply_app_context()
        elif outer is not self:
            self._outer = outer
        self._tokens.append(_cv.set(self))
        self._pushed()
        self.made_request = "request" in vars(self)
        self.match_request()
        self._match_otherwise()

    def _match_otherwise(self) -> None:
        # A subclass may have a match_request() that tells its result to the request only.
        if not hasattr(self, "plan"):
            self.plan = self.app._plan_of(None, "")
        self._follow_request()

    def _imply_app_context(self) -> None:
        self._outer = None  # the one of an earlier push
        if self.app._has_own("app_context"):
            self._outer = self._implied = self.app.app_context()
            self._implied.push()

    def _pushed(self) -> None:
        if self._outer is None and appcontext_pushed.receivers:
            appcontext_pushed.send(self.app, _async_wrapper=self.app.ensure_sync)

    def pop(self, exc: BaseException | None = _sentinel) -> None:  # type: ignore[assignment]
        """Undo one :meth:`push`; the last one runs the teardown functions."""
        try:
            if len(self._tokens) == 1:
                drive(leave(self, _active_exception(exc)))
        finally:
            self._unpush(exc)

    def _unpush(self, exc: BaseException | None) -> None:
        self._leave()
        if self._implied is not None and not self._tokens:
            implied, self._implied = self._implied, None
            implied.pop(exc)

    async def __aenter__(self) -> Self:
        self.push()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        # Not pop(), which waits for async teardown functions: here it would block the loop, or
        # wait for itself.
        self.plan = self.plan.on_loop or self.plan
        try:
            await leave(self, exc_value)
        finally:
            self._unpush(exc_value)

    def __repr__(self) -> str:
        request = self.request
        return f"<{type(self).__name__} {request.url!r} [{request.method}] of {self.app.name}>"


def decoded_path(path: str) -> str:
    """The text of a ``PATH_INFO``, which has its bytes decoded as latin-1 (PEP 3333)."""
    return path.encode("latin-1").decode("utf-8", "replace")


def _request_errors() -> TextIO | None:
    ctx = find_request_ctx()
    return None if ctx is None else ctx.environ["wsgi.errors"]


logging.find_request_errors = _request_errors


def after_this_request(f: vt.AfterRequestCallable[Any]) -> vt.AfterRequestCallable[Any]:
    """Call ``f(response)`` after the current request; it returns the response to send."""
    # In place: one of them may add another.
    _request_ctx_for("after_this_request")._after_request_functions.append(f)
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
        async with ctx.copy():
            return await f(*args, **kwargs)

    return update_wrapper(run_async if is_async(f) else run, f)  # type: ignore[return-value]


def _request_ctx_for(name: str) -> RequestContext:
    ctx = find_request_ctx()
    if ctx is None:
        raise RuntimeError(
            f"'{name}' can only be used while a request is handled, such as in a view function."
        )
    return ctx


def has_request_context() -> bool:
    """Whether ``request`` and ``session`` may be used now."""
    return find_request_ctx() is not None


def has_app_context() -> bool:
    """Whether ``current_app`` and ``g`` may be used now."""
    return _cv.get(None) is not None
