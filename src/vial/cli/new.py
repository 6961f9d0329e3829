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
def new_command(name: str, minimal: bool, api: bool, database: str | None) -> None:
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
    project, target = plan(name, kind, chosen)
    files = create(project, target)
    click.echo(f"Made {target} ({len(files)} files): {WHAT[kind]}, {DATABASES[chosen]}.\n\nNext:\n")
    if name != ".":
        click.echo(f"  cd {name}")
    click.echo('  pip install -e ".[dev]"\n  vial run --debug')


def _kind(minimal: bool, api: bool) -> str:
    if minimal and api:
        raise click.UsageError("'--minimal' and '--api' are two kinds of project: choose one.")
    return "minimal" if minimal else "api" if api else "pages"
