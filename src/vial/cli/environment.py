"""What the command line reads from and says to its surroundings."""

from __future__ import annotations

import os

import click

#: The variables that :func:`load_dotenv` has set in this process.
variables_from_files: set[str] = set()
_read: set[str] = set()


def load_dotenv(path: str | os.PathLike[str] | None = None, load_defaults: bool = True) -> bool:
    """Set environment variables from ``path``, ``.env`` and ``.flaskenv``, in this order of
    precedence; variables that are set already stay (Flask 3.1.3).

    Does nothing without the ``python-dotenv`` package, except to say so when there is a file.

    :return: whether any file had a variable.
    """
    try:
        import dotenv
    except ImportError:
        if path or os.path.isfile(".env") or os.path.isfile(".flaskenv"):
            tip = " * Tip: There are .env files present. Install python-dotenv to use them."
            click.secho(tip, fg="yellow", err=True)
        return False
    defaults = (".flaskenv", ".env") if load_defaults else ()
    found = [dotenv.find_dotenv(name, usecwd=True) for name in defaults]
    values: dict[str, str | None] = {}
    for name in [*found, path]:
        if name and os.path.isfile(name):
            _read.add(os.path.realpath(name))
            values |= dotenv.dotenv_values(name, encoding="utf-8")
    for key, value in values.items():
        if value is not None and key not in os.environ:
            os.environ[key] = value
            variables_from_files.add(key)
    return bool(values)


def env_files() -> set[str]:
    """The files that :func:`load_dotenv` has read, and those that it would read here."""
    return _read | {os.path.realpath(name) for name in (".env", ".flaskenv")}


def show_server_banner(debug: bool | None, app_import_path: str | None) -> None:
    """The two lines that say what is served."""
    if app_import_path is not None:
        click.echo(f" * Serving Vial app '{app_import_path}'")
    if debug is not None:
        click.echo(f" * Debug mode: {'on' if debug else 'off'}")
