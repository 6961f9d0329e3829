"""``vial routes`` and ``vial shell``, and the options that commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from werkzeug.routing import Rule

from ..globals import current_app
from .context import F, ScriptInfo, with_appcontext


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
