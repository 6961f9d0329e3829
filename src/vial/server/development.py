"""``app.run()``: where to listen, what to print, how to fail."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from werkzeug.serving import get_interface_ip, make_ssl_devcert

from ..cli.environment import load_dotenv as read_dotenv
from ..cli.environment import show_server_banner
from ..helpers import get_debug_flag, get_load_dotenv
from .embedded import EmbeddedServer
from .lifespan import StartupError

if TYPE_CHECKING:
    from ..app import Vial
    from .entrance import ASGIApp

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5000
_BACKLOG = 128
#: Addresses that mean every interface, each with one that a browser here can open.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def run(
    app: Vial,
    host: str | None = None,
    port: int | str | None = None,
    debug: bool | None = None,
    load_dotenv: bool = True,
    **options: Any,
) -> None:
    """Serve ``app`` until Ctrl-C or SIGTERM, as :meth:`flask.Flask.run` does (Flask 3.1.3).

    Does nothing but say so in a program that the ``vial`` command imported.

    :param host: the address to listen on; ``SERVER_NAME``'s or 127.0.0.1.
    :param port: the port; 0 for any free one, ``SERVER_NAME``'s or 5000 by default.
    :param debug: sets ``app.debug``.
    :param load_dotenv: read ``.env`` and ``.flaskenv`` first.
    :param options: Werkzeug's ``run_simple`` options; see :func:`serve`.
    :raises SystemExit: with code 1 when the server cannot start.
    """
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        _say_ignored()
        return
    _configure_debug(app, debug, load_dotenv)
    name_host, name_port = _split_server_name(app.config.get("SERVER_NAME"))
    if port is None or port == "":
        port = name_port or DEFAULT_PORT
    show_server_banner(app.debug, app.name)
    options.setdefault("use_debugger", app.debug)
    serve(app, host or name_host or DEFAULT_HOST, int(port), **options)


def serve(
    app: Vial | ASGIApp,
    host: str,
    port: int,
    *,
    ssl_context: tuple[str, str] | str | None = None,
    use_reloader: bool = False,
    use_debugger: bool = False,
    use_evalex: bool = True,
    **werkzeug_options: Any,
) -> None:
    """Serve an ASGI application until Ctrl-C or SIGTERM, printing its address once it answers.

    :param ssl_context: certificate and key file (PEM), or ``"adhoc"`` for a self-signed one.
    :param use_reloader: not there yet; asked for, it is mentioned and left out.
    :param use_debugger: show a page for exceptions that the application lets out.
    :param use_evalex: put consoles on that page, for browsers on this machine.
    :param werkzeug_options: accepted for programs written for Werkzeug's server; this one needs
        none of them.
    :raises SystemExit: with code 1 when the server cannot start.
    """
    if use_reloader:
        print(
            " * The reloader is not available yet; restart the server after a change.", flush=True
        )
    if use_debugger:
        # Nobody pays for loading it but who uses it.
        from .debugger import DebuggedASGI

        app = DebuggedASGI(app, host=host, evalex=use_evalex)
    with ExitStack() as closing:
        files = _ssl_files(ssl_context, closing)
        listener = closing.enter_context(_listen(host, port))
        urls = _urls("https" if files else "http", host, listener.getsockname()[1])
        server = _make_server(app, listener, files, lambda: _announce(host, urls))
        try:
            server.run()
        except StartupError as e:
            raise _failure(f"the application could not start: {e}.") from None


def _make_server(
    app: Vial | ASGIApp,
    listener: socket.socket,
    files: tuple[str, str] | None,
    on_ready: Callable[[], None],
) -> EmbeddedServer:
    entrance = getattr(app, "_asgi_entrance", lambda: app)()
    try:
        return EmbeddedServer(entrance, listener, ssl_files=files, on_ready=on_ready)
    except OSError as e:  # ssl.SSLError is one
        raise _failure(
            f"the certificate {files} cannot be used: {e}. Both files must exist, in PEM format."
        ) from None


def _urls(scheme: str, host: str, port: int) -> list[str]:
    hosts = [host]
    if host in _WILDCARDS:
        # The second is for other machines, a phone on the same network for one.
        hosts = [_WILDCARDS[host], get_interface_ip(_family(host))]
    return [f"{scheme}://{_in_url(host)}:{port}/" for host in dict.fromkeys(hosts)]


def _announce(host: str, urls: list[str]) -> None:
    if host in _WILDCARDS:
        print(f" * Running on all addresses ({host})")
    for url in urls:
        print(f" * Running on {url}")
    print("Press CTRL+C to quit", flush=True)


def _say_ignored() -> None:
    print(
        " * Ignoring a call to 'app.run()' that would block the 'vial' command.\n"
        "   Only call 'app.run()' in an 'if __name__ == \"__main__\"' guard.",
        file=sys.stderr,
        flush=True,
    )


def _configure_debug(app: Vial, debug: bool | None, load_dotenv: bool) -> None:
    if get_load_dotenv(load_dotenv):
        read_dotenv()
        if "FLASK_DEBUG" in os.environ:
            app.debug = get_debug_flag()
    if debug is not None:
        app.debug = bool(debug)


def _split_server_name(server_name: str | None) -> tuple[str, int | None]:
    host, _, port = (server_name or "").partition(":")
    return host, int(port) if port.isdecimal() else None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _ssl_files(ssl_context: object, closing: ExitStack) -> tuple[str, str] | None:
    if ssl_context is None:
        return None
    if ssl_context == "adhoc":
        return _self_signed(closing.enter_context(TemporaryDirectory(prefix="vial-")))
    match ssl_context:
        case (str() | os.PathLike() as cert, str() | os.PathLike() as key):
            return os.fspath(cert), os.fspath(key)
        case _:
            raise _failure(
                f"ssl_context must be a pair of PEM file names (certificate, key) or 'adhoc', not"
                f" {ssl_context!r}."
            )


def _self_signed(directory: str) -> tuple[str, str]:
    try:
        return make_ssl_devcert(os.path.join(directory, "adhoc"), host="localhost")
    except TypeError:
        raise _failure(
            "ssl_context='adhoc' needs the 'cryptography' package: pip install cryptography."
        ) from None


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise _failure(
            f"port {port} does not exist. Choose one from 1 to 65535, or 0 for any free port."
        )
    try:
        return socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
    except OSError as e:
        raise _failure(_why_not(e, host, port)) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use by another program. Stop that program, or choose"
            f" another port: app.run(port={port + 1}) or 'vial run --port {port + 1}'."
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs special rights. Choose one above 1023."
    reason = str(error.strerror).partition(" (")[0]
    return (
        f"cannot listen on {host} port {port}: {reason}. Use an address of this machine, such as"
        " 127.0.0.1, or 0.0.0.0 for all of them."
    )


def _failure(why: str) -> SystemExit:
    print(f"Error: {why}", file=sys.stderr, flush=True)
    return SystemExit(1)
