"""The sockets that workers take connections from. The parent has them as well.

A worker that ended would lose the connections that wait for it, if its socket went with it, as with
granian alone; here the next one takes them.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .settings import Address

#: Connections that wait to be taken; the system's own limit is often lower (``somaxconn``).
BACKLOG = 4096


class CannotListen(Exception):
    """The text says why, and what to do."""


def _listen(address: Address, mode: int) -> socket.socket:
    """A socket that listens there, and does not block.

    :param mode: permissions of a Unix socket.
    :raises CannotListen: where that is not possible.
    """
    try:
        if address.fd is not None:
            listener = _inherited(address.fd)
        elif address.path is not None:
            listener = _unix(address.path, mode)
        else:
            listener = _tcp(address.host, address.port)
    except OSError as e:
        raise CannotListen(_why_not(address, e)) from None
    listener.setblocking(False)
    return listener


def _why_not(address: Address, error: OSError) -> str:
    """For people: what is wrong, and what to give instead."""
    reason = str(error.strerror or error).partition(" (")[0]
    if address.fd is not None:
        return (
            f"descriptor {address.fd} is no listening socket: {reason}. It must be passed by what"
            " starts the server, such as a socket unit of systemd."
        )
    if address.path is not None:
        return (
            f"cannot listen on {address.path}: {reason}. Name a path in a folder that this user may"
            " write to, and that no other program uses: --bind unix:/run/app/web.sock."
        )
    return (
        f"cannot listen on {address.host} port {address.port}: {reason}. Name an address of this"
        " machine and a port that no other program uses: --bind host:port."
    )


def _tcp(host: str, port: int, reuse_port: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=reuse_port)


def _inherited(fd: int) -> socket.socket:
    """A socket that whoever started the server has opened, as ``sd_listen_fds(3)``."""
    listener = socket.socket(fileno=fd)
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.detach()
        raise OSError("it does not listen")
    return listener


def _unix(path: str, mode: int) -> socket.socket:
    """A Unix socket that listens, with its permissions from its first moment on."""
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o777)  # nobody connects before the permissions are what they should be
    try:
        listener.bind(path)
        os.chmod(path, mode)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: str) -> None:
    """Remove the socket of a server that has ended without doing so."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError("there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
        probe.setblocking(False)  # a server that hangs, with a full queue, is one too
        with suppress(BlockingIOError):
            probe.connect(path)
        raise OSError("another server listens there")
    os.unlink(path)


class Listeners:
    """A socket for each worker, where the system can spread connections over several (Linux, over
    TCP), else one for all.

    The first worker that wakes up empties a socket that it shares: of 16 WebSockets that come at
    once, one of 4 workers got all.

    :raises CannotListen: where that is not possible.
    """

    def __init__(self, address: Address, mode: int) -> None:
        first = _listen(address, mode)
        self._address = address
        self._sockets: dict[int, socket.socket] = {0: first}
        self._mine = _identity(address.path)
        if address.fd is None and address.path is None:
            self._address = address._replace(port=first.getsockname()[1])
            if sys.platform == "linux":
                first.close()  # a second server on the port is an error until here
                self._sockets = {1: self._share()}

    def name(self) -> Address:
        """The address, with the port that was found for port 0."""
        return self._address

    def of(self, slot: int) -> socket.socket:
        """The socket of a worker."""
        if 0 in self._sockets:
            return self._sockets[0]
        if slot not in self._sockets:
            self._sockets[slot] = self._share()
        return self._sockets[slot]

    def others(self, slot: int) -> list[int]:
        """The descriptors of sockets that a worker has no part in."""
        return [s.fileno() for n, s in self._sockets.items() if n not in (0, slot)]

    def give_up(self, slot: int) -> None:
        """Close the socket of a worker that cannot be started: nobody would take from it."""
        if slot in self._sockets and len(self._sockets) > 1:
            self._sockets.pop(slot).close()

    def close(self) -> None:
        """Take no more connections; those that workers take are theirs."""
        for listener in self._sockets.values():
            listener.close()

    def remove(self) -> None:
        """Remove a Unix socket, unless another server has put its own in its place."""
        path = self._address.path
        if path is not None and self._mine == _identity(path):
            os.unlink(path)

    def _share(self) -> socket.socket:
        """One more socket on the same port; the system spreads connections over them."""
        address = self._address
        try:
            listener = _tcp(address.host, address.port, reuse_port=True)
        except OSError as e:
            raise CannotListen(_why_not(address, e)) from None
        listener.setblocking(False)
        return listener


@contextmanager
def listening(address: Address, mode: int) -> Iterator[Listeners]:
    """:class:`Listeners`, until the end."""
    listeners = Listeners(address, mode)
    try:
        yield listeners
    finally:
        listeners.close()
        listeners.remove()


def _identity(path: str | None) -> tuple[int, int] | None:
    try:
        found = os.stat(path) if path is not None else None
    except FileNotFoundError:
        return None
    return found and (found.st_dev, found.st_ino)


# In a worker.


def take_no_more(listener: socket.socket) -> None:
    """Let this process take no more connections from a socket that others have as well.

    granian takes connections until it is stopped, and closes the idle ones then. In place of the
    socket it gets one that nobody can find.
    """
    if sys.platform == "win32":
        return
    nowhere = _nowhere()
    me = os.fstat(listener.fileno())
    for fd in _descriptors():
        with suppress(OSError):
            found = os.fstat(fd)
            if (found.st_dev, found.st_ino) == (me.st_dev, me.st_ino):
                os.dup2(nowhere.fileno(), fd, inheritable=False)
    nowhere.close()


def _nowhere() -> socket.socket:
    """A socket that listens and to which nobody can connect: its name is gone."""
    with tempfile.TemporaryDirectory(prefix="vial-") as folder:
        nowhere = socket.socket(socket.AF_UNIX)
        nowhere.bind(os.path.join(folder, "s"))
        nowhere.listen(1)
    nowhere.setblocking(False)
    return nowhere


def _descriptors() -> list[int]:
    """The open files of this process (Linux, macOS, BSD)."""
    return [int(name) for name in os.listdir("/dev/fd")]


def connections(address: object) -> int:
    """How many connections this process has that came to an address (``getsockname()``)."""
    return sum(_is_connection(fd, address) for fd in _descriptors())


def _is_connection(fd: int, address: object) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        found = socket.socket(fileno=fd)
    except OSError:
        return False
    try:
        found.getpeername()
        return _came_to(found.getsockname(), address)
    except OSError:
        return False
    finally:
        found.detach()


def _came_to(name: object, address: object) -> bool:
    """A socket that listens on every address has connections to one of them."""
    if isinstance(name, tuple) and isinstance(address, tuple):
        return bool(name[1] == address[1])
    return name == address
