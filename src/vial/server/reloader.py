"""The reloader: a process that never imports the program runs it in another one, again and again.

It holds the listening socket, so that a request that comes in between waits and is not refused.
The other side, in the process that has the program, is ``rerun.py``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import cache_from_source
from queue import SimpleQueue
from typing import Any

from ..cli.environment import env_files, variables_from_files
from .listening import certificate, listen
from .options import Options
from .watching import Watch, Watched

#: What the program's process is told: descriptors, the parent's id and what to serve.
TOLD = "VIAL_RELOADER"
#: Seconds after which a program that was told to stop, and hangs, is killed.
KILL_AFTER = 1.5
_STOP = "stop"


class Run:
    """One run of the program in a process of its own.

    :param told: what it is told, besides how to reach this process.
    :param events: gets ``(run, what it says)`` and at last ``(run, exit status)``.
    """

    def __init__(
        self, command: list[str], listener: socket.socket, told: dict[str, Any], events: Any
    ) -> None:
        self._channel, theirs = socket.socketpair()
        shared = (listener, theirs)
        self._events = events
        told = {**told, "listener": listener.fileno(), "channel": theirs.fileno()}
        with theirs, _inheritable(*shared), _unheard_interrupt():
            self.process = subprocess.Popen(  # noqa: S603 - the command that started this process
                command,
                env={**_environment(), TOLD: json.dumps(told)},
                # Windows passes all that is inheritable, and nothing by name.
                close_fds=sys.platform != "win32",
                pass_fds=() if sys.platform == "win32" else [s.fileno() for s in shared],
            )
        for target in (self._hear, self._wait):
            threading.Thread(target=target, daemon=True).start()

    def _hear(self) -> None:
        with self._channel, suppress(OSError), self._channel.makefile() as lines:
            for line in lines:
                self._events.put((self, json.loads(line)))

    def _wait(self) -> None:
        self._events.put((self, self.process.wait()))

    def stop(self) -> None:
        """End the process, the hard way where it does not end."""
        self.process.terminate()
        try:
            self.process.wait(KILL_AFTER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def _inheritable(*sockets: socket.socket) -> Iterator[None]:
    if sys.platform == "win32":
        for s in sockets:
            s.set_inheritable(True)
    yield


@contextmanager
def _unheard_interrupt() -> Iterator[None]:
    """A process that is started inside waits with Ctrl-C until it can end without a traceback."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """This process's, without what came from files that the program reads again."""
    inherited = {k: v for k, v in os.environ.items() if k not in variables_from_files}
    # Werkzeug's, which programs ask by is_running_from_reloader().
    return {**inherited, "WERKZEUG_RUN_MAIN": "true"}


class Reloader:
    """Runs a program until Ctrl-C or SIGTERM, and again after each change.

    :param command: starts the program, so that it serves on the listener.
    :param told: what it is told, see :data:`TOLD`.
    """

    def __init__(
        self,
        command: list[str],
        listener: socket.socket,
        told: dict[str, Any],
        watched: Watched,
        every: float | None = None,
    ) -> None:
        self._command = command
        self._listener = listener
        self._told = {**told, "parent": os.getpid()}
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._watch = Watch(watched, lambda paths: self._events.put(("changed", paths)), every)
        self._has_served = False
        self._run: Run | None = None

    def run(self) -> int:
        """Return the exit status for this process."""
        with _signals(lambda: self._events.put((_STOP, None))), _terminal() as restore:
            self._watch.start()
            self._start()
            try:
                while True:
                    who, what = self._events.get()
                    status = self._handle(who, what, restore)
                    if status is not None:
                        return status
            finally:
                self._watch.stop()
                self._end()
                restore()

    def _handle(self, who: Any, what: Any, restore: Callable[[], None]) -> int | None:
        if who == _STOP:
            return 0
        if who == "changed":
            self._restart(what, restore)
        elif who is self._run and isinstance(what, int):
            restore()
            return self._ended(what)
        elif who is self._run:
            self._has_served = self._has_served or "serves" in what
            files = what.get("files", {})
            self._watch.add({path: tuple(stamp) for path, stamp in files.items()})
        return None

    def _start(self, command: list[str] | None = None) -> None:
        told = {**self._told, "first": not self._has_served}
        self._run = Run(command or self._command, self._listener, told, self._events)

    def _end(self) -> None:
        if self._run is not None:
            self._run.stop()
            self._run = None

    def _restart(self, changed: set[str], restore: Callable[[], None]) -> None:
        print(f" * {_named(changed)} changed: starting again.", flush=True)
        self._end()
        restore()
        _forget_compiled(changed)
        self._start()

    def _ended(self, status: int) -> int | None:
        """The program has ended by itself: so does the reloader, or it waits for a change."""
        self._run = None
        if status in (0, -signal.SIGINT, -signal.SIGTERM):
            return 0
        if not self._has_served:
            return status if status > 0 else 128 - status
        print(
            f" * The program has ended with status {status}. It starts again when a file changes.",
            flush=True,
        )
        if "--ended" not in self._command:
            self._start([*own_process(), "--ended", str(status)])
        return None


def _named(changed: set[str]) -> str:
    name = ascii(os.path.relpath(min(changed)))
    more = len(changed) - 1
    return name + (f" and {more} more" if more else "")


def _forget_compiled(changed: set[str]) -> None:
    """Python takes a compiled file for a new one if it has the same size and the same second."""
    for path in changed:
        if path.endswith(".py"):
            with suppress(OSError, NotImplementedError):
                os.unlink(cache_from_source(path))


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _terminal() -> Iterator[Callable[[], None]]:
    """A function that puts the terminal right after a program that was ended in a debugger."""
    try:
        import termios
    except ImportError:  # Windows
        yield lambda: None
        return
    try:
        settings = termios.tcgetattr(sys.stdin)
    except (OSError, ValueError, AttributeError, termios.error):  # no terminal
        yield lambda: None
        return

    def restore() -> None:
        with suppress(termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)

    yield restore


def own_process() -> list[str]:
    """The start of a command that runs ``vial.server`` with this Python and its options."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-m", "vial.server"]


def program() -> list[str] | None:
    """The command that runs this program again; None where it is not in a file."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.parent is not None and spec.name != "__main__":
        name = spec.name.removesuffix(".__main__")
        return [*own_process(), "--module", name, *sys.argv[1:]]
    path = getattr(main, "__file__", None)
    if path is None:
        return None
    path = os.path.abspath(path)
    if (
        os.path.isfile(os.path.dirname(path)) or spec is not None
    ):  # __main__.py in vial.exe, or in another archive
        path = os.path.dirname(path)
    return [*own_process(), "--file", path, *sys.argv[1:]]


def reload(host: str, port: int, options: Options, debug: bool) -> int:
    """Run the program that called this, as the part of it that does not serve.

    :return: the exit status.
    :raises RuntimeError: outside of the main thread, or where the program is not in a file.
    """
    command = program()
    if command is None or threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "The reloader runs the program again, which must be a file, and be started in the main"
            " thread. Serve without it: app.run(use_reloader=False)."
        )
    watched = Watched(
        trees=[os.getcwd(), *filter(os.path.isdir, options.extra_files or ())],
        files=[*env_files(), *(options.extra_files or ())],
        suffix=".py",
        exclude=options.exclude_patterns or (),
    )
    with ExitStack() as closing:
        files = certificate(options.ssl_context, closing)
        listener = closing.enter_context(listen(host, port, options.auto_port))
        told = {"ssl_files": files, "debug": debug, "host": host, "port": port}
        return Reloader(command, listener, told, watched, options.polls).run()
