"""The parent of the workers: it starts, replaces and stops them, and has no part in requests.

It is one loop without threads, so that it can fork at any time: it waits for signals, for words of
workers and for their ends, and then does what is due. A worker is in one of three states: starting,
ready, or told to stop (``kill_at`` is set). One that takes another's place knows it (``old``):

* the new one is ready: the old one is told to stop;
* the new one ends before that: the old one stays, and nothing else is replaced;
* a worker ends that nobody told to: its slot is empty and filled again.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from . import notify
from .folder import workers_folder
from .listening import CannotListen, Listeners, listening
from .memory import megabytes
from .settings import Load, Settings
from .worker import STOPPING, Job, work

#: Seconds before a worker is started again that did not get ready; doubled each time, up to the
#: second one. One that was ready is replaced at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0
#: Seconds between two looks at the memory of the workers.
_MEMORY_INTERVAL = 5.0
#: Seconds that a worker which was told to stop has beyond ``stop_timeout``, to end by itself.
_KILL_AFTER = 2.0


class Worker:
    """A worker process, as its parent sees it."""

    is_ready = False
    #: When it is killed; set once it was told to stop.
    kill_at: float | None = None

    def __init__(self, slot: int, process: Any, channel: Connection, old: Worker | None) -> None:
        self.slot = slot
        self.process = process
        self.channel = channel
        #: The one that it takes the place of, which serves until this one is ready.
        self.old = old

    def __str__(self) -> str:
        return f"Worker {self.slot} ({self.process.pid})"

    def stop(self, timeout: float) -> None:
        """Tell it to finish what it has and to end."""
        if self.kill_at is None:
            self.kill_at = time.monotonic() + timeout
            self.process.terminate()

    def how_it_ended(self) -> str:
        """For people: the exit code or the signal."""
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"


def serve(load: Load, settings: Settings) -> None:
    """Serve the app that ``load`` returns, in each worker anew, until Ctrl-C or SIGTERM.

    A worker that dies is replaced. SIGHUP replaces them all, one after the other. At the end
    requests in flight are finished.

    :param load: can be pickled, where processes are not forked.
    :raises SystemExit: with code 1 when the server cannot start.
    """
    try:
        with ExitStack() as closing:
            listeners = closing.enter_context(listening(settings.address, settings.socket_mode))
            closing.enter_context(workers_folder())
            woken = closing.enter_context(_signals())
            Supervisor(load, settings, listeners, *woken).run()
    except CannotListen as e:
        print(f"Error: {e}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


class Supervisor:
    """Keeps as many workers running as there are slots."""

    def __init__(
        self,
        load: Load,
        settings: Settings,
        listeners: Listeners,
        woken: socket.socket,
        asked: set[int],
    ) -> None:
        self._load, self._settings, self._listeners = load, settings, listeners
        self._woken, self._asked = woken, asked
        self._context = _context()
        self._life = self._context.Pipe(duplex=False)
        self._workers: list[Worker] = []
        #: Workers whose turn to be replaced comes.
        self._outdated: deque[Worker] = deque()
        self._failures = 0
        self._start_at = 0.0
        self._memory_at = 0.0
        self._is_serving = self._is_stopping = False
        self._timeout = settings.stop_timeout + _KILL_AFTER

    def run(self) -> None:
        """Serve until told to stop, and every worker has ended."""
        while True:
            self._take_signals()
            self._keep_up()
            if self._is_stopping and not self._workers:
                return
            self._sleep()

    def _sleep(self) -> None:
        """Wait for a signal, a word of a worker, the end of one, or the time to do something."""
        ends = [end for w in self._workers for end in (w.channel, w.process.sentinel)]
        wait([self._woken, *ends], self._seconds_to_next())
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        for worker in tuple(self._workers):
            is_over = not worker.process.is_alive()  # asked first: it may have last words
            self._hear(worker)
            if is_over:
                self._gone(worker)

    def _seconds_to_next(self) -> float | None:
        times = [w.kill_at for w in self._workers if w.kill_at is not None]
        if not self._is_stopping and self._empty_slots():
            times.append(self._start_at)
        if self._settings.max_memory is not None:
            times.append(self._memory_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _take_signals(self) -> None:
        for number in tuple(self._asked):
            self._asked.discard(number)
            if number in STOPPING:
                self._stop()
            elif not self._is_stopping:
                self._reload()

    # What is to be done.

    def _stop(self) -> None:
        """Tell every worker to finish what it has; nothing is started or replaced any more."""
        if not self._is_stopping:
            notify.notify("STOPPING=1")
        self._is_stopping = True
        self._outdated.clear()
        self._listeners.close()
        for worker in self._workers:
            worker.stop(self._timeout)

    def _reload(self) -> None:
        """Let each worker be replaced."""
        notify.reloading()
        _say("Replacing the workers, one after the other")
        self._outdated = deque(self._serving())

    def _keep_up(self) -> None:
        """Do what is due: kill what does not end, replace, start, look at the memory."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.kill_at is not None and worker.kill_at <= now:
                _say(f"{worker} does not end: it is killed")
                worker.kill_at = now + _KILL_AFTER
                worker.process.kill()
        if self._is_stopping:
            return
        self._replace_next()
        if self._start_at <= now:
            for slot in self._empty_slots():
                self._start(slot)
        if self._settings.max_memory is not None and self._memory_at <= now:
            self._memory_at = now + _MEMORY_INTERVAL
            self._look_at_memory(self._settings.max_memory)

    def _serving(self) -> list[Worker]:
        """Those that were not told to stop."""
        return [w for w in self._workers if w.kill_at is None]

    def _empty_slots(self) -> list[int]:
        """Slots in which nobody serves or is about to; the first one alone shows what the app is
        before others are started."""
        taken = {w.slot for w in self._serving()}
        slots = [n for n in range(1, self._settings.workers + 1) if n not in taken]
        return slots if self._is_serving else slots[: not taken]

    def _start(self, slot: int, old: Worker | None = None) -> None:
        """Start a worker; with ``old``, one that takes its place once it is ready."""
        here, there = self._context.Pipe(duplex=False)
        listener = self._listeners.of(slot)
        others = self._listeners.others(slot) if self._context.get_start_method() == "fork" else []
        job = Job(self._load, self._settings, listener, others, there, self._life)
        process = self._context.Process(target=work, args=(job,), name=f"vial-worker-{slot}")
        with _signals_wait():
            process.start()
        there.close()
        self._workers.append(Worker(slot, process, here, old))

    def _replace_next(self) -> None:
        """Replace one worker; the next one when this one has ended."""
        if any(w.old is not None for w in self._workers):
            return None
        while self._outdated:
            old = self._outdated.popleft()
            if old in self._workers and old.kill_at is None:
                return self._start(old.slot, old)
        return None

    def _look_at_memory(self, limit: int) -> None:
        for worker in self._serving():
            used = megabytes(worker.process.pid)
            if used > limit and self._is_due(worker):
                _say(f"{worker} uses {used:.0f} MiB of memory: it is replaced")
                self._outdated.append(worker)

    def _is_due(self, worker: Worker) -> bool:
        """Whether nothing was done yet to replace it."""
        return worker not in self._outdated and all(w.old is not worker for w in self._workers)

    # What workers say and do.

    def _hear(self, worker: Worker) -> None:
        """Read what a worker says: that it is ready, or that it wants to be replaced."""
        with suppress(EOFError, OSError):
            while worker.channel.poll():
                word, *rest = worker.channel.recv()
                if word == "ready":
                    self._ready(worker, *rest)
                elif self._is_due(worker):
                    self._outdated.append(worker)

    def _ready(self, worker: Worker, interface: str, reason: str) -> None:
        """A worker takes connections: the one that it replaces may stop."""
        worker.is_ready = True
        self._failures, self._start_at = 0, 0.0
        if not self._is_serving:
            self._is_serving = True
            self._announce(interface, reason)
        if worker.old is not None:
            if worker.old in self._workers:
                worker.old.stop(self._timeout)
            else:
                self._replaced(worker)
        elif self._is_complete():
            notify.notify("READY=1")

    def _is_complete(self) -> bool:
        """Whether every slot has its worker, and none is being replaced."""
        is_quiet = all(w.is_ready and w.old is None for w in self._workers)
        return is_quiet and not self._outdated and not self._empty_slots()

    def _replaced(self, worker: Worker) -> None:
        worker.old = None
        if not self._outdated:
            _say("The workers are replaced")
            notify.notify("READY=1")

    def _gone(self, worker: Worker) -> None:
        """A worker has ended: its slot is empty, unless it was replaced."""
        self._workers.remove(worker)
        worker.process.join()
        worker.channel.close()
        for new in self._workers:
            if new.old is worker and new.is_ready:
                self._replaced(new)
        if worker.kill_at is not None:
            return
        if worker.is_ready:
            _say(f"{worker} {worker.how_it_ended()}: another one takes its place")
        else:
            self._failed(worker)

    def _failed(self, worker: Worker) -> None:
        """A worker ended before it was ready, and has said why."""
        if not self._is_serving:
            raise SystemExit(max(worker.process.exitcode or 1, 1))
        if worker.old in self._workers:
            self._outdated.clear()
            _say(f"{worker} {worker.how_it_ended()} before it was ready: the old workers stay")
            notify.notify("READY=1")
            return
        self._listeners.give_up(worker.slot)
        pause = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
        self._failures += 1
        self._start_at = time.monotonic() + pause
        _say(
            f"{worker} {worker.how_it_ended()} before it was ready: the next try is in {pause:g} s"
        )

    def _announce(self, interface: str, reason: str) -> None:
        """Say where the server listens; standard output is left to the access log."""
        count = self._settings.workers
        workers = "1 worker" if count == 1 else f"{count} workers"
        _say(f"Serving on {self._url()} ({workers}, {interface.upper()})")
        _say(f"{interface.upper()}: {reason}")

    def _url(self) -> str:
        address = self._listeners.name()
        if address.fd is None and address.path is None:
            return f"{'https' if self._settings.ssl_files else 'http'}://{address}/"
        return str(address)


def _say(text: str) -> None:
    print(f" * {text}", file=sys.stderr, flush=True)


def _context() -> Any:
    # The sockets of this process do not reach the children of a fork server.
    method = multiprocessing.get_start_method()
    return multiprocessing.get_context(method if method in ("fork", "spawn") else "spawn")


@contextmanager
def _signals() -> Iterator[tuple[socket.socket, set[int]]]:
    """Note the signals that tell the server to stop or to replace its workers; a byte on the
    socket wakes who waits."""
    asked: set[int] = set()
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    numbers = [*STOPPING, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {n: signal.signal(n, lambda number, frame: asked.add(number)) for n in numbers}
    woken = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    try:
        yield here, asked
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        here.close()
        there.close()


@contextmanager
def _signals_wait() -> Iterator[None]:
    """A signal to a worker that has just been forked waits until its own handlers are there."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
