"""Calls in async views that block the loop, told in debug mode when a view is first asked for.

While one waits, no other request of the worker is answered. Read from the source, so a call that is
made further down is not seen; one that is handed to a thread is not told.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from logging import WARNING
from typing import Any
from weakref import WeakSet

from .names import qualified
from .telling import tell

#: Methods of a sync session, such as ``db.session``, that wait for the database.
_ASKS_DATABASE = ("commit", "execute", "flush", "get", "get_one", "refresh", "scalar", "scalars")
#: By module and name, ``*`` for all of a module, what does not block.
_INSTEAD = {
    "time.sleep": "await asyncio.sleep(…)",
    "requests.api.*": "await httpx.AsyncClient().get(…)",
    "requests.sessions.*": "await httpx.AsyncClient().get(…)",
    "urllib.request.urlopen": "an async client such as httpx",
    "subprocess.*": "await asyncio.create_subprocess_exec(…)",
    "builtins.input": "a form",
    **dict.fromkeys(
        (f"sqlalchemy.orm.scoping.{name}" for name in _ASKS_DATABASE),
        "await db.async_session.…",
    ),
}
_told: WeakSet[Callable[..., Any]] = WeakSet()
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def warn_of_blocking(view: Callable[..., Any]) -> None:
    """Log each blocking call in the source of an async view, with what to write instead."""
    if view in _told:  # an app compiles its plans again after a change
        return
    _told.add(view)
    try:
        calls = list(_blocking(inspect.unwrap(view)))
    except Exception:  # source that is not there, or not what runs
        return
    for line, name, instead in calls:
        tell(
            WARNING,
            "The async view %s calls %s() in line %s, which blocks: no other request is answered"
            " meanwhile. Write %s, or declare the view 'def': then it has a thread of its own.",
            qualified(view),
            name,
            line,
            instead,
        )


def _blocking(view: Callable[..., Any]) -> Iterator[tuple[int, str, str]]:
    lines, first = inspect.getsourcelines(view)
    function: Any = ast.parse(textwrap.dedent("".join(lines))).body[0]
    for statement in function.body:
        for call in _calls(statement):
            found = _resolved(call.func, view.__globals__)
            name = f"{getattr(found, '__module__', '')}.{getattr(found, '__name__', '')}"
            instead = _INSTEAD.get(name) or _INSTEAD.get(f"{name.rpartition('.')[0]}.*")
            if instead is not None:
                yield first + call.lineno - 1, ast.unparse(call.func), instead


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls of a statement, without those of functions that it defines."""
    if isinstance(node, _FUNCTIONS):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def _resolved(name: ast.expr, names: dict[str, Any]) -> Any:
    """The object that a dotted name means in a module; ``None`` for anything else."""
    if isinstance(name, ast.Attribute):
        return getattr(_resolved(name.value, names), name.attr, None)
    if not isinstance(name, ast.Name):
        return None
    builtins = names.get("__builtins__", {})
    builtins = builtins if isinstance(builtins, dict) else vars(builtins)
    return names.get(name.id, builtins.get(name.id))
