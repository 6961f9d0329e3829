"""The commands of ``vial db`` as functions, in the app's context; this module loads Alembic.

Names and parameters are those of Flask-Migrate 4.1. ``directory`` is the folder of the migrations.
Those that fail raise :class:`.MigrationError`.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from alembic import command
from alembic.autogenerate import RevisionContext
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory

from ...globals import current_app
from .changes import changes, losses
from .environment import bind_name, engines_of, suffix_of
from .errors import MigrationError, explained, shown, warn
from .models import home_of, import_models, seen
from .telling import telling

Directory = str | Path | None
Arguments = str | list[str] | tuple[str, ...] | None
TEMPLATES = Path(__file__).parent / "templates"


def make_config(directory: Directory, x_arg: Arguments = None, opts: Any = None) -> Config:
    """Alembic's configuration for a folder; see :meth:`.Migrate.get_config`."""
    folder = _folder(directory)
    ini = folder / "alembic.ini"
    config = Config(ini if ini.is_file() else None, stdout=sys.stdout, output_buffer=sys.stdout)
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    if config.get_main_option("path_separator") is None:
        config.set_main_option("path_separator", "os")
    given = [x_arg] if isinstance(x_arg, str) else [*(x_arg or ())]
    config.cmd_opts = Namespace(x=given, **dict.fromkeys(opts or (), True))
    return config


def _folder(directory: Directory) -> Path:
    """The folder of the migrations, which may not be there yet."""
    path = Path(directory or "migrations")
    if not path.is_absolute() and not path.exists():
        beside = home_of(current_app) / path
        if beside.exists():
            return beside
    return path


@contextmanager
def _config(
    directory: Directory, x_arg: Arguments = None, opts: Sequence[str] = (), **attributes: Any
) -> Iterator[Config]:
    """The configuration for a command; errors inside are told in a sentence.

    :param opts: names that are True in ``config.cmd_opts``.
    :param attributes: what ``env.py`` finds in ``config.attributes``.
    """
    state = current_app.extensions.get("migrate")
    if state is None:
        raise MigrationError(
            "This app has no migrations: it has no SQLAlchemy object. Make one,"
            " db = SQLAlchemy(app), or call db.init_app(app)."
        )
    folder = _folder(directory or state.directory)
    _check_folder(folder)
    with explained(folder):
        config: Config = state.migrate.get_config(folder, x_arg, opts)
        suffixes = [suffix_of(key) for key in engines_of(state.db)]
        config.attributes.update(attributes, suffixes=suffixes)
        with telling(err=attributes.get("sql", False)) as config.attributes["told"]:
            yield config


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise MigrationError(
            f"There is no folder {shown(folder)!r} of migrations here."
            " Make it with 'vial db init', or name another one with '--directory'."
        )
    for name in ("env.py", "script.py.mako"):
        if not (folder / name).is_file():
            raise MigrationError(
                f"{shown(folder)!r} is no folder of migrations: it has no {name}."
                " 'vial db init' makes one where nothing is."
            )


# -- making migrations -----------------------------------------------------------------------


def init(
    directory: Directory = None,
    multidb: bool = False,
    template: str | None = None,
    package: bool = False,
) -> None:
    """Make the folder of the migrations.

    :param multidb: taken for programs that say so; several databases need no other folder.
    :param template: another folder to copy.
    :param package: make it and ``versions`` packages.
    """
    state = current_app.extensions["migrate"]
    folder = Path(directory or state.directory)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MigrationError(f"{shown(folder)!r} is there already, and not empty.")
    versions = folder / "versions"
    versions.mkdir(parents=True)
    source = Path(template) if template else TEMPLATES
    for path in sorted(source.iterdir()):
        if path.is_file():
            (folder / path.name.removesuffix(".tmpl")).write_bytes(path.read_bytes())
    for place in (folder, versions) if package else ():
        (place / "__init__.py").touch()
    click.echo(f"Made {shown(folder)}. Next: vial db migrate -m 'first tables'")


def migrate(
    directory: Directory = None,
    message: str | None = None,
    sql: bool = False,
    head: str = "head",
    splice: bool = False,
    branch_label: str | None = None,
    version_path: str | None = None,
    rev_id: str | None = None,
    x_arg: Arguments = None,
) -> None:
    """Write the migration from the database to the models, if they differ."""
    arguments = _revision_arguments(message, sql, head, splice, branch_label, version_path, rev_id)
    with _config(directory, x_arg, ["autogenerate", "quiet"]) as config:
        script = ScriptDirectory.from_config(config)
        if head == "head" and not splice:
            _refuse_several_heads(script)
        _import_and_list_models()
        found = _compare(config, script, arguments)
        if not any(changes(found)):
            click.echo("Nothing changed: the database has the shape of the models.")
            _explain_first(script)
            return
        for loss in losses(found):
            warn(loss)
        for made in found.generate_scripts():
            _say_made(made)


def revision(
    directory: Directory = None,
    message: str | None = None,
    autogenerate: bool = False,
    sql: bool = False,
    head: str = "head",
    splice: bool = False,
    branch_label: str | None = None,
    version_path: str | None = None,
    rev_id: str | None = None,
) -> None:
    """Write a migration without content, or as :func:`migrate` does."""
    if autogenerate:
        migrate(directory, message, sql, head, splice, branch_label, version_path, rev_id)
        return
    arguments = _revision_arguments(message, sql, head, splice, branch_label, version_path, rev_id)
    with _config(directory, opts=["quiet"]) as config:
        if head == "head" and not splice:
            _refuse_several_heads(ScriptDirectory.from_config(config))
        made = command.revision(config, **arguments)
        for one in made if isinstance(made, list) else [made]:
            _say_made(one)


def merge(
    directory: Directory = None,
    revisions: str | Sequence[str] = "",
    message: str | None = None,
    branch_label: str | None = None,
    rev_id: str | None = None,
) -> None:
    """Write the migration that joins heads: those given, or all."""
    with _config(directory, opts=["quiet"]) as config:
        joined = revisions if isinstance(revisions, str) else [*revisions]
        _say_made(command.merge(config, joined or "heads", message, branch_label, rev_id))


def edit(directory: Directory = None, revision: str = "current") -> None:
    """Open a migration in the editor that ``EDITOR`` in the environment names."""
    with _config(directory) as config:
        command.edit(config, revision)


def _revision_arguments(
    message: str | None,
    sql: bool,
    head: str,
    splice: bool,
    branch_label: str | None,
    version_path: str | None,
    rev_id: str | None,
) -> dict[str, Any]:
    """What Alembic wants to know of a new migration."""
    return {
        "message": message,
        "autogenerate": False,
        "sql": sql,
        "head": head,
        "splice": splice,
        "branch_label": branch_label,
        "version_path": version_path,
        "rev_id": rev_id,
        "depends_on": None,
    }


def _refuse_several_heads(script: ScriptDirectory) -> None:
    heads = script.get_heads()
    if len(heads) > 1:
        raise MigrationError(
            f"There are several newest migrations: {', '.join(heads)}. Join them first:"
            f" vial db merge {' '.join(heads)} -m 'merge'"
        )


def _say_made(made: Script | None) -> None:
    if made is not None:
        click.echo(f"Made {shown(Path(made.path))}. Read it, then: vial db upgrade")


def _import_and_list_models() -> None:
    for place in import_models(current_app._get_current_object()):  # type: ignore[attr-defined]
        warn(
            f"nothing imports what looks like a model: {place}. Import it in the app's package, or"
            " call its module 'models'; else its table counts as removed."
        )
    lines = seen(current_app.extensions["migrate"].db)
    if lines:
        click.echo("\n  ".join(["Models seen:", *lines]))
    else:
        warn(
            "no models were seen. They are classes that inherit from db.Model, in modules that the"
            " app imports, or that are called 'models'."
        )


# -- comparing -------------------------------------------------------------------------------


def check(directory: Directory = None) -> None:
    """Say how database and models differ.

    :raises MigrationError: when they do.
    """
    arguments = _revision_arguments(None, False, "head", False, None, None, None)
    with _config(directory) as config:
        _import_and_list_models()
        found = _compare(config, ScriptDirectory.from_config(config), arguments)
        if any(changes(found)):
            raise MigrationError(
                "The models have changes that no migration has. Write it: vial db migrate"
            )
    click.echo("Database, migrations and models agree.")


def _compare(config: Config, script: ScriptDirectory, arguments: dict[str, Any]) -> RevisionContext:
    """What differs, as a migration that is not written yet."""
    found = RevisionContext(config, script, arguments)

    def compare(revisions: Any, context: Any) -> list[Any]:
        _refuse_behind(script, revisions, context)
        found.run_autogenerate(revisions, context)
        return []

    _run_env(config, script, compare)
    return found


def _run_env(
    config: Config, script: ScriptDirectory, fn: Callable[[Any, Any], list[Any]], **options: Any
) -> None:
    with EnvironmentContext(config, script, fn=fn, **options):
        script.run_env()


def _refuse_behind(script: ScriptDirectory, revisions: Any, context: Any) -> None:
    at = {one.revision for one in script.get_revisions(revisions) if one}
    newest = set(script.get_heads())
    if at != newest:
        name = bind_name(context.opts.get("bind_key"))
        raise MigrationError(
            f"{name[:1].upper()}{name[1:]} is not at the newest migration: it is at"
            f" {', '.join(sorted(at)) or 'none'}, the newest is {', '.join(sorted(newest))}."
            " Take what is missing first: vial db upgrade"
        )


def _explain_first(script: ScriptDirectory) -> None:
    """What it means that nothing changed where no migration was ever made."""
    if not script.get_heads() and seen(current_app.extensions["migrate"].db):
        click.echo(
            "There is no migration yet, though: the tables were made without one, by"
            " db.create_all() perhaps. Run 'vial db migrate' with an empty database to have them in"
            " one; then 'vial db stamp' tells this database that it has them."
        )


# -- taking migrations -----------------------------------------------------------------------


def upgrade(
    directory: Directory = None,
    revision: str = "head",
    sql: bool = False,
    tag: str | None = None,
    x_arg: Arguments = None,
) -> None:
    """Take all migrations, or those up to ``revision``.

    :param sql: print SQL, and do not touch the database.
    :param tag: what ``context.get_tag_argument()`` returns in ``env.py``.
    """
    with _config(directory, x_arg, writes=True, sql=sql) as config:
        if revision == "head":
            _refuse_several_heads(ScriptDirectory.from_config(config))
        command.upgrade(config, revision, sql=sql, tag=tag)
        if config.attributes["told"].is_silent and not sql:
            click.echo("Nothing to do: the database has these migrations.")


def downgrade(
    directory: Directory = None,
    revision: str = "-1",
    sql: bool = False,
    tag: str | None = None,
    x_arg: Arguments = None,
) -> None:
    """Take back the last migration, or those after ``revision``; see :func:`upgrade`."""
    if sql and revision == "-1":
        revision = "head:-1"  # offline nobody knows where the database is
    with _config(directory, x_arg, writes=True, sql=sql) as config:
        command.downgrade(config, revision, sql=sql, tag=tag)


def stamp(
    directory: Directory = None,
    revision: str = "head",
    sql: bool = False,
    tag: str | None = None,
    purge: bool = False,
) -> None:
    """Note that the database is at ``revision``, and take no migration."""
    with _config(directory, writes=True, sql=sql) as config:
        command.stamp(config, revision, sql=sql, tag=tag, purge=purge)


# -- looking ---------------------------------------------------------------------------------


def current(directory: Directory = None, verbose: bool = False) -> None:
    """Say which migration each database is at."""
    with _config(directory) as config:
        script = ScriptDirectory.from_config(config)
        many = len(config.attributes["suffixes"]) > 1

        def show(revisions: Any, context: Any) -> list[Any]:
            key = context.opts.get("bind_key")
            label = f"{key or 'app'}: " if many else ""
            found = script.get_all_current(revisions)
            for one in found:
                click.echo(f"{label}{one.cmd_format(verbose)}")
            if not found:
                click.echo(f"{label}no migration was taken")
            return []

        _run_env(config, script, show, dont_mutate=True)


def history(
    directory: Directory = None,
    rev_range: str | None = None,
    verbose: bool = False,
    indicate_current: bool = False,
) -> None:
    """List the migrations, newest first."""
    with _config(directory) as config:
        command.history(config, rev_range, verbose, indicate_current)


def heads(
    directory: Directory = None, verbose: bool = False, resolve_dependencies: bool = False
) -> None:
    """List the newest migrations."""
    with _config(directory) as config:
        command.heads(config, verbose, resolve_dependencies)


def branches(directory: Directory = None, verbose: bool = False) -> None:
    """List the migrations that several come after."""
    with _config(directory) as config:
        command.branches(config, verbose)


def show(directory: Directory = None, revision: str = "head") -> None:
    """Show one migration."""
    with _config(directory) as config:
        command.show(config, revision)
