"""granian in a worker process: one of its workers, without the parent that it has otherwise.

granian 2.8's own parent ends all workers when one is killed twice within 5.5 seconds, replaces
them after a fixed time whether or not the new one works, and closes connections that are in use.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import granian._signals
from granian._granian import WorkerSignal
from granian.constants import HTTPModes, Interfaces, RuntimeModes, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.mp import MPServer

from ..embedded import HEAD_LIMIT

if TYPE_CHECKING:
    from .draining import Draining
    from .entrance import Entrance
    from .worker import Job

#: Connections that one worker serves at a time; granian's default, 1,024 for all workers together,
#: counts every WebSocket. What they may hold is bounded elsewhere.
_CONNECTIONS = 30_000


class _Granian(MPServer):
    """One worker, in this process, on a socket that listens already."""

    def __init__(self, job: Job, **options: Any) -> None:
        super().__init__("app", **options)
        self._job = job

    def _serve(self, spawn_target: Any, target_loader: Any) -> None:
        listener = self._job.listener
        holder: Any = SocketHolder
        self._shd = holder(listener.fileno(), listener.family == _UNIX, self.backlog)
        self._sso = listener
        worker = self._spawn_worker(0, spawn_target, target_loader)
        worker.inner.run()  # not start(): this is the process


_UNIX = getattr(socket, "AF_UNIX", None)


def host(
    entrance: Entrance,
    interface: str,
    job: Job,
    draining: Draining,
    on_ready: Callable[[], None],
) -> None:
    """Serve until ``draining`` has come to its end.

    :param on_ready: called once the app has started, just before connections are taken.
    """
    _hear_signals(draining, on_ready)
    if interface == "wsgi":
        entrance.start_in_thread()
    settings = job.settings
    cert, key = map(Path, settings.ssl_files) if settings.ssl_files else (None, None)
    server = _Granian(
        job,
        interface=Interfaces(interface),
        backpressure=_CONNECTIONS,
        blocking_threads=settings.threads if interface == "wsgi" else 1,
        # PERF: benchmarks/fanout.py. In the other mode every frame that is sent costs a system
        # call more, to wake the thread that sends it.
        runtime_mode=RuntimeModes.mt if interface == "rsgi" else RuntimeModes.auto,
        http=HTTPModes(settings.http),
        http1_settings=HTTP1Settings(max_buffer_size=HEAD_LIMIT),
        ssl_cert=cert,
        ssl_key=key,
        ssl_protocol_min=SSLProtocols.tls12,
        log_level=LogLevels.error,
        # The default would reset every handler of the logging module.
        log_dictconfig={"incremental": True, "handlers": {}, "loggers": {}},
    )
    server.serve(target_loader=lambda: entrance, wrap_loader=False)


def _hear_signals(draining: Draining, on_ready: Callable[[], None]) -> None:
    """Have granian's worker ask here for what ends it: it calls one of two functions of a private
    module for that, with its loop or without one (2.8).

    Its own handlers close idle connections at once, also those on which a request is on its way.
    """

    def hear(loop: asyncio.AbstractEventLoop | None = None) -> WorkerSignal:
        over = WorkerSignal()
        draining.prepare(over.set, loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: draining.begin())
            # Without a loop the main thread waits for a lock, which only an interrupt ends.
            if loop is not None and hasattr(signal, "siginterrupt"):
                signal.siginterrupt(number, False)
        if loop is None:
            on_ready()
        else:
            loop.call_soon(on_ready)
        return over

    patched: Any = granian._signals
    patched.set_loop_signals = patched.set_sync_signals = hear
