"""A worker process: it loads the app, looks at it, and lets granian serve it.

What is refused, and by which interface the app is called, is found out in each worker: after a
replacement that may be new code.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from .checks import certificate_refusal, interface_of, refusal_of
from .draining import Draining
from .entrance import Entrance
from .hosting import host
from .settings import Load, Settings

#: Set by a worker that is told to end while it starts.
STOPPING = (signal.SIGTERM, signal.SIGINT)


class Job(NamedTuple):
    """What a worker is given by its parent."""

    load: Load
    settings: Settings
    listener: socket.socket
    #: Descriptors of the sockets of other workers, where they came along.
    others: list[int]
    #: Where it says that it is ready, and that it wants to be replaced.
    channel: Connection
    #: Ends when the parent does; the second one is the parent's end.
    life: tuple[Connection, Connection]


def work(job: Job) -> None:
    """Be a worker, until told to stop.

    :raises SystemExit: with code 1 where the app is not one that is served.
    """
    _take_signals()
    job.life[1].close()
    for fd in job.others:
        os.close(fd)
    app = job.load()
    why = refusal_of(app) or certificate_refusal(job.settings.ssl_files)
    if why is not None:
        print(f"Error: {why}", file=sys.stderr, flush=True)
        raise SystemExit(1)
    interface, reason = interface_of(app)
    if job.settings.interface:
        interface, reason = job.settings.interface, "as told"
    draining = Draining(app, job.listener, job.settings.stop_timeout)
    _end_with_parent(job.life[0])
    say = _once(job.channel)
    entrance = Entrance(app, interface, job.settings, draining, lambda: say("replace"))
    host(entrance, interface, job, draining, lambda: job.channel.send(("ready", interface, reason)))


def _take_signals() -> None:
    """Be rid of the parent's handlers, which write to what this process has in common with it.

    A worker that is told to stop while it starts ends at once.
    """
    signal.set_wakeup_fd(-1)
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent sees to it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _end_with_parent(life: Connection) -> None:
    """Stop in order when the parent was killed: nobody would replace or stop this worker."""

    def wait() -> None:
        try:
            life.recv()
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="vial-parent", daemon=True).start()


def _once(channel: Connection) -> Callable[[Any], None]:
    lock = threading.Lock()

    def say(word: Any) -> None:
        if lock.acquire(blocking=False):
            channel.send((word,))

    return say
