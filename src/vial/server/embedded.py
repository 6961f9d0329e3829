"""granian inside this process, and the way it stops."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

from .entrance import ASGIApp, Entrance
from .lifespan import Lifespan
from .stopping import ForcedStop, StopOnSignals

#: Seconds that requests in flight get to finish once the server was told to stop. With the
#: clean-up that follows, everything is over within one second.
GRACE = 0.25


#: Bytes of a request's line and headers, above which the server answers 431; its default is 418 kB.
HEAD_LIMIT = 64 * 1024


class _Granian(Server):
    """granian's embedded server on a socket that is bound already.

    granian binds with SO_REUSEPORT on Linux, where a second server on the same port would start
    without an error and take half of the connections; and it cannot say which port 0 became.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, **options: Any) -> None:
        self._listener = listener
        host, port = listener.getsockname()[:2]
        super().__init__(
            app,
            host,
            port,
            # Lifespan is driven by lifespan.py: granian reports no failure to start.
            interface=Interfaces.ASGINL,
            http1_settings=HTTP1Settings(max_buffer_size=HEAD_LIMIT),
            log_level=LogLevels.error,
            # The default would reset every handler of the logging module.
            log_dictconfig={"incremental": True, "handlers": {}, "loggers": {}},
            **options,
        )

    def _init_shared_socket(self) -> None:
        # The Rust side closes the descriptor, so it must own it.
        holder: Any = SocketHolder
        self._shd = holder(self._listener.detach(), False, self.backlog)


class EmbeddedServer:
    """One ASGI application on one listening socket, in the calling thread.

    HTTP/1, HTTP/2 and WebSocket share the socket. In the main thread SIGINT and SIGTERM stop the
    server; in any other thread only :meth:`stop` does.

    :param app: an ASGI application; its lifespan is run if it has one.
    :param listener: a bound and listening TCP socket; the server takes it over and closes it.
    :param ssl_files: certificate and key, PEM.
    :param on_ready: called once connections are served.
    :param on_stopping: called on the event loop when the server begins to stop.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        ssl_files: tuple[str, str] | None = None,
        on_ready: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
    ) -> None:
        cert, key = (Path(name) for name in ssl_files) if ssl_files else (None, None)
        self._entrance = Entrance(app)
        self._lifespan = Lifespan(app)
        self._granian = _Granian(self._entrance, listener, ssl_cert=cert, ssl_key=key)
        self._listener = listener
        self._on_ready = on_ready
        self._on_stopping = on_stopping
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def run(self) -> None:
        """Serve until stopped; at return every connection is closed.

        :raises StartupError: when the application's lifespan startup fails.
        """
        asyncio.set_event_loop(self._loop)
        with self._listener, StopOnSignals(self.stop) as signals:
            try:
                with suppress(ForcedStop):
                    self._loop.run_until_complete(self._serve())
            finally:
                signals.stopped()
                self._close()

    def stop(self) -> None:
        """Ask the server to stop; from any thread, more than once, at any time."""
        with suppress(RuntimeError):  # the loop is closed: it did
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        stopping = asyncio.ensure_future(self._stop.wait())
        starting = asyncio.ensure_future(self._lifespan.startup())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return
        starting.result()
        serving = asyncio.ensure_future(self._granian.serve())
        # granian does not tell when it serves; it does so a few turns of the loop from here.
        done, _ = await asyncio.wait({serving}, timeout=0.01)
        if not done:
            self._on_ready()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            await self._drain(serving)
        await self._lifespan.shutdown()
        if serving.done():
            serving.result()

    async def _drain(self, serving: asyncio.Future[None]) -> None:
        self._on_stopping()
        await self._entrance.close_websockets()
        self._granian.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=GRACE)
        await self._entrance.cancel()
        # Only a client that never finished its request head is left; it goes with the process.
        await asyncio.wait({serving}, timeout=0.1)

    def _close(self) -> None:
        for worker in self._granian.wrks:  # none, unless the stop was forced
            worker.terminate()  # type: ignore[no-untyped-call]
        asyncio.set_event_loop(None)
        _close(self._loop)
        # granian's threads still let go of their Python objects. One that does so while the
        # interpreter shuts down prints a panic (seen in 3 % of exits on a busy machine).
        time.sleep(0.03)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End what still runs on the loop, without waiting for what does not want to end.

    :class:`asyncio.Runner` would wait for ever: for tasks that ignore their cancellation, and for
    the default executor's threads.
    """
    logging.getLogger("_granian").setLevel(logging.CRITICAL + 1)  # "application raised": we did
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=0.1))
    with suppress(TimeoutError):
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), 0.1))
    loop.close()
