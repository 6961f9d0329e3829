"""Code that is typed into the page, run in a frame."""

from __future__ import annotations

import ast
import codeop
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from html import unescape
from traceback import TracebackException
from typing import Any, NamedTuple

from werkzeug.debug.console import ThreadedStream

from ...ctx import RequestContext
from .reprs import BoundedRepr
from .terminal import readable

#: Characters of one answer.
LONGEST = 100_000
_NAME = "<console>"
_repr = BoundedRepr(20_000, masks=False)


class Output(NamedTuple):
    """What a line of code gave."""

    text: str
    #: Whether the code is the beginning of a statement, and more of it is wanted.
    wants_more: bool = False


class Console:
    """The names of one frame. They are a copy: what is assigned here changes no program.

    :param ctx: the request during which the frame ran; ``request``, ``g`` and ``current_app``
        are its own while code runs, and the teardown functions run after it.
    """

    def __init__(
        self, names: Mapping[str, Any], globals_: Mapping[str, Any], ctx: RequestContext | None
    ) -> None:
        self._names = {**globals_, **names}
        self._ctx = ctx

    def run(self, source: str) -> Output:
        """Run statements; the value of an expression at their end is shown."""
        try:
            if codeop.compile_command(source, _NAME, "single") is None:
                return Output("", wants_more=True)
        except SyntaxError:
            pass  # several statements, or an error that the next one finds as well
        except (ValueError, OverflowError, MemoryError) as e:
            return Output(_error(e))
        stdout = sys.stdout
        ThreadedStream.push()
        try:
            with _again(self._ctx):
                value = self._execute(source)
            printed = unescape(ThreadedStream.fetch())
        finally:
            sys.stdout = stdout
        return Output(_cut(readable(printed + value)))

    def _execute(self, source: str) -> str:
        try:
            *statements, last = _compiled(source)
            for code in statements:
                exec(code, self._names)  # noqa: S102 - what a console is for; see guard.py
            value = eval(last, self._names)  # noqa: S307
        except BaseException as e:  # SystemExit would end the server
            return _error(e)
        if value is None:
            return ""
        self._names["_"] = value
        return _repr(value)


def _compiled(source: str) -> list[Any]:
    """Code objects, of which the last is an expression."""
    tree = ast.parse(source, _NAME)
    last: Any = ast.Constant(None)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body.pop().value  # type: ignore[attr-defined]
    expression = ast.fix_missing_locations(ast.Expression(last))
    return [compile(tree, _NAME, "exec"), compile(expression, _NAME, "eval")]


def _error(error: BaseException) -> str:
    summary = TracebackException.from_exception(error)
    here = [i for i, frame in enumerate(summary.stack) if frame.filename == _NAME]
    # Without the frames of this file.
    del summary.stack[: here[0] if here else None]
    return "".join(summary.format())


def _cut(text: str) -> str:
    rest = len(text) - LONGEST
    return text if rest <= 0 else f"{text[:LONGEST]}\n… and {rest} characters more"


def _again(ctx: RequestContext | None) -> Any:
    if ctx is None:
        return nullcontext()
    again = ctx.copy()
    again.g = ctx.g
    return again
