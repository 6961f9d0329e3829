"""The app of a command line, and command groups that run inside its context."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import update_wrapper
from typing import Any, TypeVar

import click

from ..app import Vial
from ..globals import current_app
from ..helpers import get_debug_flag, get_load_dotenv
from ..hints.names import question
from .discovery import NoAppException, load_default, load_target

F = TypeVar("F", bound=Callable[..., Any])


class ScriptInfo:
    """Finds and keeps the app of one command line; the ``obj`` of its click context.

    :param app_import_path: file or module, and perhaps ``:name``, as after ``vial run``.
    :param create_app: returns the app; goes before ``app_import_path``.
    :param set_debug_flag: set ``app.debug`` from ``FLASK_DEBUG``.
    :param load_dotenv_defaults: whether the command line reads ``.env`` and ``.flaskenv``.
    """

    def __init__(
        self,
        app_import_path: str | None = None,
        create_app: Callable[..., Vial] | None = None,
        set_debug_flag: bool = True,
        load_dotenv_defaults: bool = True,
    ) -> None:
        self.app_import_path = app_import_path
        self.create_app = create_app
        #: For commands to share what they like.
        self.data: dict[Any, Any] = {}
        self.set_debug_flag = set_debug_flag
        self.load_dotenv_defaults = get_load_dotenv(load_dotenv_defaults)
        self._loaded_app: Vial | None = None

    def load_app(self) -> Vial:
        """The app, loaded at the first call.

        :raises NoAppException: when it cannot be found; what its code raises comes as it is.
        """
        if self._loaded_app is None:
            app = self._find()
            if self.set_debug_flag:
                app.debug = get_debug_flag()
            self._loaded_app = app
        return self._loaded_app

    def _find(self) -> Vial:
        if self.create_app is not None:
            made = self.create_app()
            if made is None:
                raise NoAppException(f"{self.create_app!r} returned no application, but None.")
            return made
        if not self.app_import_path:
            return load_default()
        # The colon of a Windows drive (C:\app.py) does not separate.
        path, *name = re.split(r":(?![\\/])", self.app_import_path, maxsplit=1)
        return load_target(path, name[0] if name else None)


pass_script_info = click.make_pass_decorator(ScriptInfo, ensure=True)


def with_appcontext(f: F) -> F:
    """Decorate a click callback so that it runs inside the app's context.

    Commands of ``app.cli`` and of a blueprint's ``cli`` need no decorator.
    """

    @click.pass_context
    def in_context(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        if not current_app:
            app = ctx.ensure_object(ScriptInfo).load_app()
            ctx.with_resource(app.app_context())
        return ctx.invoke(f, *args, **kwargs)

    return update_wrapper(in_context, f)  # type: ignore[return-value]


class AppGroup(click.Group):
    """A click group whose commands run inside the app's context; the type of ``app.cli``."""

    def command(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        """As :meth:`click.Group.command`; ``with_appcontext=False`` leaves the context out."""
        wrap = kwargs.pop("with_appcontext", True)
        make = super().command

        def decorate(f: Callable[..., Any]) -> click.Command:
            command: click.Command = make(*args, **kwargs)(with_appcontext(f) if wrap else f)
            return command

        return decorate

    def group(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Group]:
        """As :meth:`click.Group.group`; the subgroup is an :class:`AppGroup` too."""
        kwargs.setdefault("cls", AppGroup)
        return super().group(*args, **kwargs)  # type: ignore[no-any-return]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As :meth:`click.Group.resolve_command`; a name that is not known is answered with those
        like it."""
        name = args[0]
        is_word = not ctx.resilient_parsing and name[:1].isalnum() and not ctx.token_normalize_func
        if is_word and self.get_command(ctx, name) is None:
            raise _no_such_command(ctx, name, self._names(ctx))
        return super().resolve_command(ctx, args)

    def _names(self, ctx: click.Context) -> Iterable[str]:
        """The names of commands that a typing error may mean."""
        return self.list_commands(ctx)


def _no_such_command(ctx: click.Context, name: str, names: Iterable[str]) -> click.UsageError:
    kind = getattr(click.exceptions, "NoSuchCommand", None)  # since click 8.4
    if kind is not None:
        error: click.UsageError = kind(name, possibilities=names, ctx=ctx)
        return error
    like = get_close_matches(name[:200], names)
    return click.UsageError(f"No such command {name!r}.{question(like)}", ctx)
