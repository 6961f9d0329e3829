"""The keyword arguments of :class:`~vial.socketio.SocketIO`, checked when the program starts."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..flask_mode import is_flask_mode
from .cluster import make_manager
from .membership import MAX_ROOMS
from .order import PATIENCE
from .origins import Origins
from .packets import Packet
from .protocol import Server
from .visits import LOGIN_KEY

if TYPE_CHECKING:
    from ..app import Vial

#: What goes to python-socketio and python-engineio as it is.
PASSED_ON = {
    "allow_upgrades",
    "always_connect",
    "compression_threshold",
    "cookie",
    "http_compression",
    "max_clients",
    "max_http_buffer_size",
    "max_message_rate",
    "max_send_queue",
    "monitor_clients",
    "namespaces",
    "ping_interval",
    "ping_timeout",
    "serializer",
    "transports",
}
#: What Flask-SocketIO programs say and nothing depends on here: there is one way to run, asyncio.
IGNORED = {"async_mode"}
_OWN = {
    "async_handlers",
    "channel",
    "connect_timeout",
    "cors_allowed_origins",
    "cors_credentials",
    "engineio_logger",
    "json",
    "logger",
    "manage_session",
    "max_rooms",
    "message_queue",
    "message_queue_key",
    "path",
    "resource",
    "session_identity",
    "validate",
}
#: Bounds on what clients may use up, and whether None stands for no bound.
_BOUNDS = {
    "connect_timeout": False,
    "max_clients": True,
    "max_http_buffer_size": False,
    "max_message_rate": True,
    "max_rooms": True,
    "max_send_queue": False,
}
#: python-socketio's own brokers; some of them unpickle what they receive.
_UNSUPPORTED = {"client_manager"}


def check(options: dict[str, Any]) -> None:
    """
    :raises TypeError: for an argument that does not exist, or that cannot be honoured.
    :raises ValueError: for a bound that is none.
    """
    _check_bounds(options)
    known = PASSED_ON | IGNORED | _OWN
    for name, value in options.items():
        if name in _UNSUPPORTED and value is not None:
            raise TypeError(
                f"SocketIO({name}=...) is not supported. For several processes give it the address"
                " of a Redis server: SocketIO(message_queue='redis://')."
            )
        if name not in known | _UNSUPPORTED:
            close = get_close_matches(name, known, 1)
            hint = (
                f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(sorted(known))}."
            )
            raise TypeError(f"SocketIO() has no argument {name!r}. {hint}")


def _check_bounds(options: dict[str, Any]) -> None:
    for name in _BOUNDS.keys() & options.keys():
        value, may_be_none = options[name], _BOUNDS[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and value > 0) and not (value is None and may_be_none):
            more = ", or None for no bound" if may_be_none else ""
            raise ValueError(f"SocketIO({name}={value!r}): give a number over 0{more}.")


def make_server(app: Vial | None, options: dict[str, Any]) -> Server:
    """The server that the options describe; :func:`check` them first."""
    passed = {name: value for name, value in options.items() if name in PASSED_ON}
    if options.get("json") is not None and "serializer" not in passed:
        passed["serializer"] = _packet_class(app, options["json"])
    if isinstance(passed.get("cookie"), dict):  # python-engineio fails on a False
        passed["cookie"] = {k: v for k, v in passed["cookie"].items() if v is not False}
    passed["serializer"] = _serializer(passed.get("serializer", "default"))
    server = Server(
        app,
        Origins(options.get("cors_allowed_origins"), options.get("cors_credentials", True)),
        patience=PATIENCE if options.get("async_handlers", True) else None,
        manager=make_manager(app, options),
        identity=options.get("session_identity", LOGIN_KEY),
        logger=_logger("vial.socketio", options.get("logger", False)),
        engineio_logger=_logger("vial.socketio.engine", options.get("engineio_logger", False)),
        **passed,
    )
    server.manager.max_rooms = options.get("max_rooms", MAX_ROOMS)
    server.connect_timeout = options.get("connect_timeout", server.connect_timeout)
    return server


def validates(app: Vial, options: dict[str, Any]) -> bool:
    """Whether annotations are looked at: not in programs for Flask, where they never were."""
    wanted: bool | None = options.get("validate")
    return not is_flask_mode(app) if wanted is None else wanted


def of_run(options: dict[str, Any]) -> dict[str, Any]:
    """Those of ``socketio.run()`` as ``app.run()`` knows them."""
    meant_for_others = {"log_output", "allow_unsafe_werkzeug", "reloader_options"}
    meant_for_others |= {"certfile", "keyfile"}
    rest = {name: value for name, value in options.items() if name not in meant_for_others}
    if options.get("certfile"):  # to be ignored would be to serve in the clear
        rest.setdefault("ssl_context", (options["certfile"], options.get("keyfile")))
    return {**rest, **(options.get("reloader_options") or {})}


def path_of(options: dict[str, Any]) -> str:
    path: str = options.get("path") or options.get("resource") or "socket.io"
    return path.strip("/")


def _serializer(wanted: Any) -> type:
    if isinstance(wanted, type):
        return wanted
    if wanted == "default":
        return Packet
    if wanted != "msgpack":
        # Among them 'pickle', by which whoever connects would run code here.
        raise ValueError(
            f"SocketIO(serializer={wanted!r}) is not supported. There are 'default' and 'msgpack',"
            " or give a subclass of socketio.packet.Packet."
        )
    try:
        from .packed import MsgpackPacket
    except ImportError as e:
        raise RuntimeError(
            "SocketIO(serializer='msgpack') needs the package msgpack: pip install msgpack."
        ) from e
    return MsgpackPacket


def _packet_class(app: Vial | None, json: Any) -> type[Packet]:
    # vial.json (and flask.json) speak for the app of the moment; packets are coded outside of any.
    is_ours = isinstance(json, ModuleType) and json.__name__ in ("vial.json", "flask.json")
    return type("Packet", (Packet,), {"json": app.json if is_ours and app else json})


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
