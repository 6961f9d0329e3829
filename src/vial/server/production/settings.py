"""How to serve."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ...app import Vial

Load = Callable[[], "Vial"]

#: The most workers that are started unless told how many: each has a copy of the program.
MOST_WORKERS = 16
#: Where Linux says what part of the machine a container has.
_CGROUP = Path("/sys/fs/cgroup")


class Address(NamedTuple):
    """A host and a port, the path of a Unix socket, or a descriptor of a listening socket."""

    host: str = ""
    port: int = 0
    path: str | None = None
    fd: int | None = None

    def __str__(self) -> str:
        if self.fd is not None:
            return f"fd:{self.fd}"
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Settings(NamedTuple):
    """How to serve; times are in seconds, ``max_memory`` in MiB. ``None`` is no limit."""

    address: Address
    #: How many processes serve requests.
    workers: int
    #: ``"wsgi"``, ``"asgi"`` or ``"rsgi"``; ``None``: by what the app has.
    interface: str | None = None
    #: How long requests in flight have to end once a worker is told to stop.
    stop_timeout: int = 30
    #: ``"common"`` or ``"json"``; ``None`` writes nothing.
    access_log: str | None = None
    #: Permissions of a Unix socket.
    socket_mode: int = 0o660
    #: Certificate and key, PEM; each new worker reads them anew.
    ssl_files: tuple[str, str] | None = None
    #: ``"auto"``, ``"1"`` or ``"2"``; a browser agrees on HTTP/2 by ALPN.
    http: str = "auto"
    #: How many requests of sync views run at once in a worker under WSGI.
    threads: int = 64
    #: A worker is replaced after so many requests, and up to a tenth more.
    max_requests: int | None = None
    #: A worker is replaced that has more.
    max_memory: int | None = None
    #: The path that is answered before the app.
    health: str | None = None


def default_workers() -> int:
    """As many as the process may use cores, at most :data:`MOST_WORKERS`."""
    return max(1, math.ceil(min(_cores(), _quota(), MOST_WORKERS)))


def _cores() -> int:
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(root: Path = _CGROUP, own: Path = Path("/proc/self/cgroup")) -> float:
    """The cores' worth of time that a container or service may use; infinite where nothing says.

    The group of the process and each above it have a limit.
    """
    lines = own.read_text().splitlines() if own.exists() else []
    named = [line[3:].strip("/") for line in lines if line.startswith("0::")]
    groups = [root / "cpu", root, *(root / name for name in named)]
    groups += [above for group in groups[2:] for above in group.parents if root in above.parents]
    return min(map(_quota_of, groups))


def _quota_of(group: Path) -> float:
    """By control groups of version 2, else of version 1."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{n}_us").read_text() for n in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such files
        return math.inf
