"""What gateways with an event loop share: the context, and the way of a request through it."""

from __future__ import annotations

from collections.abc import Awaitable
from io import BytesIO
from typing import IO, Any

from ..bodies import BrokenBody
from ..concurrency import PoolSaturated, run_in_pool, worker_pool
from ..ctx import RequestContext
from ..driver import begin, drive, go_on
from ..flow import run
from ..globals import _cv
from ..lazy import lazy
from ..signals import appcontext_pushed
from ..wrappers import Response
from . import methods
from .body import is_stream, open_body, receive_body
from .calling import called
from .environ import from_scope
from .leaving import until_left
from .over_limit import LateBody
from .sending import respond


class LoopContext(RequestContext):
    """A request that came on an event loop; its WSGI environ is made when something asks.

    A gateway's own class sets ``host``, ``sends_cookies`` and what follows.
    """

    content_length: str | None
    chunked: bool
    http_version: Any
    #: The request as an ASGI scope.
    scope: Any
    outlet: Any
    #: Whether a part of the body was not received.
    is_open = False
    #: Of :func:`.leaving.leaving`, once somebody asked.
    leaving: Any = None

    def send_whole(
        self, status: int, headers: list[tuple[str, str]], body: bytes, is_ascii: bool = False
    ) -> Awaitable[None] | None:
        """Send a response with all of its body; what to wait for, if anything.

        :param is_ascii: the headers are, and are those of many responses.
        """
        raise NotImplementedError

    @lazy
    def body(self) -> tuple[IO[bytes], int | None]:
        """The body and its length, where there is one; the gateway sets it."""
        return BytesIO(), None

    @lazy
    def environ(self) -> dict[str, Any]:
        return from_scope(self.scope, *self.body)

    def copy(self) -> RequestContext:
        return RequestContext(self.app, self.environ, self.request, self._session)


async def serve(ctx: LoopContext, path: str, method: str) -> None:
    """Read the body of a request, answer it, and send the response."""
    # PERF: benchmarks/async_hello.py: a step that has nothing to do is not called.
    app, body = ctx.app, None
    if app._life is not None and not app._life.is_started:
        await app._life.start()
    announced = ctx.content_length is not None or ctx.chunked
    # Only HTTP/2 and 3 have bodies that no header announces.
    if announced or (method not in ("GET", "HEAD") and ctx.http_version >= "2"):
        is_late = app._has_streams and is_stream(app, path, method)
        body = ctx.body = await (open_body if is_late else receive_body)(ctx)
        ctx.is_open = isinstance(body[0], (BrokenBody, LateBody))
    try:
        response: Any
        if (app._way or app._find_way()) != "plans" and not _is_proxied(ctx):
            response = await _in_another_way(ctx)
        else:
            token = _cv.set(ctx)
            try:
                if appcontext_pushed.receivers:
                    ctx._pushed()
                ctx._match(path, method)
                on_loop = ctx.plan.on_loop
                if on_loop is None:
                    response = await _in_pool(ctx)
                else:
                    ctx.plan = on_loop
                    driver, response = begin(run(ctx))
                    if driver is not None:
                        response = await _rest(ctx, driver, response)
            finally:
                _cv.reset(token)
        if response is not None:  # the client is there
            sending = respond(ctx, response, method)
            if sending is not None:
                await sending
    finally:
        if ctx.leaving:
            ctx.leaving.cancel()
        if body is not None and type(body[0]) is not BytesIO:
            body[0].close()  # a temporary file


def _is_proxied(ctx: LoopContext) -> bool:
    """Whether it goes by plans after all, now that it is what its proxies say."""
    proxies = ctx.app._proxies()
    if proxies is not None and ctx.app._way != "wsgi":  # that entrance looks for itself
        ctx.environ = proxies.believed(ctx.environ)
        ctx.host = ctx.environ.get("HTTP_HOST")
    return ctx.app._way == "proxied"


async def _in_another_way(ctx: LoopContext) -> Response:
    app = ctx.app
    if app._way == "wsgi":
        return await run_in_pool(called, app._own_wsgi_app(), ctx.environ)
    return await run_in_pool(
        methods.answer, app, ctx.environ, lambda response: called(response, ctx.environ)
    )


async def _in_pool(ctx: LoopContext) -> Response:
    try:
        worker_pool().check()
    except PoolSaturated:
        return ctx.app.response_class("Busy\n", 503, {"Retry-After": "1"}, "text/plain")
    return await run_in_pool(_run_sync, ctx)


def _run_sync(ctx: LoopContext) -> Response:
    return drive(run(ctx))


async def _rest(ctx: LoopContext, driver: Any, waits_for: Any) -> Response | None:
    if ctx.is_open:  # no sign of the client's leaving: more of the body may come
        return await go_on(driver, waits_for)  # type: ignore[no-any-return]
    return await until_left(ctx, driver, waits_for)  # type: ignore[no-any-return]
