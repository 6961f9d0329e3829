"""``vial serve``: its options, and the loader that each worker calls.

The command itself never loads the app; what it gives to the workers can be pickled.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

import click

from ..app import Vial
from ..flask_mode import PREFERRED, install_as_flask
from .commands import _target
from .context import ScriptInfo, pass_script_info

_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True)


class Address(click.ParamType):  # type: ignore[type-arg]
    """``host:port``, ``[::1]:port``, ``:port`` for every address of the machine, ``unix:path``, or
    ``fd:number``."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        text = str(value)
        if text.startswith("unix:") and len(text) > len("unix:"):
            return {"path": os.path.abspath(text.removeprefix("unix:"))}
        number = text.removeprefix("fd:")
        if number != text and number.isascii() and number.isdecimal():
            return {"fd": int(number)}
        host, colon, port = text.rpartition(":")
        is_port = port.isascii() and port.isdecimal() and int(port) < 65536
        if not colon or not is_port or (":" in host and not host.startswith("[")):
            self.fail(
                f"{value!r} is not 'host:port', such as '0.0.0.0:8000', nor 'unix:path'.",
                param,
                ctx,
            )
        return {"host": host.strip("[]") or "0.0.0.0", "port": int(port)}  # noqa: S104 - as ':port' says


class Mode(click.ParamType):  # type: ignore[type-arg]
    """Permissions as ``chmod`` takes them, such as ``660``."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            mode = value if isinstance(value, int) else int(value, 8)
        except ValueError:
            mode = -1
        if not 0 <= mode <= 0o777:
            self.fail(f"{value!r} is no mode of a file, such as '660'.", param, ctx)
        return mode


def _path(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.startswith("/"):
        raise click.BadParameter(f"{value!r} is no path: begin it with '/'.", ctx, param)
    return value


@click.command("serve", short_help="Run a production server.")
@_target
@click.option(
    "--bind",
    "-b",
    "address",
    type=Address(),
    default="127.0.0.1:8000",
    help="Where to listen: 'host:port' (port 0 for any free one), 'unix:path', or 'fd:number' for a"
    " socket that listens already.",
    show_default=True,
    envvar="VIAL_SERVE_BIND",
)
@click.option(
    "--socket-mode",
    type=Mode(),
    default="660",
    help="Permissions of a Unix socket.",
    show_default=True,
)
@click.option(
    "--workers",
    "-w",
    type=click.IntRange(1, 512),
    help="How many processes serve requests; as many as there are cores, if not given.",
    envvar="VIAL_SERVE_WORKERS",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 4096),
    default=64,
    help="How many requests a worker handles at a time under WSGI.",
    show_default=True,
)
@click.option(
    "--interface",
    type=click.Choice(("wsgi", "asgi", "rsgi")),
    help="How the server calls the app; chosen by what the app has, if not given.",
)
@click.option("--cert", type=_FILE, help="Certificate (chain) for https, PEM.")
@click.option("--key", type=_FILE, help="The certificate's private key, PEM.")
@click.option(
    "--http",
    type=click.Choice(("auto", "1", "2")),
    default="auto",
    help="Versions of HTTP that are spoken.",
    show_default=True,
)
@click.option(
    "--stop-timeout",
    type=click.IntRange(1),
    default=30,
    help="Seconds that requests in flight have to end once a worker is told to stop.",
    show_default=True,
)
@click.option(
    "--access-log",
    type=click.Choice(("common", "json", "off")),
    default="off",
    help="Log each request to standard output.",
    show_default=True,
    envvar="VIAL_SERVE_ACCESS_LOG",
)
@click.option(
    "--max-requests",
    type=click.IntRange(1),
    help="Replace a worker after so many requests, and up to a tenth more.",
)
@click.option(
    "--max-memory",
    type=click.IntRange(1),
    help="Replace a worker that has more than so many MiB of memory.",
)
@click.option(
    "--health",
    callback=_path,
    metavar="PATH",
    help="Answer this path before the app does: 200, or 503 while the worker stops.",
)
@pass_script_info
def serve_command(
    info: ScriptInfo, /, address: dict[str, Any], workers: int | None, access_log: str, **given: Any
) -> None:
    """Run a production server.

    Serves the application as 'vial run' finds it, in as many worker processes as '--workers' says.
    A worker that dies is replaced. SIGHUP replaces all workers, one after the other, by ones with
    the program as it is then. SIGTERM and Ctrl-C stop the server once the requests in flight are
    finished.
    """
    # granian is loaded by this command only.
    from ..server.production import Address, Settings, default_workers, serve

    settings = Settings(
        address=Address(**address),
        workers=workers or default_workers(),
        ssl_files=_certificate(given.pop("cert"), given.pop("key")),
        access_log=None if access_log == "off" else access_log,
        **given,
    )
    is_mode_on = any(type(f).__module__ == install_as_flask.__module__ for f in sys.meta_path)
    load = partial(_load, info.app_import_path, info.create_app, info.set_debug_flag, is_mode_on)
    serve(load, settings)


def _certificate(cert: str | None, key: str | None) -> tuple[str, str] | None:
    if (cert is None) != (key is None):
        raise click.UsageError("'--cert' and '--key' go together: give both files.")
    return None if cert is None or key is None else (cert, key)


def _load(path: str | None, create_app: Any, set_debug_flag: bool, is_mode_on: bool) -> Vial:
    """The app, in a process of its own. A failure is said there, and ends it."""
    if is_mode_on:  # where processes are not forked
        install_as_flask(PREFERRED)
    try:
        return ScriptInfo(path, create_app, set_debug_flag).load_app()
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
