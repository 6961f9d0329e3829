"""``vial db``. Names and options are those of ``flask db`` of Flask-Migrate 4.1."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from ...cli import AppGroup

__all__ = ["db"]

_SHARED = "vial.sqlalchemy.migrating"


def _share(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Option callback: an option of the group holds for its command, unless that has it too."""
    shared = ctx.meta.setdefault(_SHARED, {})
    if value:
        shared[param.name] = value
    return shared.get(param.name)


_directory = click.option(
    "-d",
    "--directory",
    metavar="FOLDER",
    callback=_share,
    help="The folder of the migrations ('migrations').",
)
_x_arg = click.option(
    "-x",
    "--x-arg",
    multiple=True,
    metavar="ARGUMENT",
    callback=_share,
    help="An argument for env.py, such as 'key=value'.",
)
_sql = click.option("--sql", is_flag=True, help="Print SQL, and do not touch the database.")
_tag = click.option("--tag", help="A text for env.py.")
_verbose = click.option("-v", "--verbose", is_flag=True, help="Say more.")
_message = click.option("-m", "--message", help="What the migration does.")
_label = click.option("--branch-label", help="The name of a branch that begins here.")
_rev_id = click.option(
    "--rev-id", metavar="ID", help="The migration's id, instead of a random one."
)


@click.group("db", cls=AppGroup, short_help="Change the shape of the database.")
@click.option(
    "-d",
    "--directory",
    metavar="FOLDER",
    expose_value=False,
    callback=_share,
    help="The folder of the migrations ('migrations').",
)
@click.option(
    "-x",
    "--x-arg",
    multiple=True,
    metavar="ARGUMENT",
    expose_value=False,
    callback=_share,
    help="An argument for env.py, such as 'key=value'.",
)
def db() -> None:
    """Bring the database to the shape of the models, in steps that are files.

    \b
    Once:             vial db init
    Models changed:   vial db migrate -m "what changed", read the file, vial db upgrade
    On the server:    vial db upgrade
    """


def _command(name: str, help: str, *options: Callable[[Any], Any], **settings: Any) -> None:
    """A command of the group that calls the function of its name."""

    def run(**given: Any) -> None:
        # Alembic is loaded by these commands only.
        getattr(import_module("vial.sqlalchemy.migrating.commands"), name)(**given)

    run.__name__ = name
    for option in (_directory, *reversed(options)):
        run = option(run)
    db.command(name, help=help, **settings)(run)


def _argument(name: str, default: str | None = None, **more: Any) -> Callable[[Any], Any]:
    return click.argument(name, default=default, required=False, **more)


_new = (
    click.option("--head", default="head", help="What it comes after: 'BRANCH@head', an id."),
    click.option("--splice", is_flag=True, help="Let it come after one that is no head."),
    _label,
    click.option("--version-path", metavar="FOLDER", help="The folder for its file."),
    _rev_id,
)
_command(
    "init",
    "Make the folder of the migrations.",
    click.option("--multidb", is_flag=True, help="Accepted: several databases need no option."),
    click.option("--package", is_flag=True, help="Make packages of the folders."),
)
_command(
    "migrate",
    "Write the migration from the database to the models, if they differ.",
    _message,
    *_new,
    _x_arg,
)
_command(
    "revision",
    "Write a migration without content.",
    _message,
    click.option("--autogenerate", is_flag=True, help="As 'migrate'."),
    _sql,
    *_new,
)
_negative = {"context_settings": {"ignore_unknown_options": True}}
_command(
    "upgrade",
    "Take all migrations, or those up to REVISION: an id, or '+1'.",
    _sql,
    _tag,
    _x_arg,
    _argument("revision", "head"),
)
_command(
    "downgrade",
    "Take back the last migration, or those after REVISION: an id, '-2', 'base'.",
    _sql,
    _tag,
    _x_arg,
    _argument("revision", "-1"),
    **_negative,
)
_command("current", "Say which migration the database is at.", _verbose)
_command(
    "history",
    "List the migrations, newest first.",
    click.option("-r", "--rev-range", metavar="FROM:TO", help="Only these."),
    _verbose,
    click.option("-i", "--indicate-current", is_flag=True, help="Mark where the database is."),
)
_command(
    "check",
    "Say how database and models differ; exit with 1 if they do.",
)
_command("show", "Show one migration.", _argument("revision", "head"))
_command(
    "heads",
    "List the newest migrations; more than one wants 'merge'.",
    _verbose,
    click.option("--resolve-dependencies", is_flag=True, help="What others depend on is no head."),
)
_command("branches", "List the migrations that several come after.", _verbose)
_command(
    "merge",
    "Write the migration that joins several heads.",
    _message,
    _label,
    _rev_id,
    click.argument("revisions", nargs=-1),
)
_command(
    "stamp",
    "Note that the database is at REVISION, and take no migration.",
    _sql,
    _tag,
    click.option("--purge", is_flag=True, help="Forget first what was noted."),
    _argument("revision", "head"),
)
_command("edit", "Open a migration in $EDITOR.", _argument("revision", "head"))
