"""What the command line reads from and says to its surroundings."""

from __future__ import annotations

import os

import click


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
            values |= dotenv.dotenv_values(name, encoding="utf-8")
    for key, value in values.items():
        if value is not None:
            os.environ.setdefault(key, value)
    return bool(values)


def show_server_banner(debug: bool | None, app_import_path: str | None) -> None:
    """The two lines that say what is served."""
    if app_import_path is not None:
        click.echo(f" * Serving Vial app '{app_import_path}'")
    if debug is not None:
        click.echo(f" * Debug mode: {'on' if debug else 'off'}")
