"""Clients for tests: requests without a server, commands without a process.

:class:`FlaskClient` speaks WSGI to the app, so sync and async views are reached alike. Names and
behaviour are those of Flask 3.1.3; the machinery underneath is Werkzeug's test client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import werkzeug.test
from click.testing import CliRunner, Result
from werkzeug.wrappers import Request as BaseRequest

from .cli import ScriptInfo
from .globals import _under_test

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers
    from werkzeug.test import TestResponse

    from .app import Vial
    from .sessions import SessionMixin
    from .testing_websockets import WebSocketSession

__all__ = ["EnvironBuilder", "FlaskCliRunner", "FlaskClient"]


class EnvironBuilder(werkzeug.test.EnvironBuilder):
    """A WSGI environ for ``app``: Werkzeug's builder, with host, root and scheme taken from the
    app's ``SERVER_NAME``, ``APPLICATION_ROOT`` and ``PREFERRED_URL_SCHEME``.

    :param path: the path, or a whole URL, to request.
    :param base_url: where the app is mounted; excludes ``subdomain`` and ``url_scheme``.
    :param subdomain: put in front of ``SERVER_NAME``.
    :param args: and ``kwargs``: as :class:`werkzeug.test.EnvironBuilder`.
    :raises AssertionError: for ``base_url`` together with ``subdomain`` or ``url_scheme``.
    """

    def __init__(
        self,
        app: Vial,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if base_url is None:
            base_url, path = _resolve_url(app, path, subdomain, url_scheme)
        elif subdomain or url_scheme:
            # Flask asserts; programs may expect that type.
            raise AssertionError(
                "base_url already names the host and the scheme: give either base_url, or"
                " subdomain and url_scheme."
            )
        self.app = app
        super().__init__(path, base_url, *args, **kwargs)

    def json_dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialize ``obj`` as the app's JSON provider does."""
        return self.app.json.dumps(obj, **kwargs)


def _resolve_url(
    app: Vial, path: str, subdomain: str | None, url_scheme: str | None
) -> tuple[str, str]:
    url = urlsplit(path)
    host = app.config.get("SERVER_NAME") or "localhost"
    if subdomain:
        host = f"{subdomain}.{host}"
    scheme = url.scheme or url_scheme or app.config["PREFERRED_URL_SCHEME"]
    root = app.config["APPLICATION_ROOT"].lstrip("/")
    target = f"{url.path}?{url.query}" if url.query else url.path
    return f"{scheme}://{url.netloc or host}/{root}", target


@cache
def _user_agent() -> str:
    return f"Werkzeug/{version('werkzeug')}"


class FlaskClient(werkzeug.test.Client):
    """Requests to ``app`` without a server; made by :meth:`vial.Vial.test_client`.

    In a ``with`` block the context of the last request stays open, so ``request``, ``session``
    and ``g`` can be looked at afterwards; it is closed by the next request or the end of the block.
    ``environ_base`` holds WSGI variables that every request starts with.
    """

    application: Vial

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preserve_context = False
        self._new_contexts: list[AbstractContextManager[Any]] = []
        self._kept_contexts = ExitStack()
        self.environ_base: dict[str, Any] = {
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_USER_AGENT": _user_agent(),
        }

    @contextmanager
    def session_transaction(self, *args: Any, **kwargs: Any) -> Iterator[SessionMixin]:
        """The session that the next request will see, open for reading and writing; it is saved
        at the end of the ``with`` block.

        Arguments are those of :meth:`vial.Vial.test_request_context`: a session may depend on
        the request.

        :raises TypeError: when the client has no cookies.
        :raises RuntimeError: when the session interface opened no session.
        """
        if self._cookies is None:
            raise TypeError("This client keeps no cookies: make it with 'use_cookies=True'.")
        app = self.application
        context = app.test_request_context(*args, **kwargs)
        self._add_cookies_to_wsgi(context.request.environ)
        with context:
            session = app.session_interface.open_session(app, context.request)
        if session is None:
            raise RuntimeError("The session interface did not open a session.")
        yield session
        response = app.response_class()
        if app.session_interface.is_null_session(session):
            return
        with context:
            app.session_interface.save_session(app, session, response)
        self._update_cookies_from_response(
            context.request.host.partition(":")[0],
            context.request.path,
            response.headers.getlist("Set-Cookie"),
        )

    def open(
        self,
        *args: Any,
        buffered: bool = False,
        follow_redirects: bool = False,
        **kwargs: Any,
    ) -> TestResponse:
        """Make one request. Takes what :class:`EnvironBuilder` takes, or such a builder, a WSGI
        environ or a request object as the only argument.

        :param buffered: read the whole body and close the response at once.
        :param follow_redirects: until an answer is no redirect.
        """
        request = self._request_from_builder_args(args, kwargs)
        self._kept_contexts.close()
        token = _under_test.set(True)
        try:
            response = super().open(request, buffered=buffered, follow_redirects=follow_redirects)
        except BaseException:
            self._new_contexts.clear()  # they do not belong to the next request
            raise
        finally:
            _under_test.reset(token)
        response.json_module = cast(Any, self.application.json)
        for context in self._new_contexts:
            self._kept_contexts.enter_context(context)
        self._new_contexts.clear()
        if self.application._life is not None:
            self.application._life.end_held()
        return response

    def websocket(
        self, path: str = "/", *, subprotocols: Iterable[str] = (), **kwargs: Any
    ) -> WebSocketSession:
        """Open a WebSocket: ``with client.websocket("/ws") as ws: …``, or ``async with``.

        :param path: and ``kwargs`` (``headers``, ``query_string``, …): as :class:`EnvironBuilder`.
        :param subprotocols: those that the client speaks, best first.
        :raises WebSocketRefused: in the ``with``, when the app does not accept it.
        """
        from .testing_websockets import WebSocketSession

        kwargs["environ_base"] = {**self.environ_base, **kwargs.get("environ_base", {})}
        builder = EnvironBuilder(self.application, path, **kwargs)
        try:
            environ = builder.get_environ()
        finally:
            builder.close()
        self._add_cookies_to_wsgi(environ)
        return WebSocketSession(self, environ, subprotocols)

    def _keep_cookies(self, environ: WSGIEnvironment, headers: Headers) -> None:
        if self._cookies is not None:
            host = environ["HTTP_HOST"].partition(":")[0]
            path = environ["PATH_INFO"] or "/"
            self._update_cookies_from_response(host, path, headers.getlist("Set-Cookie"))

    def _request_from_builder_args(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> BaseRequest:
        source = args[0] if args else None
        if isinstance(source, werkzeug.test.EnvironBuilder):
            builder = copy(source)
            builder.environ_base = self._copy_environ(builder.environ_base or {})
            return builder.get_request()
        if isinstance(source, dict):
            return EnvironBuilder.from_environ(
                source, app=self.application, environ_base=self._copy_environ({})
            ).get_request()
        if isinstance(source, BaseRequest):
            request = copy(source)
            request.environ = self._copy_environ(request.environ)
            return request
        kwargs["environ_base"] = self._copy_environ(kwargs.get("environ_base", {}))
        builder = EnvironBuilder(self.application, *args, **kwargs)
        try:
            return builder.get_request()
        finally:
            builder.close()

    def _copy_environ(self, environ: Mapping[str, Any]) -> WSGIEnvironment:
        merged = {**self.environ_base, **environ}
        if self.preserve_context:
            # The WSGI gateway calls this with each context that the request opened (Flask 3.1.3).
            keep: Callable[[AbstractContextManager[Any]], None] = self._new_contexts.append
            merged["werkzeug.debug.preserve_context"] = keep
        return merged

    def __enter__(self) -> FlaskClient:
        if self.preserve_context:
            raise RuntimeError(
                "This client is already in a 'with' block. Make a second client for the inner one."
            )
        self.preserve_context = True
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.preserve_context = False
        self._kept_contexts.close()


class FlaskCliRunner(CliRunner):
    """Runs the app's commands in this process; made by :meth:`vial.Vial.test_cli_runner`."""

    def __init__(self, app: Vial, **kwargs: Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    def invoke(  # type: ignore[override]
        self, cli: Any = None, args: Any = None, **kwargs: Any
    ) -> Result:
        """Run a command and return its :class:`click.testing.Result`.

        :param cli: a click command; the app's own command group by default.
        :param args: the words after the command, as a list or one string.
        :param kwargs: as :meth:`click.testing.CliRunner.invoke`; ``obj`` defaults to a
            :class:`~vial.cli.ScriptInfo` that loads this app.
        """
        kwargs.setdefault("obj", ScriptInfo(create_app=lambda: self.app))
        return super().invoke(self.app.cli if cli is None else cli, args, **kwargs)
