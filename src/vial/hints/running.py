"""Routes that come after ``app.run()``, and so never exist.

``app.run()`` returns when the server was stopped. What a program registers below it is registered
then, and its author wonders about a 404.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from logging import WARNING
from types import FrameType

from .telling import tell

_REGISTERS = {
    *("route", "get", "post", "put", "delete", "patch", "websocket", "errorhandler"),
    *("before_request", "after_request", "context_processor", "register_blueprint"),
    *("add_url_rule", "template_filter", "teardown_appcontext"),
}


def warn_of_late_routes(caller: FrameType) -> None:
    """Say which lines of a program below its ``app.run()`` will not run while it serves."""
    if caller.f_code.co_name != "<module>":
        return
    try:
        with open(caller.f_code.co_filename, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return
    late = list(_registered_after(tree, caller.f_lineno))
    if late:
        tell(
            WARNING,
            "app.run() in line %s serves until the program ends, and what comes after it does not"
            " exist meanwhile: %s. Make app.run() the last line of the file.",
            caller.f_lineno,
            ", ".join(late),
        )


def _registered_after(tree: ast.Module, line: int) -> Iterator[str]:
    """What top-level statements below a line register on an app."""
    for statement in tree.body:
        if statement.lineno <= line:
            continue
        named = getattr(statement, "name", "")
        calls = [*getattr(statement, "decorator_list", ()), getattr(statement, "value", None)]
        for call in calls:
            function = call.func if isinstance(call, ast.Call) else call
            if isinstance(function, ast.Attribute) and function.attr in _REGISTERS:
                yield f"{function.attr} {named} (line {call.lineno})".replace("  ", " ")
