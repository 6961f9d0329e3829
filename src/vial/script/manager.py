"""A set of commands, and the program that runs one of them."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import click

from ..app import Vial
from .command import Command
from .commands import Server, Shell
from .line import COMMAND, ManagerLine, help_of
from .options import Group, Option, Parser, declare

F = TypeVar("F", bound=Callable[..., Any])


class Manager:
    """Commands for an app; added to another manager, a command with commands of its own.

    :param app: the app, or what makes it; that is called with the manager's options. In a
        sub-manager a function that takes the app and the options; what it returns, if anything,
        takes the app's place.
    :param with_default_commands: have ``shell`` and ``runserver``; by default in the manager that
        runs, and not in a sub-manager.
    :param usage: the help text, where neither of the next two is given.
    :param help: the text in the list of commands of another manager.
    :param description: the text in its own help.
    :param disable_argcomplete: taken for programs that say so; completion is click's.
    """

    #: Flags that show the help text. ``-h`` is none of them: it is the host of ``runserver``.
    help_args: Sequence[str] = ("-?", "--help")

    def __init__(
        self,
        app: Vial | Callable[..., Any] | None = None,
        with_default_commands: bool | None = None,
        usage: str | None = None,
        help: str | None = None,
        description: str | None = None,
        disable_argcomplete: bool = False,
    ) -> None:
        self.app = app
        self.usage = usage
        self.help = help if help is not None else usage
        self.description = description if description is not None else usage
        self.disable_argcomplete = disable_argcomplete
        self.with_default_commands = with_default_commands
        self.parent: Manager | None = None
        self._commands: dict[str, Any] = {}
        self._options: list[Option | Group] = []

    # -- what there is -----------------------------------------------------------------------

    def add_default_commands(self) -> None:
        """Add ``shell`` and ``runserver``, unless there are commands of these names."""
        self._commands.setdefault("shell", Shell())
        self._commands.setdefault("runserver", Server())

    def set_defaults(self) -> None:
        """Add them if this manager is to have them."""
        wanted = self.with_default_commands
        if wanted or (wanted is None and self.parent is None):
            self.add_default_commands()

    def add_option(self, *args: Any, **kwargs: Any) -> None:
        """Give what makes the app one more option. Takes what :class:`Option` takes."""
        self._options.append(Option(*args, **kwargs))

    def get_options(self) -> Sequence[Option | Group]:
        """The options that stand before the command; override to decide at run time."""
        return self._options

    def add_command(self, *args: Any, **kwargs: Any) -> None:
        """Add a command: ``add_command("name", command)``, or without a name.

        A command is an instance or subclass of :class:`Command`, a manager, or a function. Its
        name, if not given, is that of its attribute ``name``, or of its class without "Command".
        With ``namespace="x"`` it is ``x name`` on the line.
        """
        name, command = args if len(args) == 2 else (None, *args)
        name = name or _name_of(command)
        if inspect.isclass(command):
            command = command()
        namespace = kwargs.get("namespace") or getattr(command, "namespace", None)
        if namespace:
            if namespace not in self._commands:
                self.add_command(namespace, Manager())
            self._commands[namespace]._add(name, command)
        else:
            self._add(name, command)

    def _add(self, name: str, command: Any) -> None:
        if not callable(command):
            raise TypeError(
                f"add_command({name!r}, {command!r}): a command is a Command, a subclass of it, a"
                " Manager or a function."
            )
        if isinstance(command, Manager):
            command.parent = self
        elif not isinstance(command, Command):
            command = Command(command)
        self._commands[name] = command

    def command(self, func: F) -> F:
        """Decorate a function to make it a command of its name; its parameters are arguments and,
        those with a default, options."""
        self.add_command(func.__name__, Command(func))
        return func

    def option(self, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        """Decorate a function to make it a command with this option, however many there are.

        Takes what :class:`Option` takes.
        """
        option = Option(*args, **kwargs)

        def decorate(func: F) -> F:
            if func.__name__ not in self._commands:
                command = Command()
                command.run = func  # type: ignore[method-assign]
                command.__doc__ = func.__doc__
                self.add_command(func.__name__, command)
            self._commands[func.__name__].add_option(option)
            return func

        return decorate

    def shell(self, func: F) -> F:
        """Decorate a function that returns the names for the ``shell`` command."""
        self.add_command("shell", Shell(make_context=func))
        return func

    # -- what happens ------------------------------------------------------------------------

    def __call__(self, app: Any = None, **kwargs: Any) -> Any:
        """The app, made with these options if need be; ``app`` is that of the manager above."""
        if app is not None and not self._is_given_an_app():
            return app
        if self.app is None:
            raise RuntimeError(
                "This manager has no application. Give it one, or a function that makes one:"
                " Manager(app)."
            )
        if app is not None:
            made = self.app(app, **kwargs)
            return app if made is None else made
        if isinstance(self.app, Vial):
            if any(value is not None for value in kwargs.values()):
                warnings.warn(
                    f"The options {kwargs} have no effect: the manager has an application already,"
                    " and they are for a function that makes one.",
                    stacklevel=2,
                )
            return self.app
        self.app = self.app(**kwargs)
        return self.app

    def _is_given_an_app(self) -> bool:
        """Whether what makes the app starts from another; a factory with defaults only does not."""
        if self.app is None or isinstance(self.app, Vial):
            return False
        first = next(iter(inspect.signature(self.app).parameters.values()), None)
        return first is not None and first.default is first.empty

    def create_app(self, *args: Any, **kwargs: Any) -> Any:
        """Call the manager instead (deprecated by Flask-Script 2.0)."""
        return self(*args, **kwargs)

    def create_parser(
        self, prog: str, func_stack: Sequence[Any] = (), parent: Manager | None = None
    ) -> argparse.ArgumentParser:
        """The parser for what stands before the command."""
        self.set_defaults()
        rows = [(name, help_of(command)) for name, command in self._commands.items()]
        parser = Parser(prog, commands=rows, description=self.description)
        declare(parser, self.get_options(), self.help_args)
        rest = parser.add_argument(
            COMMAND, nargs=argparse.PARSER, metavar="COMMAND", help="one of those below"
        )
        rest.required = False
        return parser

    def as_click(self, name: str) -> click.Group:
        """This manager as a group of click: ``app.cli.add_command(manager.as_click("db"))`` makes
        its commands those of ``vial db``, in the app that ``vial`` found."""
        if self.with_default_commands is None:
            self.with_default_commands = False
        return ManagerLine(name, self, exits=True)

    def handle(self, prog: str, args: Sequence[str] | None = None) -> Any:
        """Run the line ``args`` and return what the command returned.

        :raises SystemExit: when the line cannot be read, or asks for help.
        """
        return self._main(prog, args or (), None)

    def run(
        self, commands: Mapping[str, Any] | None = None, default_command: str | None = None
    ) -> NoReturn:
        """Run the program's command line and end the process.

        :param commands: more commands, by name.
        :param default_command: what to run when the line names no command.
        :raises SystemExit: always: what the command returned is its code, 2 is for a line that
            cannot be read, 130 for Ctrl-C, 1 for input that ended.
        """
        for name, command in (commands or {}).items():
            self.add_command(name, command)
        try:
            result = self._main(sys.argv[0], sys.argv[1:], default_command)
        except click.Abort as e:
            click.echo("Aborted!", err=True)
            result = 130 if isinstance(e.__cause__, KeyboardInterrupt) else 1
        except click.ClickException as e:
            e.show()
            result = e.exit_code
        sys.exit(result or 0)

    def _main(self, prog: str, args: Sequence[str], default: str | None) -> Any:
        prog = os.path.basename(prog)
        line = ManagerLine(prog, self, default)
        return line.main([*args], prog_name=prog, standalone_mode=False)


def _name_of(command: Any) -> str:
    kind = command if inspect.isclass(command) else type(command)
    name = getattr(command, "name", None)
    if name is None and not inspect.isclass(command):
        name = getattr(command, "__name__", None)  # of a function
    return str(name or re.sub(r"(?<=.)command$", "", kind.__name__.lower()))
