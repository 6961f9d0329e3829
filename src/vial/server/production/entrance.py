"""What granian calls in a worker: the app, behind what the server itself has to do.

Nothing of that is done for a request that is not logged, counted or one of the last.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

from .access import Log, access_log
from .visits import AsgiVisit, RsgiProtocol, RsgiVisit, WsgiVisit

if TYPE_CHECKING:
    from ...app import Vial
    from .draining import Draining
    from .settings import Settings

#: By how much the number of requests after which a worker is replaced differs between workers.
JITTER = 0.1


class Entrance:
    """An application of the interface that the worker serves by.

    :param on_limit: called when the worker has answered as many requests as it should.
    """

    def __init__(
        self,
        app: Vial,
        interface: str,
        settings: Settings,
        draining: Draining,
        on_limit: Callable[[], None],
    ) -> None:
        self._app = app
        self._draining = draining
        self._health = settings.health
        self._log: Log | None = access_log(settings.access_log)
        self._limit, self._on_limit = _jittered(settings.max_requests), on_limit
        self._numbers = count(1)
        #: Whether requests need more than the app.
        self._is_busy = bool(settings.health or settings.access_log or settings.max_requests)
        draining.on_begin = self._begin_draining
        self.__rsgi__ = self._rsgi(app.__rsgi__)
        self._call = self._wsgi(app) if interface == "wsgi" else self._asgi(app._asgi_entrance())

    def _begin_draining(self) -> None:
        # From now on each answer says that the connection is closed after it.
        self._is_busy = True

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def start_in_thread(self) -> None:
        """Run what the app registered for its start, where there is no loop."""
        if self._app._life is not None:
            self._app._life.start_in_thread()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what the app registered for its start; granian calls this."""
        self._app.__rsgi_init__(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what the app registered for its end."""
        self._app.__rsgi_del__(loop)

    def _health_status(self, path: str) -> int | None:
        """The status of an answer that the app is not asked for."""
        if path != self._health:
            return None
        return 503 if self._draining.is_begun else 200

    def _count(self) -> None:
        """Note a request; ``next()`` of a counter is one step, also among threads."""
        if self._limit is not None and next(self._numbers) == self._limit:
            self._on_limit()

    def _visit(self, kind: type[Any], scope: Any) -> Any:
        """What goes with a request that needs more than the app."""
        self._count()
        return kind(scope, self._log, self._draining.is_begun)

    def _rsgi(self, app: Any) -> Any:
        def call(scope: Any, protocol: Any) -> Coroutine[Any, Any, None]:
            if not self._is_busy or scope.proto != "http":
                return app(scope, protocol)  # type: ignore[no-any-return]
            return answer(scope, protocol)

        async def answer(scope: Any, protocol: Any) -> None:
            status = self._health_status(scope.path)
            visit = self._visit(RsgiVisit, scope)
            if status is not None:
                wrapped = RsgiProtocol(protocol, visit)
                wrapped.response_bytes(status, list(_HEADERS), _BODIES[status])
                return
            try:
                await app(scope, RsgiProtocol(protocol, visit))
            finally:
                visit.end()

        return call

    def _asgi(self, app: Any) -> Any:
        def call(scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
            if not self._is_busy or scope["type"] != "http":
                return app(scope, receive, send)  # type: ignore[no-any-return]
            return answer(scope, receive, send)

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            status = self._health_status(scope["path"])
            visit = self._visit(AsgiVisit, scope)
            if status is not None:
                headers = [(name.encode(), value.encode()) for name, value in _HEADERS]
                start = {"type": "http.response.start", "status": status, "headers": headers}
                await visit.sending(send)(start)
                await send({"type": "http.response.body", "body": _BODIES[status]})
                return
            try:
                await app(scope, receive, visit.sending(send))
            finally:
                visit.end()

        return call

    def _wsgi(self, app: Any) -> Any:
        def call(environ: Any, start_response: Any) -> Iterable[bytes]:
            if not self._is_busy:
                return app(environ, start_response)  # type: ignore[no-any-return]
            status = self._health_status(environ["PATH_INFO"])
            visit = self._visit(WsgiVisit, environ)
            if status is not None:
                line = "200 OK" if status == 200 else "503 Service Unavailable"
                visit.starting(start_response)(line, list(_HEADERS))
                return [_BODIES[status]]
            return visit.run(app, environ, start_response)  # type: ignore[no-any-return]

        return call


_HEADERS = (("content-type", "text/plain"), ("cache-control", "no-store"))
_BODIES = {200: b"ok\n", 503: b"stopping\n"}


def _jittered(limit: int | None) -> int | None:
    """Workers that were started together are not replaced together."""
    if limit is None:
        return None
    return limit + random.randint(0, int(limit * JITTER))  # noqa: S311 - no secret
