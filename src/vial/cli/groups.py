"""The command group that knows the app's own commands."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import click

from ..app import Vial
from ..globals import current_app
from .commands import debug_option, set_app
from .context import AppGroup, ScriptInfo
from .discovery import NoAppException
from .environment import load_dotenv
from .routes import routes_command
from .run import run_command
from .serve import serve_command
from .shell import shell_command


def get_version(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Option callback: print the versions and leave."""
    if not value or ctx.resilient_parsing:
        return
    click.echo(
        f"Python {platform.python_version()}\n"
        f"Vial {metadata.version('vial-web')}\n"
        f"Werkzeug {metadata.version('werkzeug')}",
        color=ctx.color,
    )
    ctx.exit()


def _read_env_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and find_spec("dotenv") is None:
        raise click.BadParameter("python-dotenv must be installed to load an env file.", ctx, param)
    info = ctx.ensure_object(ScriptInfo)
    if value is not None or info.load_dotenv_defaults:
        load_dotenv(value, load_defaults=info.load_dotenv_defaults)
    return value


# The first two are eager: the app must be known before --help lists its commands, and a variable
# from a file may be what names it.
_env_file_option = click.Option(
    ["-e", "--env-file"],
    type=click.Path(exists=True, dir_okay=False),
    help="Read environment variables from this file; it goes before '.env' and '.flaskenv', and"
    " variables that are set already go before it. Needs python-dotenv.",
    is_eager=True,
    expose_value=False,
    callback=_read_env_file,
    envvar="VIAL_ENV_FILE",
)
_app_option = click.Option(
    ["-A", "--app"],
    metavar="IMPORT",
    help="The application: 'module:name', where the module is a file or a dotted name. The name"
    " can be left out when it is 'app', 'application', 'create_app' or 'make_app', and can be"
    " 'name(args)' to pass arguments.",
    is_eager=True,
    expose_value=False,
    callback=set_app,
    envvar="VIAL_APP",
)


def _version_option() -> click.Option:
    return click.Option(
        ["--version"],
        help="Show the version.",
        expose_value=False,
        callback=get_version,
        is_flag=True,
        is_eager=True,
    )


class FlaskGroup(AppGroup):
    """A command line with the app's own commands beside run, serve, shell and routes.

    Make one to give a program its own command line (Flask 3.1.3's class of that name).

    :param add_default_commands: False to have none of the four.
    :param create_app: returns the app; without it ``--app`` and the environment name it.
    :param add_version_option: add ``--version``.
    :param load_dotenv: read ``.env`` and ``.flaskenv``.
    :param set_debug_flag: set ``app.debug`` from ``FLASK_DEBUG``.
    :param extra: as :class:`click.Group`.
    """

    def __init__(
        self,
        add_default_commands: bool = True,
        create_app: Callable[..., Vial] | None = None,
        add_version_option: bool = True,
        load_dotenv: bool = True,
        set_debug_flag: bool = True,
        **extra: Any,
    ) -> None:
        params = [*(extra.pop("params", None) or ()), _env_file_option, _app_option, debug_option()]
        if add_version_option:
            params.append(_version_option())
        settings = {"auto_envvar_prefix": "FLASK", **extra.pop("context_settings", {})}
        super().__init__(params=params, context_settings=settings, **extra)
        self.create_app = create_app
        self.load_dotenv = load_dotenv
        self.set_debug_flag = set_debug_flag
        if add_default_commands:
            for command in (run_command, serve_command, shell_command, routes_command):
                self.add_command(command)
        self._plugins_loaded = False

    def _load_plugins(self) -> None:
        """Add what installed packages offer: ``flask.commands`` are those of Flask's extensions."""
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        for group in ("flask.commands", "vial.commands"):
            for point in metadata.entry_points(group=group):
                try:
                    self.add_command(_command(point.load()), point.name)
                except Exception as e:  # one broken package must not take away all commands
                    text = f"Warning: The command {point.name!r} of an installed package"
                    text += f" ({point.value}) cannot be loaded: {type(e).__name__}: {e}"
                    click.secho(text, err=True, fg="yellow")

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """A command of this group, of an extension or of the app."""
        self._load_plugins()
        command = super().get_command(ctx, name)
        if command is not None:
            return command
        app = self._app(ctx, (NoAppException,))
        if app is None:
            return None
        if not current_app or current_app._get_current_object() is not app:  # type: ignore[attr-defined]
            ctx.with_resource(app.app_context())
        return app.cli.get_command(ctx, name)

    def _app(self, ctx: click.Context, survived: tuple[type[BaseException], ...]) -> Vial | None:
        """The app, or None after one of the errors that a command line survives was shown.

        While a shell completes, nothing is shown, and what the program prints goes nowhere.
        """
        info = ctx.ensure_object(ScriptInfo)
        if ctx.resilient_parsing:
            with open(os.devnull, "w") as null, redirect_stdout(null), redirect_stderr(null):
                return _quietly(info.load_app)
        try:
            return info.load_app()
        except survived as e:
            _show_error(e)
            return None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all of them. An app that does not load is reported, not raised: ``--help``
        still shows the rest."""
        self._load_plugins()
        app = self._app(ctx, (Exception, SystemExit))
        own = super().list_commands(ctx)
        return sorted({*own, *(app.cli.list_commands(ctx) if app is not None else ())})

    def _names(self, ctx: click.Context) -> Iterable[str]:
        # get_command() has shown already why there is no app.
        app = ctx.ensure_object(ScriptInfo)._loaded_app
        own = super().list_commands(ctx)
        return {*own, *(app.cli.list_commands(ctx) if app is not None else ())}

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """As :meth:`click.Group.make_context`, with a :class:`ScriptInfo` as its ``obj``."""
        # app.run() outside an `if __name__ == "__main__"` guard would block every command.
        os.environ["FLASK_RUN_FROM_CLI"] = "true"
        if "obj" not in extra and "obj" not in self.context_settings:
            extra["obj"] = ScriptInfo(
                create_app=self.create_app,
                set_debug_flag=self.set_debug_flag,
                load_dotenv_defaults=self.load_dotenv,
            )
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As :meth:`click.Group.parse_args`, with the app known when only help is shown."""
        only_help = len(args) == 1 and args[0] in self.get_help_option_names(ctx)
        if only_help or (not args and self.no_args_is_help):
            _env_file_option.handle_parse_result(ctx, {}, [])
            _app_option.handle_parse_result(ctx, {}, [])
        try:
            return super().parse_args(ctx, args)
        except click.ClickException:
            ctx.close()  # click leaves what get_command() opened while help was put together
            raise


def _command(loaded: Any) -> click.Command:
    if not isinstance(loaded, click.Command):
        raise TypeError(f"{loaded!r} is no click command")
    return loaded


def _quietly(load: Callable[[], Vial]) -> Vial | None:
    with suppress(Exception, SystemExit):
        return load()
    return None


def _show_error(error: BaseException) -> None:
    """Why there is no app: a sentence, or the traceback of the program's own error."""
    text = f"{traceback.format_exc()}"
    if isinstance(error, NoAppException):
        text = f"Error: {error.format_message()}\n"
    click.secho(text, err=True, fg="red")
