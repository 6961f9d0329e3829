"""``vial shell``."""

from __future__ import annotations

import ast
import code
import inspect
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

import click

from ..globals import current_app
from .commands import target_argument
from .context import with_appcontext

Names = dict[str, Any]


@click.command("shell", short_help="Run a shell in the app context.")
@target_argument
@click.option("--plain", is_flag=True, help="Use Python's own shell, whatever is installed.")
@with_appcontext
def shell_command(plain: bool) -> None:
    """Run an interactive Python shell in the application's context.

    It is IPython, bpython or ptpython, the first of them that is installed, and Python's own
    otherwise or when the input is not a terminal. In IPython and in Python's own shell 'await'
    works. The names of 'app.make_shell_context()' are there, and PYTHONSTARTUP is honoured.
    """
    choose = _plain if plain or not sys.stdin.isatty() else _best()
    banner = (
        f"Python {sys.version} on {sys.platform}\n"
        f"App: {current_app.import_name}\n"
        f"Instance: {current_app.instance_path}"
    )
    choose(banner)


def _best() -> Callable[[str], None]:
    """The best shell that is installed."""
    found = (run for name, run in _SHELLS.items() if find_spec(name) is not None)
    return next(found, _plain)


def _ipython(banner: str) -> None:
    # IPython.embed() cannot await. What start_ipython() is not told comes from the user's profile,
    # PYTHONSTARTUP included.
    config = import_module("traitlets.config").Config()
    config.TerminalInteractiveShell.banner1 = f"{banner}\n"
    names = current_app.make_shell_context()
    import_module("IPython").start_ipython(argv=[], user_ns=names, config=config)


def _bpython(banner: str) -> None:
    import_module("bpython").embed(locals_=_names(), banner=banner)


def _ptpython(banner: str) -> None:
    click.echo(banner)
    names = _names()
    import_module("ptpython.repl").embed(names, names)


#: Shells by the module that shows that they are installed, best first.
_SHELLS: dict[str, Callable[[str], None]] = {
    "IPython": _ipython,
    "bpython": _bpython,
    "ptpython": _ptpython,
}


def _names() -> Names:
    """What the user's startup file defines, and what the app gives."""
    names: Names = {}
    startup = os.environ.get("PYTHONSTARTUP")
    if startup and os.path.isfile(startup):
        exec(compile(Path(startup).read_text(), startup, "exec"), names)  # noqa: S102
    names.update(current_app.make_shell_context())
    return names


def _plain(banner: str) -> None:
    names = _names()
    _complete_names(names)
    _Console(names).interact(banner, "now exiting InteractiveConsole...")


class _Console(code.InteractiveConsole):
    """Python's own shell, in which ``await`` works; all of a session run on one loop."""

    _runner: Any = None

    def __init__(self, names: Names) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def runcode(self, code: CodeType) -> None:
        """As :meth:`code.InteractiveInterpreter.runcode`."""
        if not code.co_flags & inspect.CO_COROUTINE:
            super().runcode(code)
            return
        try:
            self._loop().run(eval(code, self.locals))  # noqa: S307
        except SystemExit:
            raise
        except BaseException:
            self.showtraceback()

    def _loop(self) -> Any:
        if self._runner is None:
            from asyncio import Runner

            self._runner = Runner()
        return self._runner

    def interact(self, *args: Any, **kwargs: Any) -> None:
        """As :meth:`code.InteractiveConsole.interact`, with the loop closed at the end."""
        try:
            super().interact(*args, **kwargs)
        finally:
            if self._runner is not None:
                self._runner.close()


def _complete_names(names: Names) -> None:
    hook = getattr(sys, "__interactivehook__", None)
    if hook is None:
        return
    try:
        import readline
        from rlcompleter import Completer
    except ImportError:
        pass
    else:
        readline.set_completer(Completer(names).complete)
    hook()
