"""``vial check``."""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from ..app import Vial
from .commands import target_argument
from .context import ScriptInfo, pass_script_info

if TYPE_CHECKING:
    from ..checking import Report

#: Of what ``--json`` prints; it changes when a program that reads it would have to.
JSON_VERSION = 1


def _codes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Option callback: codes, however they were separated; a typing error is told."""
    from ..checking import CODES

    codes = tuple(c.strip().upper() for part in value for c in part.split(",") if c.strip())
    for code in codes:
        if not any(known.startswith(code) for known in CODES):
            raise click.BadParameter(f"there is no code {code!r}; they are like V101 or V4.")
    return codes


@click.command("check", short_help="Report what is wrong with the app.")
@target_argument
@click.option(
    "--select",
    "-s",
    multiple=True,
    metavar="CODES",
    callback=_codes,
    help="Report only these: codes or beginnings of codes, with commas between them.",
)
@click.option(
    "--ignore",
    "-i",
    multiple=True,
    metavar="CODES",
    callback=_codes,
    help="Do not report these.",
)
@click.option(
    "--production",
    is_flag=True,
    help="Also report what is fine while developing and unsafe in production: V5.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for programs.")
@pass_script_info
def check_command(
    info: ScriptInfo,
    /,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    production: bool,
    as_json: bool,
) -> None:
    """Report what is wrong with an application before it runs.

    Loads the application and reads its sources and templates; no view is called and nothing is
    changed. The exit status is 0 when nothing is found, 1 when something is, and 2 when the
    application cannot be loaded.

    A comment silences a finding in its line: '# vial: ignore[V101]'.

    \b
    Examples:
      vial check shop.py
      vial check --production --json
      vial check --select V1,V2 --ignore V104
    """
    from ..checking import Choice, check

    app = _load(info, as_json)
    report = check(app, Choice(select, ignore, production))
    if as_json:
        _print_json(_as_json(report))
    else:
        _print_text(report)
    sys.exit(1 if report.findings else 0)


def _load(info: ScriptInfo, as_json: bool) -> Vial:
    """The app; what the program prints meanwhile is no part of the report."""
    try:
        with redirect_stdout(sys.stderr):
            return info.load_app()
    except click.ClickException as e:
        reason, trace = e.format_message(), ""
    except (Exception, SystemExit) as e:
        reason = f"{type(e).__name__}: {e}"
        trace = traceback.format_exc()
    if as_json:
        _print_json({"error": reason, "findings": []})
    else:
        click.echo(trace, err=True, nl=False)
        click.secho(f"Error: The application cannot be loaded: {reason}", fg="red", err=True)
    sys.exit(2)


def _print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps({"version": JSON_VERSION, **content}, indent=2))


def _as_json(report: Report) -> dict[str, Any]:
    """The object that docs/check.md describes."""
    findings = [
        {
            "file": found.file,
            "line": found.line,
            "code": found.code,
            "severity": found.severity,
            "message": found.message,
            "help": found.help,
        }
        for found in report.findings
    ]
    return {"findings": findings, "checked": report.checked, "skipped": report.skipped}


def _print_text(report: Report) -> None:
    """Two lines for each finding: where and what, and what to do."""
    for found in report.findings:
        colour = "red" if found.severity == "error" else "yellow"
        code = click.style(found.code, fg=colour, bold=True)
        click.echo(f"{found.file}:{found.line}: {code} {found.message}")
        click.echo(f"    {found.help}")
    for path in report.skipped:
        click.secho(f"{path} was not checked: too large, too deep or no UTF-8.", err=True)
    counts = ", ".join(f"{n} {what}" for what, n in report.checked.items())
    findings = f"{len(report.findings)} finding{'s' * (len(report.findings) != 1)}"
    click.echo(f"{findings} ({counts})")
