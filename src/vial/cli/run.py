"""``vial run``."""

from __future__ import annotations

import os
import ssl
from typing import Any

import click
from werkzeug.utils import import_string

from ..app import Vial
from ..helpers import get_debug_flag
from .commands import _target, debug_option
from .context import ScriptInfo, pass_script_info
from .discovery import NoAppException
from .environment import show_server_banner


def _certificate(
    ctx: click.Context, param: click.Parameter, value: str | ssl.SSLContext | None
) -> tuple[str, str] | str | None:
    key = ctx.params.pop("key", None)
    if isinstance(value, ssl.SSLContext):
        raise click.BadParameter(
            "name the files of certificate and key, not an object.", ctx, param
        )
    if (key is None) == (value in (None, "adhoc")):
        return value if key is None else (str(value), key)
    if key is None:
        raise click.BadParameter("also give the certificate's key with '--key'.", ctx, param)
    raise click.BadParameter("'--key' goes with a certificate file in '--cert'.", ctx, param)


class CertParamType(click.ParamType):  # type: ignore[type-arg]
    """A certificate: a file, ``adhoc``, or the import name of an :class:`ssl.SSLContext`."""

    name = "path"
    _file = click.Path(exists=True, dir_okay=False, resolve_path=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._file(value, param, ctx)
        except click.BadParameter:
            if str(value).lower() == "adhoc":
                return "adhoc"
            found = import_string(value, silent=True)
            if not isinstance(found, ssl.SSLContext):
                raise
            return found


class SeparatedPathType(click.Path):
    """Several paths in one value, separated as in ``PATH``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        convert = super().convert
        return [convert(item, param, ctx) for item in self.split_envvar_value(value)]


@click.command("run", short_help="Run a development server.")
@_target
@click.option(
    "--host",
    "-h",
    default="127.0.0.1",
    help="The address to listen on.",
    show_default=True,
    envvar="VIAL_RUN_HOST",
)
@click.option(
    "--port",
    "-p",
    default=5000,
    help="The port to listen on; 0 for any free one.",
    show_default=True,
    envvar="VIAL_RUN_PORT",
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    is_eager=True,
    help="The certificate's key file (PEM).",
)
@click.option(
    "--cert",
    type=CertParamType(),
    callback=_certificate,
    help="Serve HTTPS with this certificate file (PEM), or 'adhoc' for a throw-away one.",
)
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Start again when a file changes. On in debug mode.",
)
@click.option(
    "--debugger/--no-debugger",
    default=None,
    help="Show an interactive page for errors. On in debug mode.",
)
@click.option(
    "--live-reload/--no-live-reload",
    default=True,
    help="In debug mode, load pages again in the browser after a change.",
    show_default=True,
    envvar="VIAL_RUN_LIVE_RELOAD",
)
@click.option(
    "--auto-port",
    is_flag=True,
    help="Take the next free port where '--port' is in use.",
    envvar="VIAL_RUN_AUTO_PORT",
)
@click.option(
    "--extra-files",
    type=SeparatedPathType(),
    help=f"Files and folders, separated by {os.pathsep!r}, which start the application again, too.",
)
@click.option(
    "--exclude-patterns",
    type=SeparatedPathType(),
    help=f"Patterns, separated by {os.pathsep!r}, of files that do not, such as '*/tests/*'.",
)
@click.option("--with-threads/--without-threads", "threaded", default=True, hidden=True)
@pass_script_info
def run_command(
    info: ScriptInfo,
    /,
    host: str,
    port: int,
    cert: Any,
    reload: bool | None,
    debugger: bool | None,
    **options: Any,
) -> None:
    """Run a development server.

    Serves the application in FILE ('hello.py') or MODULE ('package.module:app'). Without one, the
    '--app' option, the FLASK_APP environment variable or wsgi.py, app.py or main.py in the current
    directory says which.
    """
    # granian is loaded by this command only.
    from .. import server

    debug = get_debug_flag()
    settings = {
        "ssl_context": cert,
        "use_reloader": debug if reload is None else reload,
        "use_debugger": debug if debugger is None else debugger,
        **options,
    }
    child = server.current()
    if settings["use_reloader"] and child is None:
        # This process imports no part of the application.
        show_server_banner(debug, info.app_import_path)
        given = server.options_of(settings)
        given.say_what_has_no_effect()
        raise SystemExit(server.reload(host, port, given, debug))
    app = info.load_app() if child is None else _loaded(info, child.is_first)
    if child is None:
        show_server_banner(debug, info.app_import_path or app.name)
    server.serve(app, host, port, **settings)


def _loaded(info: ScriptInfo, is_first: bool) -> Vial:
    """The app; what is raised without it is told by the reloader, and not by click.

    :param is_first: the command was typed just now: what is wrong with it ends it.
    """
    try:
        return info.load_app()
    except NoAppException as e:
        inner = e.__context__
        if isinstance(inner, ImportError) and inner.__traceback__ and inner.__traceback__.tb_next:
            raise inner from None
        if is_first:
            raise
        raise SystemExit(e.format_message()) from None


run_command.params.insert(0, debug_option())
