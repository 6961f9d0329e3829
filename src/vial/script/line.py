"""Managers and commands as click knows them: a group, and what is in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from ..globals import current_app
from .command import Command

if TYPE_CHECKING:
    from .manager import Manager

_Parsers = Callable[[str], argparse.ArgumentParser]
#: The option that holds the command and what follows it; no name that a program could use.
COMMAND = "command "


class _Level(click.Command):
    """One word of the line with what it takes, which argparse reads."""

    parser: argparse.ArgumentParser

    def __init__(self, name: str, parsers: _Parsers, help: str) -> None:
        super().__init__(name, help=help, add_help_option=False)
        self.parsers = parsers

    def get_help(self, ctx: click.Context) -> str:
        return self.parsers(ctx.command_path).format_help()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = args
        if not ctx.resilient_parsing:  # else a shell asks how the line could go on
            self.parser = self.parsers(ctx.command_path)
            self.read(ctx, args)
        return ctx.args

    def read(self, ctx: click.Context, args: list[str]) -> None:
        raise NotImplementedError


class CommandLine(_Level):
    """A command."""

    def __init__(self, name: str, command: Command, parent: Manager) -> None:
        def parser(prog: str) -> argparse.ArgumentParser:
            return command.create_parser(prog, parent=parent)

        super().__init__(name, parser, help_of(command))
        self.script = command

    def read(self, ctx: click.Context, args: list[str]) -> None:
        captures = getattr(self.script, "capture_all_args", False)
        if captures:
            values, ctx.args = self.parser.parse_known_args(args)
        else:
            values, ctx.args = self.parser.parse_args(args), []
        ctx.params = vars(values)

    def invoke(self, ctx: click.Context) -> Any:
        captured = (ctx.args,) if getattr(self.script, "capture_all_args", False) else ()
        return self.script(_app(ctx.parent), *captured, **ctx.params)


class ManagerLine(_Level, click.Group):
    """A manager.

    :param default: the command to run when the line names none.
    :param exits: whether what the command returns is the exit code of the process.
    """

    def __init__(
        self, name: str, manager: Manager, default: str | None = None, exits: bool = False
    ) -> None:
        super().__init__(name, manager.create_parser, help_of(manager))
        self.script = manager
        self.default = default
        self.exits = exits

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.script._commands)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        command = self.script._commands.get(name)
        if isinstance(command, Command):
            return CommandLine(name, command, self.script)
        return None if command is None else ManagerLine(name, command)

    def read(self, ctx: click.Context, args: list[str]) -> None:
        ctx.params = vars(self.parser.parse_args(args))
        ctx.args = ctx.params.pop(COMMAND) or ([self.default] if self.default else [])
        if not ctx.args:
            self.parser.print_help()
            sys.exit(2)
        if ctx.args[0] not in self.script._commands:
            self.parser.error(_unknown(ctx.args[0], list(self.script._commands)))

    def invoke(self, ctx: click.Context) -> Any:
        # Not as in click.Group: the app is made when the whole line has been read.
        name, *rest = ctx.args
        command = self.get_command(ctx, name)
        assert command is not None
        with command.make_context(name, rest, parent=ctx) as inner:
            result = command.invoke(inner)
        if self.exits and result:
            sys.exit(result)
        return result


def help_of(command: Any) -> str:
    """The text for a list of commands: the first paragraph of what there is."""
    text = getattr(command, "help", None) or getattr(command, "description", None) or ""
    return " ".join(str(text).partition("\n\n")[0].split())


def _app(ctx: click.Context | None) -> Any:
    """The app that the managers above a command make, from the top down; below a command line of
    somebody else, from the app of that."""
    if ctx is None:
        return None
    if isinstance(ctx.command, ManagerLine):
        return ctx.command.script(_app(ctx.parent), **ctx.params)
    return current_app._get_current_object() if current_app else None  # type: ignore[attr-defined]


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=3)
    hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else "The help lists them."
    return f"there is no command {name!r}. {hint}"
