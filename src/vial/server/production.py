"""``vial serve``: granian's workers, one process each, with one app in each.

The parent never holds the app: what a program opens when it is imported (a database, a thread)
does not survive a fork. A child of its own looks at the app first.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

from granian import Granian
from granian.constants import Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels

from ..callables import is_async
from .embedded import HEAD_LIMIT

if TYPE_CHECKING:
    from ..app import Vial

#: Where the workers of one server find each other; Socket.IO does.
WORKERS_FOLDER = "VIAL_WORKERS_DIR"
#: Longest path of a Unix socket, less the name that a worker adds (``sun_path`` has 104 bytes on
#: the systems that allow least).
_FOLDER_LENGTH = 80
#: Seconds that a worker which was killed twice in a row is not started again for, as granian has
#: it, and seconds between a worker's start and its replacement at a reload.
_RESPAWN_INTERVAL = 1.0

_STOPPING = (signal.SIGTERM, signal.SIGINT)

#: Connections that one worker serves at a time; granian's default, 1,024 for all workers together,
#: counts every WebSocket. What they may hold is bounded elsewhere.
_CONNECTIONS = 30_000

Load = Callable[[], "Vial"]


class Settings(NamedTuple):
    """How to serve; ``stop_timeout`` is in seconds."""

    host: str
    port: int
    workers: int
    interface: str | None = None
    stop_timeout: int = 30
    access_log: bool = False


class Findings(NamedTuple):
    """What a look at the app has found."""

    interface: str
    debug: bool


def serve(load: Load, name: str, settings: Settings) -> None:
    """Serve the app that ``load`` returns, in each worker anew, until Ctrl-C or SIGTERM.

    A worker that dies is replaced. At the end requests in flight are finished.

    :param load: can be pickled, where processes are not forked.
    :raises SystemExit: with code 1 when the server cannot start.
    """
    found = look(load)
    if found.debug:
        raise _failure(
            "debug mode is for 'vial run': it shows code and values of variables to visitors."
            " Leave --debug and FLASK_DEBUG away, and do not set app.debug."
        )
    interface = settings.interface or found.interface
    port = _free(settings.host, settings.port)
    _let_go_at_fork()
    with ExitStack() as closing:
        server = Granian(
            name,
            address=settings.host,
            port=port,
            interface=Interfaces(interface),
            workers=settings.workers,
            backpressure=_CONNECTIONS,
            # PERF: benchmarks/fanout.py. In the other mode every frame that is sent costs a system
            # call more, to wake the thread that sends it.
            runtime_mode=RuntimeModes.mt if interface == "rsgi" else RuntimeModes.auto,
            # One that is killed would otherwise take the others along (granian 2.8).
            respawn_failed_workers=True,
            respawn_interval=_RESPAWN_INTERVAL,
            workers_kill_timeout=settings.stop_timeout,
            http1_settings=HTTP1Settings(max_buffer_size=HEAD_LIMIT),
            log_access=settings.access_log,
            log_level=LogLevels.info if settings.access_log else LogLevels.error,
        )
        # Not before: from now on a signal ends the server in order.
        server.on_startup(lambda: closing.enter_context(_workers_folder()))
        server.on_startup(lambda: _announce(settings, port, interface))
        server.serve(target_loader=partial(_in_worker, load), wrap_loader=False)


def _in_worker(load: Load) -> Vial:
    app = load()

    @app.on_startup
    async def hear_of_the_end() -> None:
        if threading.current_thread() is threading.main_thread():
            _on_stop(asyncio.get_running_loop(), app._get_life().begin_stop)

    return app


def _let_go_at_fork() -> None:
    """A worker that is told to stop while it starts ends at once.

    It would otherwise have the handlers of its parent, which do nothing there, until granian has
    set its own, and a signal in that time would be lost.
    """
    if not hasattr(os, "register_at_fork"):
        return
    parent = os.getpid()

    def before() -> None:
        if os.getpid() == parent:
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)

    def in_parent() -> None:
        if os.getpid() == parent:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    def in_child() -> None:
        if os.getppid() == parent:
            for number in _STOPPING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)


def _on_stop(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Call ``function`` on the loop at SIGTERM and SIGINT, beside what granian does then.

    granian's own handlers hang on the loop's wake-up descriptor, which Python writes to whatever
    the handler of a signal is. It tells an app nothing before the last request has ended.
    """
    for number in _STOPPING:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(function))
        signal.siginterrupt(number, False)


def look(load: Load) -> Findings:
    """Load the app in a process of its own and tell what it needs.

    :raises SystemExit: with the code of that process, which has said why it failed.
    """
    context = _context()
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_look, args=(load, there))
    child.start()
    there.close()
    try:
        return Findings(*here.recv())
    except EOFError:
        child.join()
        raise SystemExit(max(child.exitcode or 1, 1)) from None
    finally:
        here.close()
        child.join()


def _context() -> Any:
    # As granian: its sockets do not reach the children of a fork server.
    method = multiprocessing.get_start_method()
    return multiprocessing.get_context(method if method in ("fork", "spawn") else "spawn")


def _look(load: Load, there: Connection) -> None:
    app = load()
    there.send(tuple(Findings(interface_of(app), app.debug)))
    there.close()
    sys.stdout.flush()
    os._exit(0)  # what the program started has no part in this


def interface_of(app: Vial) -> str:
    """``"wsgi"``, the fastest, where all views are sync; ``"rsgi"`` where an event loop has
    something to do; ``"asgi"`` where something was put around ``app.asgi_app`` alone."""
    if not _needs_loop(app):
        return "wsgi"
    wrapped = vars(app)
    return "asgi" if "asgi_app" in wrapped and "rsgi_app" not in wrapped else "rsgi"


def _needs_loop(app: Vial) -> bool:
    return (
        "asgi_app" in vars(app)
        or any(rule.websocket for rule in app.url_map.iter_rules())
        or any(map(is_async, app.view_functions.values()))
    )


def _free(host: str, port: int) -> int:
    """A port that nobody listens on; granian's workers would share another server's in silence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as listener:
            found: int = listener.getsockname()[1]
            return found
    except OSError as e:
        reason = str(e.strerror).partition(" (")[0]
        raise _failure(
            f"cannot listen on {host} port {port}: {reason}. Name an address of this machine and a"
            " port that no other program uses: --bind host:port."
        ) from None


@contextmanager
def _workers_folder() -> Iterator[None]:
    if sys.platform == "win32":  # there is one worker there (granian 2.8), and no Unix socket
        yield
        return
    parent = tempfile.gettempdir()
    short = parent if len(os.fsencode(parent)) + len("/vial-12345678") <= _FOLDER_LENGTH else None
    folder = tempfile.mkdtemp(prefix="vial-", dir=short or "/tmp")  # noqa: S108 - mode 700
    os.environ[WORKERS_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[WORKERS_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


def _announce(settings: Settings, port: int, interface: str) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    print(f" * Serving on http://{host}:{port}/ ({workers}, {interface.upper()})", flush=True)


def _failure(why: str) -> SystemExit:
    print(f"Error: {why}", file=sys.stderr, flush=True)
    return SystemExit(1)
