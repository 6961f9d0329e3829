"""The app: what a program makes, registers its functions on and hands to a server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import update_wrapper
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn

from werkzeug.datastructures import ImmutableDict
from werkzeug.exceptions import BadRequestKeyError, HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect
from werkzeug.sansio.utils import get_host

from . import defaults, flow, helpers, plans
from .callables import is_async
from .ctx import AppContext, RequestContext
from .driver import drive
from .globals import _current_request_ctx, g
from .responses import to_response
from .sansio.scaffold import _sentinel
from .served import Served
from .signals import appcontext_tearing_down, request_started, request_tearing_down
from .teardown import tear_down
from .websockets import WebSocket
from .wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from jinja2 import Environment

    from .testing import FlaskClient, FlaskCliRunner

#: Host headers remembered as well formed; a client that makes them up fills no more than this.
_KNOWN_HOSTS = 1000


class Vial(Served):
    """A web application, with Flask's API.

    ``import_name`` is usually ``__name__``: templates and static files are found beside that
    module. One object is a WSGI and an ASGI application.
    """

    default_config: ClassVar[Any] = ImmutableDict(defaults.VIAL)
    request_class: type[Request] = Request
    response_class: type[Response] = Response
    #: What :data:`vial.websocket` is.
    websocket_class: type[WebSocket] = WebSocket

    def _has_own(self, *names: str) -> bool:
        return any(plans.has_own(self, name, Vial) for name in names)

    def _check_host(self, ctx: RequestContext) -> None:
        """Answer 400 to a Host header that is not a host (``VALIDATE_HOST``)."""
        host = ctx.host
        if host == "" and ctx.environ.get("SERVER_PROTOCOL") in ("HTTP/1.0", "HTTP/1"):
            # That version needs none, which granian tells by an empty one.
            del ctx.environ["HTTP_HOST"]
            return
        if host is not None and self.config.get("VALIDATE_HOST"):
            helpers.check_host(host)
        if len(self._known_hosts) < _KNOWN_HOSTS:
            self._known_hosts.add(host)

    # -- serving -----------------------------------------------------------------------------

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,
        load_dotenv: bool = True,
        **options: Any,
    ) -> None:
        """Serve the app for development until Ctrl-C: HTTP, WebSocket and Socket.IO on one port.

        By default on 127.0.0.1:5000, or where ``SERVER_NAME`` says. Ignored while the ``vial``
        command runs, which serves the app itself.
        """
        from .hints.running import warn_of_late_routes
        from .server import run

        warn_of_late_routes(sys._getframe(1))
        run(self, host, port, debug=debug, load_dotenv=load_dotenv, **options)

    # -- contexts ----------------------------------------------------------------------------

    def app_context(self) -> AppContext:
        """A context in which ``current_app`` and ``g`` work: ``with app.app_context(): …``."""
        return AppContext(self)

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """A context for the request of a WSGI environ."""
        return RequestContext(self, environ)

    def test_request_context(self, *args: Any, **kwargs: Any) -> RequestContext:
        """A context for a made-up request; takes what :class:`werkzeug.test.EnvironBuilder`
        takes: ``app.test_request_context("/path?x=1", method="POST", data={…})``."""
        from .testing import EnvironBuilder

        builder = EnvironBuilder(self, *args, **kwargs)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the URL map to a request; without one to ``SERVER_NAME``, or ``None``."""
        config = self.config
        if request is not None:
            return self._bind_to_request(request)
        if config["SERVER_NAME"] is None:
            return None
        return self.url_map.bind(
            config["SERVER_NAME"],
            script_name=config["APPLICATION_ROOT"],
            url_scheme=config["PREFERRED_URL_SCHEME"],
        )

    def _bind_to_request(self, request: Request) -> MapAdapter:
        trusted = self.config["TRUSTED_HOSTS"]
        if trusted is not None:
            request.trusted_hosts = trusted
        host = request.headers.get("Host")
        checked = get_host(request.scheme, host, request.server, request.trusted_hosts)
        vars(request)["host"] = checked
        server_name, subdomain = self.config["SERVER_NAME"], None
        if self.url_map.host_matching:
            server_name = None  # given, it would be matched instead of the request's
        elif not self.subdomain_matching:
            subdomain = self.url_map.default_subdomain or ""
        return self.url_map.bind_to_environ(
            request.environ, server_name=server_name, subdomain=subdomain
        )

    # -- the steps of a request, for apps that override one ------------------------------------

    def full_dispatch_request(self) -> Response:
        """Handle the current request, HTTP errors and handled exceptions included."""
        ctx = self._ctx()
        self._start()
        try:
            self._begin(ctx)
            rv = self.preprocess_request()
            if rv is None:
                rv = self.dispatch_request()
        except Exception as e:
            rv = self.handle_user_exception(e)
        ctx.view_args = ctx.request.view_args
        return self.finalize_request(rv)

    def _begin(self, ctx: RequestContext) -> None:
        self._start()
        if ctx.plan.builds:
            self._build(ctx)
        if request_started.receivers:
            request_started.send(self, _async_wrapper=self.ensure_sync)

    def _build(self, ctx: RequestContext) -> None:
        """Make what classes of the application's own want to see of every request."""
        for name in ctx.plan.builds:
            getattr(ctx, name)

    def preprocess_request(self) -> Any:
        """Run URL value preprocessors and before functions; a value answers the request."""
        ctx = self._ctx()
        self._build(ctx)
        return drive(flow.preprocess(ctx))

    def dispatch_request(self) -> Any:
        """Call the view of the current request and return what it returns."""
        ctx = self._ctx()
        ctx._follow_request()
        if ctx.routing_exception is not None:
            self.raise_routing_exception(ctx.request)
        return ctx.plan.view(**ctx.view_args)  # type: ignore[arg-type]

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Raise why no rule matched; in debug mode explain a redirect that would lose a form."""
        error = request.routing_exception
        assert error is not None
        if (
            self.debug
            and isinstance(error, RequestRedirect)
            and error.code not in {307, 308}
            and request.method not in {"GET", "HEAD", "OPTIONS"}
        ):
            from .debughelpers import FormDataRoutingRedirect

            raise FormDataRoutingRedirect(request)
        raise error

    def handle_http_exception(self, e: HTTPException) -> Any:
        """What the handlers make of an HTTP error; the error itself where there is none."""
        return drive(flow.http_exception(self._ctx(), e))

    def handle_user_exception(self, e: Exception) -> Any:
        """What the handlers make of an exception; raised again where there is none for it."""
        rv = drive(flow.user_exception(self._ctx(), e))
        if rv is not flow.UNHANDLED:
            return rv
        try:
            raise e
        finally:
            del e  # its traceback has this frame: leave the collector nothing

    def handle_exception(self, e: Exception) -> Response:
        """Answer 500 to an exception that nothing handled, or raise it
        (``PROPAGATE_EXCEPTIONS``)."""
        return drive(flow.unhandled(self._ctx(), e))

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:
        """Make the response and run what comes after the view."""
        return drive(flow.finalize(self._ctx(), rv, from_error_handler))

    def process_response(self, response: Response) -> Response:
        """Run the after functions and save the session."""
        return drive(flow.process(self._ctx(), response))

    def do_teardown_request(self, exc: Any = _sentinel) -> None:
        """Run the teardown functions of the current request."""
        functions = self._ctx().plan.teardown
        drive(tear_down(self, functions, request_tearing_down, _error(exc)))

    def do_teardown_appcontext(self, exc: Any = _sentinel) -> None:
        """Run the teardown functions of the current app context."""
        functions = tuple(map(self.ensure_sync, reversed(self.teardown_appcontext_funcs)))
        drive(tear_down(self, functions, appcontext_tearing_down, _error(exc)))

    def _propagates(self) -> bool:
        """Whether an exception that nothing handles is raised to the server or the test."""
        propagate = self.config["PROPAGATE_EXCEPTIONS"]
        return bool(self.testing or self.debug if propagate is None else propagate)

    def _explain(self, e: Exception) -> None:
        """Add what is known of the cause: notes, and in debug mode words on the error's page."""
        from .hints.explain import explain
        from .hints.http import explain_http

        if isinstance(e, BadRequestKeyError):
            e.show_exception = self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"]
        if isinstance(e, HTTPException) and self.debug:
            explain_http(self, e)
        explain(self, e)

    async def _own_user_exception(self, ctx: RequestContext, e: Exception) -> Any:
        return await self._by_method(ctx, self.handle_user_exception, e)

    async def _own_unhandled(self, ctx: RequestContext, e: Exception) -> Response:
        return await self._by_method(ctx, self.handle_exception, e)  # type: ignore[no-any-return]

    async def _by_method(
        self, ctx: RequestContext, method: Callable[[Exception], Any], e: Exception
    ) -> Any:
        """Let a method of the application's own handle an error: on a loop, in the worker pool,
        where it may call the methods of the class."""
        plan = ctx.plan
        if not plan.is_async:
            return method(e)
        ctx.plan = self._plan_of(ctx.url_rule, ctx.environ["REQUEST_METHOD"])
        try:
            return await plan.lane(method)(e)
        finally:
            ctx.plan = plan

    def _ctx(self) -> RequestContext:
        return _current_request_ctx()

    def log_exception(self, exc_info: Any) -> None:
        """Log an exception that nothing handled, with the request line."""
        request = self._ctx().request
        path = request.path
        if not path.isprintable():  # it could write lines of its own into the log
            path = ascii(path)[1:-1]
        self.logger.error(f"Exception on {path} [{request.method}]", exc_info=exc_info)

    def make_default_options_response(self) -> Response:
        """What OPTIONS answers: the methods of the URL in ``Allow``."""
        adapter = self._ctx().url_adapter
        assert adapter is not None
        rv = self.response_class()
        rv.allow.update(adapter.allowed_methods())
        return rv

    def make_response(self, rv: Any) -> Response:
        """Turn what a view may return into a response object.

        :raises TypeError: naming the endpoint, what it returned and what it may return.
        """
        return to_response(self, rv)

    def _checked_response(self, function: Callable[..., Any], rv: Any) -> Response:
        if rv is None:
            raise TypeError(
                f"The after_request function {getattr(function, '__name__', function)!r} returned"
                " None."
                " It takes the response and returns it, or another one."
            )
        return rv  # type: ignore[no-any-return]

    def _refreshes_session(self, ctx: RequestContext) -> bool:
        # A permanent session is sent again with every response, whether it was used or not.
        interface = self.session_interface
        may_refresh = getattr(interface, "may_refresh", None)
        return may_refresh is not None and may_refresh(self, ctx.environ["HTTP_COOKIE"])

    # -- sync and async ----------------------------------------------------------------------

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that can be called without ``await``: itself, if it is not async."""
        return self.async_to_sync(func) if is_async(func) else func

    def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        """Wrap an async function: a call runs it on the long-lived loop of the process and waits.

        Not to be called on that loop itself.
        """
        from .concurrency import run_on_loop

        def call(*args: Any, **kwargs: Any) -> Any:
            return run_on_loop(func(*args, **kwargs))

        return update_wrapper(call, func)

    # -- URLs, files, templates ----------------------------------------------------------------

    def url_for(
        self,
        /,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: Any,
    ) -> str:
        """Build the URL of an endpoint; see :func:`vial.url_for`."""
        return helpers.build_url(self, endpoint, values, _anchor, _method, _scheme, _external)

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Seconds that a browser may keep a file; ``SEND_FILE_MAX_AGE_DEFAULT``, by default it
        asks each time."""
        value = self.config["SEND_FILE_MAX_AGE_DEFAULT"]
        if isinstance(value, timedelta):
            return int(value.total_seconds())
        return value  # type: ignore[no-any-return]

    def send_static_file(self, filename: str) -> Response:
        """Answer with a file of the static folder."""
        return helpers.send_static_file(self, filename)

    def open_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = None
    ) -> IO[Any]:
        """Open a file beside the app's module for reading."""
        return helpers.open_for_reading(self.root_path, resource, mode, encoding)

    def open_instance_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> IO[Any]:
        """Open a file of the instance folder, also for writing."""
        path = os.path.join(self.instance_path, resource)
        return open(path, mode) if "b" in mode else open(path, mode, encoding=encoding)

    def create_jinja_environment(self) -> Environment:
        """Make the Jinja environment; :attr:`jinja_env` calls it once."""
        from .templating import create_environment

        return create_environment(self)

    def update_template_context(self, context: dict[str, Any]) -> None:
        """Add what the context processors return; what the caller passed wins."""
        helpers.update_template_context(self, context)

    def make_shell_context(self) -> dict[str, Any]:
        """The names that the shell starts with."""
        rv: dict[str, Any] = {"app": self, "g": g}
        for processor in self.shell_context_processors:
            rv.update(processor())
        return rv

    # -- tests ---------------------------------------------------------------------------------

    def test_client(self, use_cookies: bool = True, **kwargs: Any) -> FlaskClient:
        """A client that calls the app without a server."""
        from .testing import FlaskClient

        cls = self.test_client_class or FlaskClient
        return cls(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: Any) -> FlaskCliRunner:
        """A runner that calls the app's commands in this process."""
        from .testing import FlaskCliRunner

        cls = self.test_cli_runner_class or FlaskCliRunner
        return cls(self, **kwargs)


def _error(exc: Any) -> BaseException | None:
    return sys.exc_info()[1] if exc is _sentinel else exc
