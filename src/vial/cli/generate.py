"""``vial generate``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .projects.generation import Change

FIELDS = "\n\nFields are 'name:type' or 'name:type:optional'; the types are str, text, int, float,"
FIELDS += " decimal, bool, date and datetime"


@click.group("generate", short_help="Add a part to a project.")
def generate_command() -> None:
    """Add a view, model, form or test to a project that 'vial new' made.

    Existing files are never written over. What is added passes the project's tests and linters.
    """


def _part(name: str, help: str, *, fields: bool = False) -> Callable[[Any], click.Command]:
    """A command of the group, with what all of them take."""

    def decorate(f: Any) -> click.Command:
        if fields:
            f = click.argument("fields", nargs=-1)(f)
        f = click.argument("name")(f)
        dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, only.")
        return generate_command.command(name, help=help)(dry_run(f))

    return decorate


@_part("view", "A blueprint at /NAME/, its template and a test.")
def view(name: str, dry_run: bool) -> None:
    # Jinja is loaded by these commands only.
    from .projects import generation

    _carry_out(generation.view(name), dry_run)


@_part("model", f"A model NAME and a test.{FIELDS}, and references for another model.", fields=True)
def model(name: str, fields: tuple[str, ...], dry_run: bool) -> None:
    from .projects import generation

    _carry_out(generation.model(name, fields), dry_run)


@_part("form", f"A form NAME and a test.{FIELDS}.", fields=True)
def form(name: str, fields: tuple[str, ...], dry_run: bool) -> None:
    from .projects import generation

    _carry_out(generation.form(name, fields), dry_run)


@_part("test", "A test module NAME.")
def test(name: str, dry_run: bool) -> None:
    from .projects import generation

    _carry_out(generation.test(name), dry_run)


def _carry_out(change: Change, dry_run: bool) -> None:
    """Check, write unless it is a dry run, and say what was, or would be, done."""
    change.check()
    if not dry_run:
        change.carry_out()
    would = "would " if dry_run else ""
    for path in change.made:
        click.echo(f"  {would}make    {path}")
    for path in change.mended:
        click.echo(f"  {would}add to  {path}")
    if change.advice and not dry_run:
        click.echo(change.advice)
