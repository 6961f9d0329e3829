"""What went wrong, for the person at the terminal."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.exc import DBAPIError, MissingGreenlet, SQLAlchemyError

from ...globals import current_app

#: Of a statement that failed, so much is shown.
MAX_STATEMENT = 500


class MigrationError(click.ClickException):
    """A migration that cannot be made or taken; the text says why and what to do."""


@contextmanager
def explained(directory: Path) -> Iterator[None]:
    """Turn what is raised inside into a :class:`MigrationError`; in debug mode the traceback is
    printed as well.

    :param directory: the folder of the migrations, whose files are named.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as e:
        if current_app.debug:
            traceback.print_exc()
        raise MigrationError(_explain(e, directory)) from e


def _explain(error: Exception, directory: Path) -> str:
    where = place_of(error, directory)
    if where:
        text = f"{where} failed: {_reason(error)}"
    elif _is_unreachable(error):
        text = f"The database cannot be reached: {_reason(error)}"
    elif type(error).__module__.startswith("alembic."):
        text = f"{str(error).rstrip('.')}."
    else:
        text = _reason(error)
    return f"{text}{_hint(error, directory)}"


def place_of(error: BaseException, directory: Path) -> str | None:
    """The file below ``directory``, and the line in it, where ``error`` comes from."""
    root = directory.resolve()
    if isinstance(error, SyntaxError) and error.filename:
        path = Path(error.filename).resolve()
        return f"{shown(path)}:{error.lineno}" if path.is_relative_to(root) else None
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename).resolve()
        # env.py runs them all: it is at fault only where nothing deeper is.
        is_own = path.is_relative_to(root) and "site-packages" not in path.parts
        if is_own and (path.name != "env.py" or found is None):
            found = (path, line)
    if found is None or (found[0].name == "env.py" and not _is_of_env(error, found[0])):
        return None
    return f"{shown(found[0])}:{found[1]}"


def _is_of_env(error: BaseException, path: Path) -> bool:
    """Whether an error was raised by env.py itself, not by what it called."""
    last = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    return Path(last.f_code.co_filename).resolve() == path


def shown(path: Path) -> str:
    """A path from the current directory, where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _reason(error: Exception) -> str:
    """The error in a few lines: that of the driver, and the statement."""
    if isinstance(error, DBAPIError):
        text = f"{type(error.orig).__name__}: {error.orig}".strip()
        statement = " ".join((error.statement or "").split())
        return f"{text}\n  {statement[:MAX_STATEMENT]}" if statement else text
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    return f"{type(error).__name__}: {error}"


def _is_unreachable(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.statement is None


def _hint(error: Exception, directory: Path) -> str:
    """What to do about it, where that is known."""
    text = str(error)
    if isinstance(error, ValueError) and "Constraint must have a name" in text:
        return (
            "\nSQLite keeps no name for it. Give constraints names: SQLAlchemy(metadata=MetaData("
            "naming_convention={...})), and name it in the migration."
        )
    if "Can't locate revision" in text:
        return f" The files are in {shown(directory / 'versions')}; 'vial db history' lists them."
    if isinstance(error, MissingGreenlet):
        return (
            "\nThe driver in the database's URI is for event loops: name the sync one there,"
            " db.async_session finds its own."
        )
    if isinstance(error, SQLAlchemyError) and "locked" in text:
        return "\nAnother process writes to it: try again when that is done."
    return ""


def warn(text: str) -> None:
    """Say what the person should look at, on standard error."""
    sys.stdout.flush()
    click.secho(f"Warning: {text}", err=True, fg="yellow")
