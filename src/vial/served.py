"""How servers call an app, and what it does at the start and the end of their workers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .callables import takes
from .compiled import Compiled
from .gateways import wsgi
from .sansio.scaffold import setupmethod

if TYPE_CHECKING:
    from .app import Vial
    from .life import Life

F = TypeVar("F", bound=Callable[..., Any])


@cache
def _asgi() -> Callable[..., Coroutine[Any, Any, None]]:
    from .gateways import asgi

    return asgi.handle


@cache
def _rsgi() -> Callable[..., Coroutine[Any, Any, None]]:
    from .gateways import rsgi

    return rsgi.handle


class Served(Compiled):
    """The part of :class:`~vial.Vial` that servers see."""

    #: What runs beside requests, once anything was registered for it.
    _life: Life | None = None

    def __call__(self, scope: Any, receive: Any = None, send: Any = None) -> Any:
        """Be a WSGI application (2 arguments), ASGI 3 (3), or ASGI 2 (1)."""
        if send is not None:
            return self.asgi_app(scope, receive, send)
        if receive is not None:
            return self.wsgi_app(scope, receive)
        return partial(self.asgi_app, scope)

    #: The WSGI entrance. Wrap it for middleware: ``app.wsgi_app = Middleware(app.wsgi_app)``.
    wsgi_app: Any = wsgi.handle

    def _own_wsgi_app(self) -> Any:
        """The WSGI entrance, where something was put around it: it then works on every gateway.

        That is the app itself if its class calls it in its own way, as WSGI servers do.
        """
        call = type(self).__call__
        if call is not Served.__call__ and not takes(call, 4):
            return self
        entrance: Any = self.wsgi_app
        while hasattr(entrance, "vial_passes_to"):  # it stands around the other entrances as well
            entrance = entrance.vial_passes_to
        return None if getattr(entrance, "__func__", None) is wsgi.handle else self.wsgi_app

    def _asgi_entrance(self) -> Any:
        """What an ASGI server is given: the app, unless only WSGI servers can call it."""
        return self.asgi_app if self._own_wsgi_app() is self else self

    def asgi_app(self, scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """The ASGI entrance. Wrap it for middleware as :attr:`wsgi_app`."""
        return _asgi()(self, scope, receive, send)

    def rsgi_app(self, scope: Any, protocol: Any) -> Coroutine[Any, Any, None]:
        """The RSGI entrance, for granian. Wrap it for middleware as :attr:`wsgi_app`."""
        return _rsgi()(self, scope, protocol)

    @property
    def __rsgi__(self) -> Callable[[Any, Any], Coroutine[Any, Any, None]]:
        # PERF: benchmarks/async_hello.py. granian asks once, when the program is loaded.
        is_ours = "rsgi_app" not in vars(self) and type(self).rsgi_app is Served.rsgi_app
        return partial(_rsgi(), self) if is_ours else self.rsgi_app

    def __rsgi_init__(self, loop: Any) -> None:
        asks_asgi = "asgi_app" in vars(self) or type(self).asgi_app is not Served.asgi_app
        if asks_asgi and "rsgi_app" not in vars(self) and self._own_wsgi_app() is None:
            raise RuntimeError(
                "Something was put around app.asgi_app, which a RSGI server does not call."
                " Run this app with granian --interface asgi, or wrap app.rsgi_app as well."
            )
        loop.run_until_complete(self._start_life())

    def __rsgi_del__(self, loop: Any) -> None:
        loop.run_until_complete(self._stop_life())

    # -- the life of a worker ------------------------------------------------------------------

    @setupmethod
    def on_startup(self, f: F) -> F:
        """Call a function, sync or async, once in each worker before its first request.

        ``current_app`` works in it. If it fails the worker does not start: under WSGI, which
        tells no start, the requests fail until a start succeeds.
        """
        self._get_life().startup.append(f)
        return f

    @setupmethod
    def on_shutdown(self, f: F) -> F:
        """Call a function, sync or async, once in each worker that was started, at its end; the
        last registered one first. Background work has ended then."""
        self._get_life().shutdown.append(f)
        return f

    @setupmethod
    def on_stopping(self, f: F) -> F:
        """Call a function when a worker of ``vial serve`` is told to stop, on its event loop, while
        requests in flight go on: it ends what would not end by itself, such as WebSockets."""
        self._get_life().stopping.append(f)
        return f

    def background(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function, sync or async, after the response was sent; outside of a request, now.

        It sees the request and the session as the view does, and has a ``g`` of its own. A
        failure is logged. A worker that stops waits ``BACKGROUND_GRACE`` seconds (10) for it.
        """
        from .life import in_background

        in_background(cast("Vial", self), self._get_life(), function, *args, **kwargs)

    def _get_life(self) -> Life:
        from .life import Life

        if self._life is None:
            self._life = Life(cast("Vial", self))
        return self._life

    async def _start_life(self) -> None:
        if self._life is not None:
            await self._life.start()

    async def _stop_life(self) -> None:
        if self._life is not None:
            await self._life.stop()
