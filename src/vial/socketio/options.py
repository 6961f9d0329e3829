"""The keyword arguments of :class:`~vial.socketio.SocketIO`, checked when the program starts."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .engine import Origins
from .order import PATIENCE
from .protocol import Packet, Server

if TYPE_CHECKING:
    from ..app import Vial

#: What goes to python-socketio and python-engineio as it is.
PASSED_ON = {
    "allow_upgrades",
    "always_connect",
    "compression_threshold",
    "cookie",
    "http_compression",
    "max_http_buffer_size",
    "monitor_clients",
    "namespaces",
    "ping_interval",
    "ping_timeout",
    "serializer",
    "transports",
}
#: What Flask-SocketIO programs say and nothing depends on here: there is one way to run, asyncio,
#: and credentials are allowed for every origin but ``"*"``.
IGNORED = {"async_mode", "channel", "cors_credentials"}
_OWN = {
    "async_handlers",
    "cors_allowed_origins",
    "engineio_logger",
    "json",
    "logger",
    "manage_session",
    "path",
    "resource",
}
#: What would need a broker between several processes.
_UNSUPPORTED = {"client_manager", "message_queue"}


def check(options: dict[str, Any]) -> None:
    """
    :raises TypeError: for an argument that does not exist, or that cannot be honoured.
    """
    known = PASSED_ON | IGNORED | _OWN
    for name, value in options.items():
        if name in _UNSUPPORTED and value is not None:
            raise TypeError(
                f"SocketIO({name}=...) is not supported: one process serves all clients, so"
                " remove it and run one worker."
            )
        if name not in known | _UNSUPPORTED:
            close = get_close_matches(name, known, 1)
            hint = (
                f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(sorted(known))}."
            )
            raise TypeError(f"SocketIO() has no argument {name!r}. {hint}")


def make_server(app: Vial, options: dict[str, Any]) -> Server:
    """The server that the options describe; :func:`check` them first."""
    passed = {name: value for name, value in options.items() if name in PASSED_ON}
    if options.get("json") is not None and "serializer" not in passed:
        passed["serializer"] = _packet_class(app, options["json"])
    if passed.get("serializer", "default") == "default":
        passed["serializer"] = Packet
    return Server(
        app,
        Origins(options.get("cors_allowed_origins")),
        patience=PATIENCE if options.get("async_handlers", True) else None,
        logger=_logger("vial.socketio", options.get("logger", False)),
        engineio_logger=_logger("vial.socketio.engine", options.get("engineio_logger", False)),
        **passed,
    )


def path_of(options: dict[str, Any]) -> str:
    path: str = options.get("path") or options.get("resource") or "socket.io"
    return path.strip("/")


def _packet_class(app: Vial, json: Any) -> type[Packet]:
    # vial.json (and flask.json) speak for the app of the moment; packets are coded outside of any.
    is_ours = isinstance(json, ModuleType) and json.__name__ in ("vial.json", "flask.json")
    return type("Packet", (Packet,), {"json": app.json if is_ours else json})


def _logger(name: str, wanted: Any) -> logging.Logger:
    if not isinstance(wanted, bool):
        return wanted  # type: ignore[no-any-return]
    logger = logging.getLogger(name)
    if not logger.filters:
        logger.addFilter(_one_line)
    if wanted:
        logger.setLevel(logging.INFO)
        if not logger.hasHandlers():
            logger.addHandler(logging.StreamHandler())
    elif logger.level == logging.NOTSET:
        logger.setLevel(logging.ERROR)
    return logger


def _one_line(record: logging.LogRecord) -> bool:
    """What a client sent cannot forge a line or move the cursor of a terminal (CVE-2020-7694)."""
    text = record.getMessage()
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    record.msg, record.args = text, None
    return True
