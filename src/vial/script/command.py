"""One command."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from ..app import Vial
from .options import Group, Option, Parser, declare, options_of


class InvalidCommand(Exception, SystemExit):
    """Raise it in a command to end the program with this message and code 1.

    It goes through :meth:`Manager.run`, so that a program can catch it; one that does not ends
    without a traceback.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.code = " ".join(map(str, args)) or type(self).__name__


class _Docstring:
    """The help text of a command that has no other."""

    def __get__(self, command: Any, owner: type) -> str:
        # The docstring of Command itself is for those who write commands.
        own = getattr(command, "__dict__", {}).get("__doc__") if owner is Command else owner.__doc__
        return inspect.cleandoc(own or "")


class Command:
    """Something that a :class:`Manager` can run: a subclass with :meth:`run`, or a function.

    The docstring is its help text. Subclasses need not call ``__init__``.

    :param func: what to run. Its parameters become arguments and options.
    """

    #: The help text; the docstring, unless a subclass or an instance sets it.
    description: str = cast(str, _Docstring())
    #: What the command takes, as :class:`Option` and :class:`Group`.
    option_list: Sequence[Option | Group] = ()
    #: Flags that show the help text; None for those of the manager.
    help_args: Sequence[str] | None = None
    #: Whether :meth:`run` gets, as its first argument, a list of what no option takes.
    capture_all_args: ClassVar[bool] = False

    def __init__(self, func: Callable[..., Any] | None = None) -> None:
        if func is None:
            return
        self.run = func  # type: ignore[method-assign]
        self.__doc__ = func.__doc__
        self.option_list = options_of(func)

    def add_option(self, option: Option | Group) -> None:
        """Take one more option."""
        self.option_list = [*self.option_list, option]

    def get_options(self) -> Sequence[Option | Group]:
        """``option_list``; override to decide when the program runs."""
        return self.option_list

    def create_parser(
        self, *args: Any, func_stack: Sequence[Any] = (), parent: Any = None, **kwargs: Any
    ) -> argparse.ArgumentParser:
        """The parser of this command's part of the line.

        :param args: for :class:`argparse.ArgumentParser`, as ``kwargs``: the name first.
        :param parent: the manager that the command is in.
        """
        flags = self.help_args or getattr(parent, "help_args", None) or ("-?", "--help")
        parser = Parser(*args, **{"description": self.description, **kwargs})
        declare(parser, self.get_options(), flags)
        return parser

    def __call__(self, app: Vial | None = None, *args: Any, **kwargs: Any) -> Any:
        """Call :meth:`run` in a request context of the app, made up for it."""
        if app is None:
            raise RuntimeError(
                f"{type(self).__name__} needs an application: it is called with the one of its"
                " manager, or as command(app)."
            )
        with app.test_request_context():
            return self.run(*args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """What the command does; it gets the options by their names.

        :return: the exit code of the program: None or 0 when all went well, a number, or a text
            to print on standard error, for 1.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a run() method.")
