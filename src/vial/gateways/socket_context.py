"""The context of a WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException

from ..ctx import RequestContext
from ..flow import process
from ..lazy import lazy
from .origins import check_origin

if TYPE_CHECKING:
    from ..app import Vial
    from ..flow import Plan
    from ..wrappers import Request, Response
    from .connection import Channel
    from .socket_plan import SocketPlan

_NO_HEADERS = (
    "granian 2.8 sends no headers when it accepts a WebSocket. Send them with a response to an"
    " ordinary request, or serve the app by Uvicorn or Hypercorn."
)
_NO_SUBPROTOCOLS = (
    "granian's RSGI names no subprotocol when it accepts a WebSocket. Serve the app by ASGI:"
    " 'vial serve --interface asgi'."
)


class SocketContext(RequestContext):
    """A WebSocket is being handled: ``websocket`` works, and ``request``, which is the same object,
    ``session`` and ``g``."""

    _is_websocket = True
    plan: SocketPlan
    #: What nothing handled.
    failure: Exception | None = None

    def __init__(self, app: Vial, channel: Channel) -> None:
        super().__init__(app, None)
        self.channel = channel
        hosts = channel.header(b"host")
        # A comma is in no host name: two of them are a 400 (RFC 9112 §3.2).
        self.host = None if not hosts else "," if len(hosts) > 1 else hosts[0].decode("latin-1")
        self.sends_cookies = bool(channel.header(b"cookie"))

    @lazy
    def environ(self) -> dict[str, Any]:
        return self.channel.environ

    @lazy
    def request(self) -> Request:
        websocket = self.app.websocket_class(self.channel)
        websocket.url_rule, websocket.view_args = self.url_rule, self.view_args
        websocket.routing_exception = self.routing_exception  # type: ignore[assignment]
        return websocket

    @property
    def propagates(self) -> bool:
        """Whether an exception that nothing handled is raised to the server, as tests want it."""
        config = self.app.config
        propagates = config["PROPAGATE_EXCEPTIONS"]
        return bool(config["TESTING"] if propagates is None else propagates)

    def _match(self, path: str, method: str) -> None:
        app = self.app
        try:
            if app.config["TRUSTED_HOSTS"] is not None:
                self.url_adapter  # noqa: B018 - refuses a Host that is not in the list
            elif self.host not in app._known_hosts:
                app._check_host(self)
            check_origin(app, self.channel, self.host)
            matcher = app._matcher or app._make_matcher()
            rule, self.view_args = matcher.match(path, method, self._adapter, websocket=True)
            self.url_rule = rule
            self.plan = app._socket_plan(rule.endpoint).on_loop
        except Exception as e:
            # Its traceback has this frame, and this object has it: leave the collector nothing.
            self.routing_exception = e.with_traceback(None) if isinstance(e, HTTPException) else e
            self.plan = app._socket_plan(None).on_loop

    def _follow_request(self) -> None:
        """The rule of a WebSocket is what matched."""

    def copy(self) -> RequestContext:
        rule = self.url_rule
        return _Copy(self, self.app._socket_plan(None if rule is None else rule.endpoint))

    async def accept(self, subprotocol: str | None, headers: Any) -> None:
        """Accept the handshake, with the session's cookie and what ``after_this_request()`` was
        given."""
        await self.channel.begin()
        if headers and not self.channel.has_headers:
            raise RuntimeError(_NO_HEADERS)
        if subprotocol is not None and not self.channel.has_subprotocols:
            raise RuntimeError(_NO_SUBPROTOCOLS)
        response = self.app.response_class(status=101)
        response.headers.clear()
        response.headers.extend(headers or ())
        if self.after_functions or self.opened_session or self.sends_cookies:
            response = await process(self, response)
            self.after_functions = ()
        await self.channel.accept(subprotocol, response.headers.to_wsgi_list())
        if self.opened_session and self._session.modified:
            if not self.channel.has_headers:
                self._tell_lost(response, "while its WebSocket was accepted")
            self._session.modified = False

    def save_late(self) -> None:
        """Save a session that was changed since the WebSocket was accepted, where that works."""
        if not self.opened_session or not self._session.modified:
            return
        interface, response = self.app.session_interface, self.app.response_class()
        if not interface.is_null_session(self._session):
            interface.save_session(self.app, self._session, response)
            self._tell_lost(response, "after its WebSocket was accepted")

    def _tell_lost(self, response: Response, when: str) -> None:
        if "Set-Cookie" in response.headers:
            self.app.logger.warning(
                "A session was changed %s, when no cookie could be sent: the change is lost."
                " Change sessions in views for HTTP: after websocket.accept() it is too late, and"
                " granian 2.8 sends no cookies with it.",
                when,
            )


class _Copy(RequestContext):
    """The same WebSocket in another thread or task."""

    _is_websocket = True

    def __init__(self, ctx: RequestContext, plan: Plan) -> None:
        super().__init__(ctx.app, ctx.environ, ctx.request, ctx._session)
        self.plan = plan

    def match_request(self) -> None:
        """It has matched."""

    def _follow_request(self) -> None:
        """As there."""

    def copy(self) -> RequestContext:
        return _Copy(self, self.plan)
