"""``vial run``, ``vial routes`` and ``vial shell``."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from werkzeug.routing import Rule
from werkzeug.utils import import_string

from ..globals import current_app
from ..helpers import get_debug_flag
from .context import F, ScriptInfo, pass_script_info, with_appcontext
from .environment import show_server_banner


def set_app(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Option callback: the app to load is the one named here."""
    if value is not None:
        ctx.ensure_object(ScriptInfo).app_import_path = value
    return value


def set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> bool | None:
    """Option callback: ``--debug`` becomes FLASK_DEBUG, which an app factory can read."""
    source = ctx.get_parameter_source(param.name or "")
    if source in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
        return None  # the environment decides
    os.environ["FLASK_DEBUG"] = "1" if value else "0"
    return value


def debug_option() -> click.Option:
    return click.Option(
        ["--debug/--no-debug"],
        help="Set debug mode.",
        expose_value=False,
        callback=set_debug,
        envvar="VIAL_DEBUG",
    )


def _target(f: F) -> F:
    return click.argument(
        "target",
        required=False,
        expose_value=False,
        is_eager=True,
        metavar="[FILE | MODULE:APP]",
        callback=set_app,
    )(f)


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
@click.option("--reload/--no-reload", default=None, help="Restart when a file changes.")
@click.option("--debugger/--no-debugger", default=None, hidden=True)
@click.option("--with-threads/--without-threads", default=True, hidden=True)
@click.option("--extra-files", type=SeparatedPathType(), hidden=True)
@click.option("--exclude-patterns", type=SeparatedPathType(), hidden=True)
@pass_script_info
def run_command(
    info: ScriptInfo,
    /,
    host: str,
    port: int,
    cert: Any,
    reload: bool | None,
    **werkzeug_options: Any,
) -> None:
    """Run a development server.

    Serves the application in FILE ('hello.py') or MODULE ('package.module:app'). Without one, the
    '--app' option, the FLASK_APP environment variable or wsgi.py, app.py or main.py in the current
    directory says which.
    """
    # granian is loaded by this command only.
    from ..server import serve

    app = info.load_app()
    show_server_banner(get_debug_flag(), info.app_import_path or app.name)
    serve(app, host, port, ssl_context=cert, use_reloader=bool(reload))


run_command.params.insert(0, debug_option())


@click.command("shell", short_help="Run a shell in the app context.")
@_target
@with_appcontext
def shell_command() -> None:
    """Run an interactive Python shell in the application's context.

    The names of 'app.make_shell_context()' are there, and PYTHONSTARTUP is honoured.
    """
    import code

    names: dict[str, Any] = {}
    startup = os.environ.get("PYTHONSTARTUP")
    if startup and os.path.isfile(startup):
        exec(compile(Path(startup).read_text(), startup, "exec"), names)  # noqa: S102
    names.update(current_app.make_shell_context())
    _complete_names(names)
    banner = (
        f"Python {sys.version} on {sys.platform}\n"
        f"App: {current_app.import_name}\n"
        f"Instance: {current_app.instance_path}"
    )
    code.interact(banner=banner, local=names)


def _complete_names(names: dict[str, Any]) -> None:
    hook = getattr(sys, "__interactivehook__", None)
    if hook is None:
        return
    try:
        import readline
        from rlcompleter import Completer
    except ImportError:
        pass
    else:
        readline.set_completer(Completer(names).complete)
    hook()


@click.command("routes", short_help="Show the routes for the app.")
@_target
@click.option(
    "--sort",
    "-s",
    type=click.Choice(("endpoint", "methods", "domain", "rule", "match")),
    default="endpoint",
    help="What to sort by; 'match' is the order in which rules are tried.",
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS methods.")
@with_appcontext
def routes_command(sort: str, all_methods: bool) -> None:
    """Show all registered routes with endpoints and methods."""
    url_map = current_app.url_map
    rules = list(url_map.iter_rules())
    if not rules:
        click.echo("No routes were registered.")
        return
    columns: dict[str, Callable[[Rule], str]] = {
        "endpoint": lambda rule: str(rule.endpoint),
        "methods": lambda rule: _methods(rule, all_methods),
        "rule": lambda rule: rule.rule,
    }
    domain = "host" if url_map.host_matching else "subdomain"
    if any(getattr(rule, domain) for rule in rules):
        columns = _insert_domain(columns, domain)
    if sort in columns:
        rules.sort(key=columns[sort])
    titles = [domain.title() if name == "domain" else name.title() for name in columns]
    _print_table(titles, [[cell(rule) for cell in columns.values()] for rule in rules])


def _methods(rule: Rule, all_methods: bool) -> str:
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    return ", ".join(sorted((rule.methods or set()) - hidden))


def _insert_domain(
    columns: dict[str, Callable[[Rule], str]], domain: str
) -> dict[str, Callable[[Rule], str]]:
    rule = columns.pop("rule")
    return {**columns, "domain": lambda r: getattr(r, domain) or "", "rule": rule}


def _print_table(titles: list[str], rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, ["-" * width for width in widths], *rows):
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
