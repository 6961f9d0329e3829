"""The ``vial`` command, and what programs need to write commands of their own.

Names are those of ``flask.cli`` (Flask 3.1.3).
"""

from __future__ import annotations

from ..flask_mode import PREFERRED, install_as_flask
from .check import check_command
from .completion import completion_command
from .context import AppGroup, ScriptInfo, pass_script_info, with_appcontext
from .discovery import (
    NoAppException,
    find_app_by_string,
    find_best_app,
    locate_app,
    prepare_import,
)
from .environment import load_dotenv, show_server_banner
from .generate import generate_command
from .groups import FlaskGroup, get_version
from .new import new_command
from .routes import routes_command
from .run import CertParamType, SeparatedPathType, run_command
from .shell import shell_command

__all__ = [
    "AppGroup",
    "CertParamType",
    "FlaskGroup",
    "NoAppException",
    "ScriptInfo",
    "SeparatedPathType",
    "cli",
    "find_app_by_string",
    "find_best_app",
    "get_version",
    "load_dotenv",
    "locate_app",
    "main",
    "pass_script_info",
    "prepare_import",
    "routes_command",
    "run_command",
    "shell_command",
    "show_server_banner",
    "with_appcontext",
]

cli = FlaskGroup(
    name="vial",
    help="Run and inspect applications made with Vial or Flask.\n\n"
    "Name the application after the command ('vial run hello.py'), with '--app', or in the"
    " FLASK_APP environment variable; without a name it is looked for in wsgi.py, app.py and"
    " main.py.",
)
# Not for the command lines of programs: a FlaskGroup of their own makes no other program.
cli.add_command(check_command)
cli.add_command(completion_command)
cli.add_command(new_command)
cli.add_command(generate_command)


def main() -> None:
    """The ``vial`` program. In it, ``import flask`` means Vial."""
    install_as_flask(PREFERRED)
    cli.main()
