"""``vial routes``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
from werkzeug.routing import Rule

from ..globals import current_app
from .commands import target_argument
from .context import with_appcontext


@click.command("routes", short_help="Show the routes for the app.")
@target_argument
@click.option(
    "--sort",
    "-s",
    type=click.Choice(("endpoint", "methods", "domain", "rule", "match")),
    default="endpoint",
    help="What to sort by; 'match' is the order in which rules are tried.",
    show_default=True,
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS methods.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array for programs.")
@with_appcontext
def routes_command(sort: str, all_methods: bool, as_json: bool) -> None:
    """Show all registered routes with endpoints and methods.

    The host or subdomain is shown where a route has one. A WebSocket has the method WEBSOCKET.

    \b
    Examples:
      vial routes shop.py
      vial routes shop.py --sort match
    """
    rules = list(current_app.url_map.iter_rules())
    columns = _columns(rules, all_methods)
    if sort in columns:
        rules.sort(key=columns[sort])
    if as_json:
        click.echo(json.dumps([_as_json(rule, all_methods) for rule in rules], indent=2))
    elif not rules:
        click.echo("No routes were registered.")
    else:
        domain = _domain().title()
        titles = [domain if name == "domain" else name.title() for name in columns]
        _print_table(titles, [[cell(rule) for cell in columns.values()] for rule in rules])


def _domain() -> str:
    return "host" if current_app.url_map.host_matching else "subdomain"


def _columns(rules: list[Rule], all_methods: bool) -> dict[str, Callable[[Rule], str]]:
    """What to show of a rule, by the names that it is sorted by."""
    domain = _domain()
    columns: dict[str, Callable[[Rule], str]] = {
        "endpoint": lambda rule: str(rule.endpoint),
        "methods": lambda rule: ", ".join(_methods(rule, all_methods)),
    }
    if any(getattr(rule, domain) for rule in rules):
        columns["domain"] = lambda rule: getattr(rule, domain) or ""
    columns["rule"] = lambda rule: rule.rule
    return columns


def _methods(rule: Rule, all_methods: bool) -> list[str]:
    if rule.websocket:
        return ["WEBSOCKET"]
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    return sorted((rule.methods or set()) - hidden)


def _as_json(rule: Rule, all_methods: bool) -> dict[str, Any]:
    return {
        "endpoint": str(rule.endpoint),
        "methods": _methods(rule, all_methods),
        _domain(): getattr(rule, _domain()) or None,
        "rule": rule.rule,
        "arguments": sorted(rule.arguments),
    }


def _print_table(titles: list[str], rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, ["-" * width for width in widths], *rows):
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
