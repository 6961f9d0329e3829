"""``vial new``."""

from __future__ import annotations

import click

WHAT = {"minimal": "one file", "api": "a JSON API", "pages": "pages with Bootstrap"}
DATABASES = {"none": "no database", "sqlite": "SQLite", "postgresql": "PostgreSQL"} | {
    "mariadb": "MariaDB"
}


@click.command("new", short_help="Make a new project.")
@click.argument("name")
@click.option("--minimal", is_flag=True, help="One file, a test and how to run it.")
@click.option("--api", is_flag=True, help="JSON endpoints instead of pages.")
@click.option(
    "--database",
    type=click.Choice(list(DATABASES)),
    help="Models, sessions and migrations for it; sqlite if not given, none with '--minimal'.",
)
@click.option("--login", is_flag=True, help="Accounts: register, log in and out, change passwords.")
def new_command(name: str, minimal: bool, api: bool, database: str | None, login: bool) -> None:
    """Make a new project in a folder NAME, or in the current folder if NAME is '.'.

    The folder must be empty or not exist; nothing is ever written over. The project passes its own
    tests and linters from the beginning, and 'vial generate' adds to it.
    """
    # Jinja is loaded by this command only.
    from .projects.creation import create, plan

    kind = _kind(minimal, api)
    if minimal and database not in (None, "none"):
        raise click.UsageError("'--minimal' has no database; leave out one of the two options.")
    chosen = database or ("none" if minimal else "sqlite")
    if login:
        _check_login(kind, chosen)
    project, target = plan(name, kind, chosen, login)
    files = create(project, target)
    what = [WHAT[kind], DATABASES[chosen], *(["accounts"] if login else [])]
    click.echo(f"Made {target} ({len(files)} files): {', '.join(what)}.\n\nNext:\n")
    if name != ".":
        click.echo(f"  cd {name}")
    click.echo('  pip install -e ".[dev]"')
    if login:
        click.echo("  vial db upgrade")
    click.echo("  vial run --debug")


def _check_login(kind: str, database: str) -> None:
    """:raises click.UsageError: for a project in which accounts have no place."""
    if kind != "pages":
        raise click.UsageError(f"'--login' makes pages, and a project with '--{kind}' has none.")
    if database == "none":
        raise click.UsageError("'--login' keeps accounts in a database: leave out 'none'.")


def _kind(minimal: bool, api: bool) -> str:
    if minimal and api:
        raise click.UsageError("'--minimal' and '--api' are two kinds of project: choose one.")
    return "minimal" if minimal else "api" if api else "pages"
