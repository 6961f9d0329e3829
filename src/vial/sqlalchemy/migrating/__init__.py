"""Migrations by Alembic, with Flask-Migrate's interface (4.1): ``vial db``, and its commands as
functions for programs, which need the app's context.

:class:`vial.sqlalchemy.SQLAlchemy` gives its app the commands by itself; a :class:`Migrate` says
how they are to work. Alembic is loaded when one of them runs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .cli import db as _commands
from .errors import MigrationError

if TYPE_CHECKING:
    from alembic.config import Config

    from ...app import Vial
    from .commands import (
        branches,
        check,
        current,
        downgrade,
        edit,
        heads,
        history,
        init,
        merge,
        migrate,
        revision,
        show,
        stamp,
        upgrade,
    )

__all__ = [
    "Migrate",
    "MigrationError",
    "branches",
    "check",
    "current",
    "downgrade",
    "edit",
    "heads",
    "history",
    "init",
    "merge",
    "migrate",
    "revision",
    "show",
    "stamp",
    "upgrade",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("vial.sqlalchemy.migrating.commands"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Migrations(NamedTuple):
    """How an app migrates: ``app.extensions["migrate"]``, which ``env.py`` of a folder reads."""

    migrate: Migrate
    db: Any
    directory: str
    #: For ``context.configure()`` of Alembic.
    configure_args: dict[str, Any]


class Migrate:
    """How an app migrates, where the defaults will not do.

    :param db: the ``SQLAlchemy`` object.
    :param directory: the folder of the migrations. A relative one is looked for in the current
        directory, then in the folder of the app's package.
    :param command: the name of the commands, for ``vial db``.
    :param compare_type: see changes of a column's type.
    :param render_as_batch: write changes so that SQLite, which can change no column, can take them.
    :param kwargs: more for ``context.configure()`` of Alembic.
    """

    def __init__(
        self,
        app: Vial | None = None,
        db: Any = None,
        directory: str | Path = "migrations",
        command: str = "db",
        compare_type: bool = True,
        render_as_batch: bool = True,
        **kwargs: Any,
    ) -> None:
        self.configure_callbacks: list[Callable[[Config], Config]] = []
        self.db = db
        self.directory = str(directory)
        self.command = command
        self.alembic_ctx_kwargs: dict[str, Any] = {
            **kwargs,
            "compare_type": compare_type,
            "render_as_batch": render_as_batch,
        }
        if app is not None and db is not None:
            self.init_app(app, db)

    def init_app(
        self,
        app: Vial,
        db: Any = None,
        directory: str | Path | None = None,
        command: str | None = None,
        compare_type: bool | None = None,
        render_as_batch: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Give the app the commands; what is given here goes before what was given above."""
        given = {"compare_type": compare_type, "render_as_batch": render_as_batch}
        self.db = self.db if db is None else db
        self.command = command or self.command
        self.directory = str(directory or self.directory)
        self.alembic_ctx_kwargs |= kwargs | {k: v for k, v in given.items() if v is not None}
        app.extensions["migrate"] = Migrations(
            self, self.db, self.directory, dict(self.alembic_ctx_kwargs)
        )
        app.cli.add_command(_commands, self.command)

    def configure(self, f: Callable[[Config], Config]) -> Callable[[Config], Config]:
        """Decorate a function that is given Alembic's ``Config`` and returns it, changed."""
        self.configure_callbacks.append(f)
        return f

    def call_configure_callbacks(self, config: Config) -> Config:
        """What the functions that :meth:`configure` decorated make of ``config``."""
        for f in self.configure_callbacks:
            config = f(config)
        return config

    def get_config(
        self,
        directory: str | Path | None = None,
        x_arg: str | list[str] | tuple[str, ...] | None = None,
        opts: list[str] | tuple[str, ...] | None = None,
    ) -> Config:
        """Alembic's configuration, with ``alembic.ini`` of the folder if it has one.

        :param x_arg: what ``context.get_x_argument()`` returns in ``env.py``.
        :param opts: names that are True in ``config.cmd_opts``.
        """
        make = import_module("vial.sqlalchemy.migrating.commands").make_config
        config: Config = make(self.directory if directory is None else directory, x_arg, opts)
        return self.call_configure_callbacks(config)


def register(app: Vial, db: Any) -> None:
    """Give the app ``vial db``, unless it has commands of that name or a ``Migrate`` already."""
    if "migrate" not in app.extensions and "db" not in app.cli.commands:
        Migrate(app, db)
