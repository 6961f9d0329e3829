"""granian inside this process, and the way it stops."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

from .entrance import ASGIApp, Entrance, ForcedStop
from .lifespan import Lifespan

#: Seconds that requests in flight get to finish once the server was told to stop. With the
#: clean-up that follows, everything is over within one second.
GRACE = 0.3
#: Seconds after which a stop that hangs, because a view blocks the loop, is forced.
FORCE_AFTER = 0.7


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
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        ssl_files: tuple[str, str] | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        cert, key = (Path(name) for name in ssl_files) if ssl_files else (None, None)
        self._entrance = Entrance(app)
        self._lifespan = Lifespan(app)
        self._granian = _Granian(self._entrance, listener, ssl_cert=cert, ssl_key=key)
        self._listener = listener
        self._on_ready = on_ready
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def run(self) -> None:
        """Serve until stopped; at return every connection is closed.

        :raises StartupError: when the application's lifespan startup fails.
        """
        asyncio.set_event_loop(self._loop)
        try:
            with self._listener, _StopOnSignals(self.stop), suppress(ForcedStop):
                self._loop.run_until_complete(self._serve())
        finally:
            asyncio.set_event_loop(None)
            _close(self._loop)

    def stop(self) -> None:
        """Ask the server to stop; from any thread, more than once, at any time."""
        with suppress(RuntimeError):  # the loop is closed: it did
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        await self._lifespan.startup()
        serving = asyncio.ensure_future(self._granian.serve())
        stopping = asyncio.ensure_future(self._stop.wait())
        # granian does not tell when it serves; it does so a few turns of the loop from here.
        done, _ = await asyncio.wait({serving}, timeout=0.01)
        if not done:
            self._on_ready()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not serving.done():
            await self._drain(serving)
        await self._lifespan.shutdown()
        if serving.done():
            serving.result()

    async def _drain(self, serving: asyncio.Future[None]) -> None:
        await self._entrance.close_websockets()
        self._granian.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=GRACE)
        await self._entrance.cancel()
        # Only a client that never finished its request head is left; it goes with the process.
        await asyncio.wait({serving}, timeout=0.1)


class _StopOnSignals:
    """In the main thread, makes SIGINT and SIGTERM call ``stop`` and forces what does not stop.

    ``loop.add_signal_handler()`` would not do: its callbacks wait for the view that blocks the
    loop, while this handler interrupts it.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._asked = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        with self._lock:  # no forced signal is on its way any more
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self._over.is_set():
            return
        if self._asked:
            raise ForcedStop
        self._asked = True
        self._stop()
        threading.Thread(target=self._force, args=(number,), daemon=True).start()

    def _force(self, number: int) -> None:
        wait = FORCE_AFTER
        while not self._over.wait(wait):
            with self._lock:
                if not self._over.is_set():
                    _signal_main_thread(number)
            wait = 0.1


def _signal_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End what still runs on the loop, without waiting for what does not want to end.

    :class:`asyncio.Runner` would wait for ever: for tasks that ignore their cancellation, and for
    the default executor's threads.
    """
    logging.getLogger("_granian").setLevel(logging.CRITICAL + 1)  # "application raised": we did
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with suppress(ForcedStop):
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=0.1))
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), 0.1))
    loop.close()
