"""``vial check``."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..app import Vial
from .commands import target_argument
from .context import ScriptInfo, pass_script_info

if TYPE_CHECKING:
    from ..checking import Choice, Finding, Report

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

    choice = Choice(select, ignore, production)
    app = _load(info, choice, as_json)
    report = check(app, choice)
    if as_json:
        _print_json(_as_json(report.findings, checked=report.checked, skipped=report.skipped))
    else:
        _print_text(report)
    sys.exit(1 if report.findings else 0)


def _load(info: ScriptInfo, choice: Choice, as_json: bool) -> Vial:
    """The app; what the program prints meanwhile is no part of the report."""
    try:
        with redirect_stdout(sys.stderr):
            return info.load_app()
    except (Exception, SystemExit) as e:
        _fail(e, choice, as_json)


def _fail(error: BaseException, choice: Choice, as_json: bool) -> NoReturn:
    """Why there is no app, and what is wrong in the files that the error went through."""
    from ..checking import check_files

    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, click.ClickException):
        reason = error.format_message()
    elif not as_json:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    findings = check_files(set(_files(error)), choice)
    if as_json:
        _print_json(_as_json(findings, error=reason))
    else:
        _print_findings(findings)
        click.secho(f"Error: The application cannot be loaded: {reason}", fg="red", err=True)
    sys.exit(2)


def _files(error: BaseException | None) -> Iterator[Path]:
    """The files below the working directory that an error and those before it went through."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(Path.cwd()) and path.is_file():
                yield path
        error = error.__cause__ or error.__context__


def _print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps({"version": JSON_VERSION, **content}, indent=2))


def _as_json(findings: list[Finding], **more: Any) -> dict[str, Any]:
    """The object that docs/check.md describes."""
    found = [{**asdict(finding), "severity": finding.severity} for finding in findings]
    return {"findings": found, **more}


def _print_findings(findings: list[Finding]) -> None:
    """Two lines for each: where and what, and what to do."""
    for found in findings:
        colour = "red" if found.severity == "error" else "yellow"
        code = click.style(found.code, fg=colour, bold=True)
        click.echo(f"{found.file}:{found.line}: {code} {found.message}")
        click.echo(f"    {found.help}")


def _print_text(report: Report) -> None:
    """The findings, what was not checked, and how much was."""
    _print_findings(report.findings)
    for path in report.skipped:
        click.secho(f"{path} was not checked: too large, too deep or no UTF-8.", err=True)
    counts = ", ".join(f"{n} {what}" for what, n in report.checked.items())
    findings = f"{len(report.findings)} finding{'s' * (len(report.findings) != 1)}"
    click.echo(f"{findings} ({counts})")
