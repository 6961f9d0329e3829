"""Options and arguments that several commands have."""

from __future__ import annotations

import os

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from .context import F, ScriptInfo


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


def target_argument(f: F) -> F:
    """Decorate a command that takes the application as its argument: ``vial run hello.py``."""
    return click.argument(
        "target",
        required=False,
        expose_value=False,
        is_eager=True,
        metavar="[FILE | MODULE:APP]",
        callback=set_app,
        shell_complete=_complete_files,
    )(f)


def _complete_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    return [CompletionItem(incomplete, type="file")]


#: Its former name.
_target = target_argument
