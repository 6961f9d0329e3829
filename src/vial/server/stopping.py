"""SIGINT and SIGTERM, also while a view blocks the loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

#: Seconds after which a stop that hangs, because a view blocks the loop, is forced.
FORCE_AFTER = 0.65


class ForcedStop(KeyboardInterrupt):
    """Raised in the main thread, inside the view that blocks the loop."""


class StopOnSignals:
    """In the main thread, makes SIGINT and SIGTERM call ``stop`` and forces what does not stop.

    Until then further signals change nothing: one Ctrl-C often arrives twice, from the terminal
    and from a parent process that passes it on. In any other thread it does nothing at all.

    ``loop.add_signal_handler()`` would not do: its callbacks wait for the view that blocks the
    loop, while this handler interrupts it.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._asked = False
        self._forcing = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def stopped(self) -> None:
        """Nothing is left to force; signals are ignored until the end of the ``with`` block."""
        self._over.set()
        with self._lock:
            pass  # a forced signal that was on its way has arrived

    def _handle(self, number: int, frame: object) -> None:
        if self._over.is_set():
            return
        if not self._asked:
            self._asked = True
            self._stop()
            threading.Thread(target=self._force, args=(number,), daemon=True).start()
        elif self._forcing:
            raise ForcedStop

    def _force(self, number: int) -> None:
        wait = FORCE_AFTER
        while not self._over.wait(wait):
            with self._lock:
                if not self._over.is_set():
                    self._forcing = True
                    _signal_main_thread(number)
            wait = 0.1


def _signal_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)
