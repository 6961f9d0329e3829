"""Commands that programs get or add: the server, the shell, the routes, and cleaning up."""

from __future__ import annotations

import code
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from werkzeug.exceptions import HTTPException
from werkzeug.utils import import_string

from ..app import Vial
from ..globals import current_app
from .cli import prompt, prompt_bool, prompt_choices, prompt_pass
from .command import Command, InvalidCommand
from .options import Group, Option

__all__ = [
    "Clean",
    "Command",
    "Group",
    "InvalidCommand",
    "Option",
    "Server",
    "Shell",
    "ShowUrls",
    "prompt",
    "prompt_bool",
    "prompt_choices",
    "prompt_pass",
]

#: Shells in the order in which they are tried: the name in options, what starts one, and the
#: names that it has for the banner and for the names in the shell.
_SHELLS = (
    ("ptipython", "ptpython.ipython:embed", "banner1", "user_ns"),
    ("ptpython", "ptpython.repl:embed", None, "globals"),
    ("bpython", "bpython:embed", "banner", "locals_"),
    ("ipython", "IPython:embed", "banner1", "user_ns"),
)


class Shell(Command):
    """A Python shell in a context of the app.

    :param banner: what it says first.
    :param make_context: returns the names to have there; by default ``app``.
    :param use_ipython: use IPython where it is installed; likewise bpython, ptpython, and IPython
        inside ptpython, which are tried in the opposite order.
    """

    help = description = "Runs a Python shell in the application's context."
    banner = ""

    def __init__(
        self,
        banner: str | None = None,
        make_context: Callable[[], Mapping[str, Any]] | None = None,
        use_ipython: bool = True,
        use_bpython: bool = True,
        use_ptipython: bool = True,
        use_ptpython: bool = True,
    ) -> None:
        self.banner = banner or self.banner
        self.make_context = make_context
        self.use_ipython = use_ipython
        self.use_bpython = use_bpython
        self.use_ptipython = use_ptipython
        self.use_ptpython = use_ptpython

    def get_options(self) -> Sequence[Option]:
        """A ``--no-…`` for each shell that is in use."""
        return [
            Option(
                f"--no-{name}",
                action="store_true",
                default=not getattr(self, f"use_{name}"),
                help=f"do not use {name}",
            )
            for name in ("ipython", "bpython", "ptipython", "ptpython")
            if getattr(self, f"use_{name}")
        ]

    def get_context(self) -> Mapping[str, Any]:
        """The names in the shell."""
        if self.make_context is None:
            return {"app": current_app._get_current_object()}  # type: ignore[attr-defined]
        return self.make_context()

    def run(
        self,
        no_ipython: bool = False,
        no_bpython: bool = False,
        no_ptipython: bool = False,
        no_ptpython: bool = False,
    ) -> None:
        """Start the first shell that is installed and not refused; Python's own otherwise."""
        refused = {"ipython": no_ipython, "bpython": no_bpython}
        refused |= {"ptipython": no_ptipython, "ptpython": no_ptpython}
        names = dict(self.get_context())
        for name, target, banner, context in _SHELLS:
            allowed = getattr(self, f"use_{name}") and not refused[name]
            embed = allowed and import_string(target, silent=True)
            if embed:
                embed(**{context: names}, **({banner: self.banner} if banner else {}))
                return
        code.interact(self.banner or None, local=names)


class Server(Command):
    """The development server, by :meth:`vial.Vial.run`.

    :param host: the address to listen on.
    :param port: the port; 0 for any free one.
    :param use_debugger: debug mode; None for that of the app, and on where ``DEBUG`` is None.
    :param use_reloader: restart after a change; None for as ``use_debugger``.
    :param threaded: goes to ``run()``, as do ``processes`` and ``passthrough_errors``.
    :param ssl_crt: certificate file for HTTPS, together with ``ssl_key``.
    :param options: more for ``run()``.
    """

    help = description = "Runs the development server."

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 5000,
        use_debugger: bool | None = None,
        use_reloader: bool | None = None,
        threaded: bool = False,
        processes: int = 1,
        passthrough_errors: bool = False,
        ssl_crt: str | None = None,
        ssl_key: str | None = None,
        **options: Any,
    ) -> None:
        self.host = host
        self.port = port
        self.use_debugger = use_debugger
        self.use_reloader = use_reloader
        self.threaded = threaded
        self.processes = processes
        self.passthrough_errors = passthrough_errors
        self.ssl_crt = ssl_crt
        self.ssl_key = ssl_key
        self.server_options = options

    def get_options(self) -> Sequence[Option]:
        """Those of the command line, with what was given to the constructor as defaults."""

        def option(*flags: str, **kwargs: Any) -> Option:
            dest = kwargs.pop("dest", flags[-1][2:].replace("-", "_"))
            return Option(*flags, dest=dest, default=getattr(self, dest), **kwargs)

        on, off = {"action": "store_true"}, {"action": "store_false"}
        debugger, reloader = {"dest": "use_debugger"}, {"dest": "use_reloader"}
        return [
            option("-h", "--host", help="the address to listen on"),
            option("-p", "--port", type=int, help="the port, or 0 for any free one"),
            option("--threaded", **on),
            option("--processes", type=int),
            option("--passthrough-errors", **on),
            option("-d", "--debug", **debugger, **on, help="debug mode; not for production"),
            option("-D", "--no-debug", **debugger, **off, help="no debug mode"),
            option("-r", "--reload", **reloader, **on, help="restart when a file changes"),
            option("-R", "--no-reload", **reloader, **off, help="do not restart"),
            option("--ssl-crt", help="certificate file (PEM) for HTTPS"),
            option("--ssl-key", help="key file of the certificate"),
        ]

    def __call__(  # type: ignore[override]
        self,
        app: Vial,
        host: str,
        port: int,
        use_debugger: bool | None,
        use_reloader: bool | None,
        threaded: bool,
        processes: int,
        passthrough_errors: bool,
        ssl_crt: str | None,
        ssl_key: str | None,
    ) -> None:
        """Serve ``app`` until Ctrl-C."""
        debug = _debug(app) if use_debugger is None else use_debugger
        app.run(
            host=host,
            port=port,
            debug=debug,
            use_debugger=debug,
            use_reloader=debug if use_reloader is None else use_reloader,
            threaded=threaded,
            processes=processes,
            passthrough_errors=passthrough_errors,
            ssl_context=_certificate(ssl_crt, ssl_key),
            **self.server_options,
        )


def _debug(app: Vial) -> bool:
    debug: bool | None = app.config.get("DEBUG", False)
    if debug is None:
        click.echo("Debug mode is on: DEBUG is None. Set it to True or False.", err=True)
        return True
    return app.debug


def _certificate(crt: str | None, key: str | None) -> tuple[str, str] | None:
    if crt and key:
        return crt, key
    if crt or key:
        raise InvalidCommand(
            "Error: HTTPS needs a certificate and its key: give both --ssl-crt and --ssl-key."
        )
    return None


class Clean(Command):
    """Removes the files ``*.pyc`` and ``*.pyo`` below the current directory."""

    def run(self) -> None:
        """Remove them, naming each."""
        for folder, _, files in os.walk("."):
            for file in files:
                if file.endswith((".pyc", ".pyo")):
                    path = os.path.join(folder, file)
                    click.echo(f"Removing {path}")
                    os.remove(path)


class ShowUrls(Command):
    """Shows the routes of the application, or what answers at a URL.

    :param order: the attribute of a rule to sort by, ``endpoint`` for one.
    """

    description = "Shows the routes of the application, or what answers at a URL."

    def __init__(self, order: str = "rule") -> None:
        self.order = order

    def get_options(self) -> Sequence[Option]:
        """The URL, and what to sort by."""
        return [
            Option("url", nargs="?", help="show what answers there, such as /static/a.png"),
            Option("--order", default=self.order, help=f"what to sort by (default: {self.order})"),
        ]

    def run(self, url: str | None, order: str) -> int | None:
        """Print a table.

        :return: 1 when nothing answers at ``url``.
        """
        rules = list(current_app.url_map.iter_rules())
        if url:
            try:
                rule, arguments = _match(url)
            except HTTPException as e:
                click.echo(f"{url}: {e.code} {e.name}", err=True)
                return 1
            _print_table(("Rule", "Endpoint", "Arguments"), [(rule.rule, rule.endpoint, arguments)])
            return None
        if any(not hasattr(rule, order) for rule in rules):
            raise InvalidCommand(f"Error: rules have no {order!r}: --order rule, or endpoint.")
        rules.sort(key=lambda rule: str(getattr(rule, order)))
        _print_table(("Rule", "Endpoint"), [(rule.rule, rule.endpoint) for rule in rules])
        return None


def _match(url: str) -> tuple[Any, Any]:
    adapter = current_app.create_url_adapter(None) or current_app.url_map.bind("localhost")
    return adapter.match(url, return_rule=True)


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = [titles, *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table]
    click.echo("\n".join([lines[0], "-" * len(lines[0]), *lines[1:]]))
