"""The process that has the program, when the reloader runs it: ``python -m vial.server``."""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from .listening import announce
from .own_code import own_files
from .reloader import KILL_AFTER, TOLD
from .watching import stamps

#: Seconds between two looks at the modules that are loaded.
_LOOK = 1.0


class Child:
    """What this process knows of the reloader that has started it."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.debug: bool = told["debug"]
        #: Whether no run of the program before this one has served.
        self.is_first: bool = told["first"]
        self.address: tuple[str, int] = (told["host"], told["port"])
        self.ssl_files: tuple[str, str] | None = told["ssl_files"] and tuple(told["ssl_files"])
        self.has_served = False
        self._descriptor: int = told["listener"]
        self._channel = socket.socket(fileno=told["channel"])
        self._channel.set_inheritable(False)
        os.set_inheritable(self._descriptor, False)
        self._folders: set[str] = set()
        self._port = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._follow, name="vial-reloader", daemon=True).start()

    def listener(self) -> socket.socket:
        """The socket to serve on; the server closes it."""
        self.watch(own_files())
        listener = socket.socket(fileno=os.dup(self._descriptor))
        self._port = listener.getsockname()[1]
        return listener

    def ready(self) -> None:
        """Connections are served."""
        self.has_served = True
        if self.is_first:
            announce(self.address[0], self._port, self.ssl_files is not None)
        self.say(serves=True)

    def say(self, **what: Any) -> None:
        """Tell the reloader something; it listens as long as it lives."""
        with suppress(OSError):  # the other thread notices
            self._channel.sendall(json.dumps(what).encode() + b"\n")

    def watch(self, files: Iterable[str]) -> None:
        """Have the folders of these files watched too, and the files as they are now."""
        with self._lock:  # until the files were looked at: what is saved from then on is a change
            new = {file for file in files if os.path.dirname(file) not in self._folders}
            self._folders |= {os.path.dirname(file) for file in new}
            if new:
                self.say(files=stamps(new))

    def _follow(self) -> None:
        """Tell of new modules, and end when the reloader has ended."""
        self._channel.settimeout(_LOOK)
        while True:
            self.watch(own_files())
            try:
                if not self._channel.recv(1):
                    break
            except TimeoutError:
                pass
            except OSError:
                break
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(KILL_AFTER)
        os._exit(1)


_child: Child | None = None


def current() -> Child | None:
    """What a process that the reloader has started knows of it; None in any other process."""
    return _child


def _told() -> dict[str, Any] | None:
    # Taken out, so that a server which the program starts in turn is one of its own.
    told = json.loads(os.environ.pop(TOLD, "null"))
    return told if told and told["parent"] == os.getppid() else None


def main() -> None:
    """Run the program that ``sys.argv`` names; if it fails before it serves, serve the reason."""
    global _child
    told = _told()
    if told is None:
        raise SystemExit("This is a part of 'vial run', which starts it.")
    _child = Child(told)
    _let_interrupts_end_this()
    how, what, *_ = sys.argv[1:]
    try:
        if how == "--ended":
            raise SystemExit(f"The program has ended with status {what}; the terminal says why.")
        _run(how, what)
    except (Exception, SystemExit) as e:
        if not _keeps_up(e, _child):
            raise
        from .broken import serve_failure

        serve_failure(e, _child)


def _keeps_up(e: BaseException, child: Child) -> bool:
    """Whether a browser shall be told why the program does not run."""
    if child.has_served:
        return False
    if isinstance(e, SystemExit):
        return not child.is_first and e.code not in (None, 0)
    return True


def _run(how: str, what: str) -> None:
    del sys.argv[:2]
    if how == "--module":
        sys.argv[0] = what
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.realpath(what))
        runpy.run_path(what, run_name="__main__")


def _let_interrupts_end_this() -> None:
    """Ctrl-C ends this process without a traceback, until the server handles it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
