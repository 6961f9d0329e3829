"""Which names a project and its parts can have. Errors say what to do."""

from __future__ import annotations

import keyword
import re
import sys

import click

WIDTH = 100  # of a line, as the project's formatter has it
LONGEST_PROJECT = 40  # the lines that have it still fit
LONGEST_PART = 28  # twice in a line
PROJECT = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
PART = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")

# What a project imports or has beside its package: a package of that name would hide it.
TAKEN = frozenset(
    (
        *("alembic", "argon2", "blinker", "bootstrap", "click", "conftest", "docs", "dotenv"),
        *("flask", "granian", "instance", "itsdangerous", "jinja2", "markupsafe", "migrations"),
        *("msgpack", "packaging"),
        *("pip", "psycopg", "pydantic", "pymysql", "pytest", "redis", "ruff", "setuptools"),
        *("socketio", "sqlalchemy", "static", "templates", "test", "tests", "vial", "watchfiles"),
        *("werkzeug", "wsgi", "wtforms"),
        *("aux", "con", "nul", "prn"),  # no files, for Windows
    )
)


def check_project(name: str) -> str:
    """The package for a project of this name: ``my-shop`` has ``my_shop``.

    :raises click.BadParameter: when it cannot be one.
    """
    if "/" in name or "\\" in name or name.startswith("."):
        raise click.BadParameter(
            f"{name!r} is a path. Go to the folder that shall have the project, and give a name"
            " such as 'shop', or '.' for that folder itself."
        )
    if not PROJECT.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} is no name for a Python package: letters of English, digits, '-' and '_',"
            " a letter at the beginning, a letter or digit at the end, such as 'my-shop'."
        )
    _check_length("project", name, LONGEST_PROJECT)
    package = name.replace("-", "_").lower()
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        raise click.BadParameter(f"{name!r} is a word of Python itself. Try 'my-{name}'.")
    if package in TAKEN or package in sys.stdlib_module_names:
        raise click.BadParameter(
            f"a package {package!r} would hide the one of that name, which the project needs or"
            f" Python has. Try 'my-{name}'."
        )
    return package


def check_part(kind: str, name: str) -> str:
    """The module name for a view, form, test or model: ``BlogPost`` is ``blog_post``.

    :param kind: what it is, for the message.
    :raises click.BadParameter: when it cannot be one.
    """
    part = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
    if not PART.fullmatch(part):
        raise click.BadParameter(
            f"{name!r} is no name for a {kind}: letters of English, digits and '_', a letter at"
            " the beginning, such as 'article' or 'blog_post'."
        )
    _check_length(kind, name, LONGEST_PART)
    if keyword.iskeyword(part) or part in ("true", "false", "none"):
        raise click.BadParameter(f"{name!r} is a word of Python itself.")
    return part


def _check_length(kind: str, name: str, longest: int) -> None:
    if len(name) > longest:
        raise click.BadParameter(
            f"{name[:longest]!r}... has {len(name)} characters; the name of a {kind} has at most"
            f" {longest}."
        )


def class_name(part: str) -> str:
    """``blog_post`` as a class: ``BlogPost``."""
    return "".join(word.capitalize() for word in part.split("_"))


def words(part: str) -> str:
    """``blog_post`` as people read it: ``Blog post``."""
    return part.replace("_", " ").replace("-", " ").capitalize()
