"""Telling systemd how the service is: ``sd_notify(3)``, which is one datagram.

A service of ``Type=notify-reload`` is ready once all workers are, and again when they are replaced.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

#: Where to send it; set by systemd for a service with ``Type=notify`` or ``notify-reload``.
_VARIABLE = "NOTIFY_SOCKET"


def notify(state: str) -> None:
    """Send a state such as ``READY=1``; nothing happens where nobody asked for it."""
    path = os.environ.get(_VARIABLE)
    if not path:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.connect(path.replace("@", "\0", 1) if path.startswith("@") else path)
        there.sendall(state.encode())


def reloading() -> None:
    """The state that a ``notify-reload`` service needs the time with, in microseconds."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
