"""What a command takes from its line: declarations for :mod:`argparse`, and its parser.

Flask-Script hands options to argparse as they are, so programs use all of it: options with
``nargs="*"``, ``action="append_const"``, classes of actions, groups of which one may be given,
abbreviated names. click has none of these, so each level of a line is read by argparse, and click
does what is between the levels.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click


class Option:
    """One argument or option; takes what :meth:`argparse.ArgumentParser.add_argument` takes.

    :raises TypeError: for what argparse does not know.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            argparse.ArgumentParser(add_help=False).add_argument(*args, **kwargs)
        except (argparse.ArgumentError, TypeError, ValueError) as e:
            shown = [*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())]
            raise TypeError(
                f"Option({', '.join(shown)}) cannot be read: {e}. It takes the arguments of"
                " argparse's add_argument()."
            ) from None
        self.args = args
        self.kwargs = kwargs


class Group:
    """Options that belong together.

    :param title: their heading in the help text.
    :param description: the text under it.
    :param exclusive: at most one may be given. Neither title nor description goes with this.
    :param required: one of the exclusive ones must be.
    """

    def __init__(
        self,
        *options: Option,
        title: str | None = None,
        description: str | None = None,
        exclusive: bool | None = None,
        required: bool | None = None,
    ) -> None:
        if (title or description) and (exclusive or required):
            raise TypeError(
                "Group(): an exclusive or required group has no heading in a help text. Leave out"
                " title and description, or exclusive and required."
            )
        self.option_list = options
        self.title = title
        self.description = description
        self.exclusive = exclusive
        self.required = required

    def get_options(self) -> Iterable[Option]:
        """The options of the group; override to decide when the program runs."""
        return self.option_list


class Parser(argparse.ArgumentParser):
    """A parser that ends with the commands that can follow, when there are any."""

    def __init__(
        self, prog: str | None = None, *, commands: Sequence[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(prog, add_help=False, **kwargs)
        self._commands = commands

    def format_help(self) -> str:
        """The help text (public method of argparse)."""
        text = super().format_help()
        if not self._commands:
            return text
        listing = click.HelpFormatter()
        with listing.section("commands"):
            listing.write_dl(self._commands)
        return f"{text}\n{listing.getvalue()}"


def declare(
    parser: argparse.ArgumentParser, options: Iterable[Option | Group], help_flags: Iterable[str]
) -> None:
    """Tell a parser what to read: flags for its help, except those that an option has, and
    options."""
    options = [*options]
    taken = {flag for option in options for flag in _flags(option)}
    free = [flag for flag in help_flags if flag not in taken]
    if free:
        parser.add_argument(*free, action="help", help="show this help message and exit")
    _add(parser, options)


def _flags(option: Option | Group) -> Iterable[str]:
    if isinstance(option, Group):
        return [flag for inner in option.get_options() for flag in inner.args]
    return option.args


def _add(to: argparse._ActionsContainer, options: Iterable[Option | Group]) -> None:
    for option in options:
        if isinstance(option, Group):
            _add(_group(to, option), option.get_options())
        else:
            to.add_argument(*option.args, **option.kwargs)


def _group(to: argparse._ActionsContainer, group: Group) -> argparse._ActionsContainer:
    if group.exclusive or group.required:
        return to.add_mutually_exclusive_group(required=bool(group.required))
    return to.add_argument_group(group.title, group.description)


def options_of(func: Callable[..., Any]) -> list[Option]:
    """Options for the parameters of a function: those without a default are arguments, a boolean
    is a flag, and the first letter is the short form.

    :raises TypeError: when two options want the same letter.
    """
    taken: dict[str, str] = {}
    options = []
    for name, parameter in inspect.signature(func).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty:
            options.append(Option(name))
            continue
        if name[0] in taken:
            raise TypeError(
                f"{func.__qualname__}(): both {taken[name[0]]!r} and {name!r} would be"
                f" -{name[0]} on the command line. Rename one, or say what they are called with"
                f" @manager.option('--{name}')."
            )
        taken[name[0]] = name
        options.append(_option(name, parameter.default))
    return options


def _option(name: str, default: Any) -> Option:
    flags = (f"-{name[0]}", f"--{name}")
    if isinstance(default, bool):
        return Option(*flags, action="store_true", dest=name, default=default)
    return Option(*flags, dest=name, default=default)
