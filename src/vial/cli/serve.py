"""``vial serve``."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click

from ..app import Vial
from ..flask_mode import PREFERRED, install_as_flask
from .commands import _target
from .context import ScriptInfo, pass_script_info


class Address(click.ParamType):  # type: ignore[type-arg]
    """``host:port``, ``[::1]:port`` or ``:port`` for every address of the machine."""

    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        host, colon, port = str(value).rpartition(":")
        is_port = port.isascii() and port.isdecimal() and int(port) < 65536
        if not colon or not is_port or (":" in host and not host.startswith("[")):
            self.fail(f"{value!r} is not 'host:port', such as '0.0.0.0:8000'.", param, ctx)
        return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - as ':port' says


@click.command("serve", short_help="Run a production server.")
@_target
@click.option(
    "--bind",
    "-b",
    type=Address(),
    default="127.0.0.1:8000",
    help="The address to listen on; port 0 for any free one.",
    show_default=True,
    envvar="VIAL_SERVE_BIND",
)
@click.option(
    "--workers",
    "-w",
    type=click.IntRange(1, 512),
    default=1,
    help="How many processes serve requests.",
    show_default=True,
    envvar="VIAL_SERVE_WORKERS",
)
@click.option(
    "--interface",
    type=click.Choice(("wsgi", "asgi", "rsgi")),
    help="How the server calls the app; chosen by what the app has, if not given.",
)
@click.option(
    "--stop-timeout",
    type=click.IntRange(1),
    default=30,
    help="Seconds that requests in flight have to end once the server is told to stop.",
    show_default=True,
)
@click.option("--access-log/--no-access-log", default=False, help="Log each request.")
@pass_script_info
def serve_command(
    info: ScriptInfo,
    /,
    bind: tuple[str, int],
    workers: int,
    interface: str | None,
    stop_timeout: int,
    access_log: bool,
) -> None:
    """Run a production server.

    Serves the application as 'vial run' finds it, in as many worker processes as '--workers' says.
    A worker that dies is replaced. SIGTERM and Ctrl-C stop the server once the requests in flight
    are finished.
    """
    # granian is loaded by this command only.
    from ..server.production import Settings, serve

    settings = Settings(*bind, workers, interface, stop_timeout, access_log)
    is_mode_on = any(type(f).__module__ == install_as_flask.__module__ for f in sys.meta_path)
    load = partial(_load, info.app_import_path, info.create_app, info.set_debug_flag, is_mode_on)
    serve(load, info.app_import_path or "app", settings)


def _load(path: str | None, create_app: Any, set_debug_flag: bool, is_mode_on: bool) -> Vial:
    """The app, in a process of its own. A failure is said there, and ends it."""
    if is_mode_on:  # where processes are not forked
        install_as_flask(PREFERRED)
    try:
        return ScriptInfo(path, create_app, set_debug_flag).load_app()
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
