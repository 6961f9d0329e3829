"""What ``env.py`` of a migrations folder calls: the databases, one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import click
from alembic import context
from sqlalchemy import Connection, Engine, MetaData

from ...globals import current_app
from .completing import complete, render_enum
from .errors import MigrationError
from .locking import exclusive


def run(**options: Any) -> None:
    """Take the steps of the command that is running, in each database of the app.

    A step has functions ``upgrade`` and ``downgrade`` for the database of the app, and
    ``upgrade_KEY`` and ``downgrade_KEY`` for the bind of that key; one that it lacks does nothing.

    In PostgreSQL and MariaDB one process at a time migrates a database. In SQLite all steps are
    taken, or none, and foreign keys are not enforced in between but checked in the end.

    :param options: as ``context.configure()`` of Alembic; they go before those of ``Migrate``.
    """
    state = current_app.extensions["migrate"]
    engines = engines_of(state.db)
    for key, engine in engines.items():
        metadata = state.db.metadatas.get(key)
        settings = {
            "target_metadata": MetaData() if metadata is None else metadata,
            "upgrade_token": f"upgrades{suffix_of(key)}",
            "downgrade_token": f"downgrades{suffix_of(key)}",
            "render_item": render_type,
            "bind_key": key,
            **state.configure_args,
            **options,
        }
        settings["process_revision_directives"] = _completing(settings)
        with functions_for(key):
            if context.is_offline_mode():
                _print_sql(key, engine, settings, many=len(engines) > 1)
            else:
                _migrate(engine, settings)


def engines_of(db: Any) -> Mapping[str | None, Engine]:
    """The engines of the app by their bind keys, its own database first.

    :raises MigrationError: when two of them are one database.
    """
    engines: dict[str | None, Engine] = dict(
        sorted(db.engines.items(), key=lambda item: item[0] is not None)
    )
    seen: dict[Any, str | None] = {}
    for key, engine in engines.items():
        first = seen.setdefault(engine.url, key)
        is_shared = first != key and engine.url.database not in (None, "", ":memory:")
        if is_shared:
            raise MigrationError(
                f"This app has two names for one database: {bind_name(first)}, {bind_name(key)}."
                " Each would drop the tables of the other: give each a database of its own."
            )
    return engines


def bind_name(key: str | None) -> str:
    """A bind as it is called in messages."""
    return "the database of the app" if key is None else f"the bind {key!r}"


def suffix_of(key: str | None) -> str:
    """What names of functions for this bind end with."""
    return "" if key is None else f"_{re.sub(r'[^0-9a-zA-Z_]', '_', key)}"


@contextmanager
def functions_for(key: str | None) -> Iterator[None]:
    """Let each step mean its functions for this bind."""
    suffix = suffix_of(key)
    scripts = context.script.walk_revisions() if suffix else ()
    modules: list[Any] = [script.module for script in scripts]
    own = [(m, m.upgrade, m.downgrade) for m in modules]
    try:
        for module in modules:
            module.upgrade = getattr(module, f"upgrade{suffix}", _nothing)
            module.downgrade = getattr(module, f"downgrade{suffix}", _nothing)
        yield
    finally:
        for module, upgrade, downgrade in own:
            module.upgrade, module.downgrade = upgrade, downgrade


def _nothing() -> None:
    """A step that has nothing for a bind."""


def render_type(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Alembic's ``render_item``: a column type of the program is written with its import."""
    module = type(item).__module__
    if kind != "type":
        return False
    if not module.startswith("sqlalchemy."):
        autogen_context.imports.add(f"import {module}")
    return render_enum(item, autogen_context) or False


def _completing(settings: Mapping[str, Any]) -> Callable[..., None]:
    """A hook for migrations that are being written, which calls the program's own last."""
    own = settings.get("process_revision_directives")

    def hook(migration: Any, revision: Any, directives: list[Any]) -> None:
        if migration.connection is not None:
            for script in directives[-1:]:
                complete(migration, script.upgrade_ops_list[-1], script.downgrade_ops_list[-1])
        if own is not None:
            own(migration, revision, directives)

    return hook


def _print_sql(key: str | None, engine: Engine, settings: dict[str, Any], many: bool) -> None:
    if many:
        click.echo(f"-- {bind_name(key)}")
    named = {"paramstyle": "named"}
    context.configure(url=engine.url, literal_binds=True, dialect_opts=named, **settings)
    with context.begin_transaction():
        context.run_migrations()


def _migrate(engine: Engine, settings: dict[str, Any]) -> None:
    writes = context.config.attributes.get("writes", False)
    with engine.connect() as connection:
        if not writes:
            _run_steps(connection, settings)
        elif connection.dialect.name == "sqlite":
            with _unchecked_foreign_keys(connection) as are_on:
                _run_steps_of_sqlite(connection, settings, are_on)
        else:
            with exclusive(connection):
                _run_steps(connection, settings)


def _run_steps(connection: Connection, settings: dict[str, Any]) -> None:
    context.configure(connection=connection, **settings)
    with context.begin_transaction():
        context.run_migrations()


def _run_steps_of_sqlite(
    connection: Connection, settings: dict[str, Any], check_keys: bool
) -> None:
    """All steps in one transaction, which SQLite can do, though its driver begins none."""
    context.configure(connection=connection, **{"transactional_ddl": True, **settings})
    with context.begin_transaction():
        if connection.in_transaction():  # else there is one for each step
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        broken = set(_broken_keys(connection)) if check_keys else set()
        context.run_migrations()
        if check_keys:
            _refuse_broken(set(_broken_keys(connection)) - broken)


def _broken_keys(connection: Connection) -> Iterator[tuple[str, str]]:
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield (row[0], row[2])


def _refuse_broken(tables: set[tuple[str, str]]) -> None:
    for table, parent in sorted(tables):
        raise MigrationError(
            f"After these migrations rows of the table {table!r} would refer to rows of {parent!r}"
            " that are not there: none of them was taken."
        )


@contextmanager
def _unchecked_foreign_keys(connection: Connection) -> Iterator[bool]:
    """Changing a table of SQLite drops it: enforced keys would delete what refers to it."""
    are_on = bool(connection.exec_driver_sql("PRAGMA foreign_keys").scalar())
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.rollback()
    try:
        yield are_on
    finally:
        connection.rollback()
        connection.exec_driver_sql(f"PRAGMA foreign_keys={'ON' if are_on else 'OFF'}")
        connection.rollback()
