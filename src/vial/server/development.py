"""``app.run()``: where to listen, what to print, how to fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from werkzeug.middleware.shared_data import SharedDataMiddleware

from ..cli.environment import load_dotenv as read_dotenv
from ..cli.environment import show_server_banner
from ..helpers import get_debug_flag, get_load_dotenv
from .embedded import EmbeddedServer
from .lifespan import StartupError
from .listening import announce, certificate, failure, listen
from .live import live_pages
from .options import Options, options_of
from .reloader import reload
from .rerun import current

if TYPE_CHECKING:
    import socket

    from ..app import Vial
    from .entrance import ASGIApp

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5000


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
    :param debug: sets ``app.debug``, which is what reloader and debugger go by unless told.
    :param load_dotenv: read ``.env`` and ``.flaskenv`` first.
    :param options: Werkzeug's ``run_simple`` options, ``auto_port`` and ``live_reload``.
    :raises SystemExit: with code 1 when the server cannot start; when the reloader ends.
    """
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        _say_ignored()
        return
    _configure_debug(app, debug, load_dotenv)
    name_host, name_port = _split_server_name(app.config.get("SERVER_NAME"))
    if port is None or port == "":
        port = name_port or DEFAULT_PORT
    options.setdefault("use_reloader", app.debug)
    options.setdefault("use_debugger", app.debug)
    if current() is None:
        show_server_banner(app.debug, app.name)
    serve(app, host or name_host or DEFAULT_HOST, _number(port), **options)


def _number(port: int | str) -> int:
    try:
        return int(port)
    except (TypeError, ValueError):
        raise TypeError(f"port must be a number from 0 to 65535, not {port!r}.") from None


def serve(app: Vial | ASGIApp, host: str, port: int, **options: Any) -> None:
    """Serve an ASGI application until Ctrl-C or SIGTERM, printing its address once it answers.

    With ``use_reloader`` this process watches files, and the program is run again in another one,
    which serves.

    :param options: see :class:`~vial.server.options.Options`.
    :raises SystemExit: with code 1 when the server cannot start; when the reloader ends.
    :raises TypeError: for an option that there is not.
    """
    given, child = options_of(options), current()
    if child is None:
        given.say_what_has_no_effect()
        if given.use_reloader:
            raise SystemExit(reload(host, port, given, getattr(app, "debug", False)))
    with ExitStack() as closing:
        if child is None:
            files = certificate(given.ssl_context, closing)
            listener = closing.enter_context(listen(host, port, given.auto_port))
            on_ready: Callable[[], None] = partial(
                announce, host, listener.getsockname()[1], files is not None
            )
        else:
            files, listener = child.ssl_files, closing.enter_context(child.listener())
            on_ready = child.ready
        entrance, on_stopping = _entrance(app, host, given, closing)
        server = _make_server(entrance, listener, files, on_ready, on_stopping)
        try:
            server.run()
        except StartupError as e:
            if child is not None:
                raise
            raise failure(f"the application could not start: {e}.") from None


def _entrance(
    app: Vial | ASGIApp, host: str, options: Options, closing: ExitStack
) -> tuple[ASGIApp, Callable[[], None]]:
    """What the server calls, and what it calls when it begins to stop."""
    if options.static_files:
        _add_files(app, options.static_files)
    entrance: ASGIApp = getattr(app, "_asgi_entrance", lambda: app)()
    if options.use_debugger:
        # Nobody pays for loading it but who uses it.
        from .debugger import DebuggedASGI

        entrance = DebuggedASGI(entrance, host=host, evalex=options.use_evalex)
    if options.live_reload and _has_live_pages(app):
        live = closing.enter_context(live_pages(app, entrance))  # type: ignore[arg-type]
        return live, live.stop
    return entrance, lambda: None


def _has_live_pages(app: Any) -> bool:
    return getattr(app, "debug", False) is True and app.config.get("LIVE_RELOAD", True) is not False


def _add_files(app: Any, files: Any) -> None:
    if not hasattr(app, "wsgi_app"):
        raise TypeError(f"static_files goes with an application of Vial's, not with {app!r}.")
    app.wsgi_app = SharedDataMiddleware(app.wsgi_app, files)


def _make_server(
    entrance: ASGIApp,
    listener: socket.socket,
    files: tuple[str, str] | None,
    on_ready: Callable[[], None],
    on_stopping: Callable[[], None],
) -> EmbeddedServer:
    try:
        return EmbeddedServer(
            entrance, listener, ssl_files=files, on_ready=on_ready, on_stopping=on_stopping
        )
    except OSError as e:  # ssl.SSLError is one
        raise failure(
            f"the certificate {files} cannot be used: {e}. Both files must exist, in PEM format."
        ) from None


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
