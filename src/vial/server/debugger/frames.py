"""What there is to say of an exception: its frames, its causes, the exceptions of its group."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from traceback import TracebackException
from typing import Any, NamedTuple

from jinja2 import TemplateSyntaxError
from werkzeug.debug.tbtools import DebugFrameSummary, DebugTraceback

from .reprs import plain

#: How many exceptions a page has, and frames of each; of more the outermost and the innermost.
SECTIONS, FRAMES = 20, 40
#: Lines before and after the failing one; of how many characters.
CONTEXT, WIDTH = 5, 300

#: Where the files of Vial are.
VIAL = str(Path(__file__).parents[2]) + os.sep


class Line(NamedTuple):
    """A line of source; of the failing one, also the part that failed."""

    number: int
    text: str
    is_current: bool
    #: Before, inside and after the part that failed.
    parts: tuple[str, str, str]


@dataclass
class Frame:
    """A function that was running, or a place in a file that could not be compiled."""

    filename: str
    lineno: int
    function: str
    lines: list[Line]
    is_library: bool
    is_template: bool
    names: dict[str, Any] = field(default_factory=dict)
    global_names: dict[str, Any] = field(default_factory=dict)
    #: Filled in by the page.
    variables: list[tuple[str, str]] = field(default_factory=list)
    id: str = ""

    @property
    def short(self) -> str:
        """The file as its readers call it: from the working directory on, or from the package."""
        for folder in (os.getcwd(), *filter(None, sys.path)):
            if self.filename.startswith(folder + os.sep):
                return self.filename[len(folder) + 1 :]
        return self.filename


class Fold(NamedTuple):
    """Consecutive frames, all of the application or all of libraries."""

    is_library: bool
    frames: list[Frame]


@dataclass
class Section:
    """One exception."""

    #: What it has to do with the one above it on the page; empty for the first.
    relation: str
    type_name: str
    message: str
    notes: list[str]
    folds: list[Fold]
    #: How many frames are not shown.
    left_out: int = 0

    @property
    def frames(self) -> list[Frame]:
        """All frames, innermost first."""
        return [frame for fold in self.folds for frame in fold.frames]


def sections(error: BaseException) -> list[Section]:
    """The exception, what caused it, and the exceptions of its groups, in this order."""
    found: list[Section] = []
    for section in _chain(error, ""):
        if len(found) == SECTIONS:
            break
        found.append(section)
    return found


def _chain(error: BaseException, relation: str) -> Iterator[Section]:
    at: BaseException | None = error
    told = relation
    for message, summary in DebugTraceback(error).all_tracebacks:
        if at is None:
            return
        yield _section(at, summary, told)
        yield from _of_group(at)
        told = _relation(message)
        at = at.__cause__ if at.__cause__ is not None else at.__context__


def _relation(message: str | None) -> str:
    return "which was caused by" if message and "cause" in message else "raised while handling"


def _of_group(error: BaseException) -> Iterator[Section]:
    if isinstance(error, BaseExceptionGroup):
        count = len(error.exceptions)
        for number, inner in enumerate(error.exceptions, 1):
            yield from _chain(inner, f"exception {number} of {count} in this group")


def _section(error: BaseException, summary: TracebackException, relation: str) -> Section:
    shown, left_out = _some(list(summary.stack))
    frames = [*_uncompiled(error), *(_frame(f) for f in reversed(shown))]
    return Section(
        relation,
        _type_name(type(error)),
        _message(error),
        [plain(n) if isinstance(n, str) else "<a note that is no text>" for n in _notes(error)],
        _folded(frames),
        left_out,
    )


def _some(stack: list[Any]) -> tuple[list[Any], int]:
    if len(stack) <= FRAMES:
        return stack, 0
    half = FRAMES // 2
    return stack[:half] + stack[-half:], len(stack) - FRAMES


def _type_name(cls: type) -> str:
    module, name = cls.__module__, cls.__qualname__
    return name if module in ("builtins", "__main__") else f"{module}.{name}"


def _message(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return str(error.msg)
    try:
        return plain(str(error))
    except BaseException as e:  # whatever its __str__ raises is not for us
        return f"<its text cannot be told: __str__ raises {type(e).__name__}>"


def _notes(error: BaseException) -> list[object]:
    notes = getattr(error, "__notes__", [])
    return list(notes) if isinstance(notes, list | tuple) else []


def _folded(frames: list[Frame]) -> list[Fold]:
    groups = [Fold(k, list(g)) for k, g in groupby(frames, lambda f: f.is_library)]
    # Without a frame of the application there is nothing to fold away from.
    return groups if len(groups) != 1 else [Fold(False, groups[0].frames)]


def _frame(summary: Any) -> Frame:
    lines = linecache.getlines(summary.filename)
    span = (summary.colno, summary.end_colno) if summary.end_lineno is None else (None, None)
    is_debugged = isinstance(summary, DebugFrameSummary)
    is_template = is_debugged and "__jinja_exception__" in summary.global_ns
    frame = Frame(
        summary.filename,
        summary.lineno or 0,
        summary.name,
        _excerpt(lines, summary.lineno or 0, None if is_template else span),
        is_debugged and not is_template and _is_library(summary),
        is_template,
    )
    if is_debugged:
        # A copy: from Python 3.13 on the mapping would keep the frame, and all above it.
        frame.names, frame.global_names = dict(summary.local_ns), summary.global_ns
    return frame


def _is_library(summary: DebugFrameSummary) -> bool:
    return summary.is_library or summary.filename.startswith((VIAL, "<frozen"))


def _uncompiled(error: BaseException) -> Iterator[Frame]:
    """The place that a syntax error speaks of, which has no frame."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        lines = linecache.getlines(error.filename) or [""] * (error.lineno - 1) + [error.text or ""]
        start = max((error.offset or 1) - 1, 0)
        span = (start, max((error.end_offset or 0) - 1, start + 1))
        excerpt = _excerpt(lines, error.lineno, span)
        yield Frame(error.filename, error.lineno, "", excerpt, False, False)
    elif isinstance(error, TemplateSyntaxError) and not error.translated and error.source:
        name = error.filename or error.name or "<template>"
        excerpt = _excerpt(error.source.splitlines(), error.lineno, None)
        yield Frame(name, error.lineno, "template", excerpt, False, True)


def _excerpt(lines: list[str], lineno: int, span: Any) -> list[Line]:
    if not 0 < lineno <= len(lines):
        return []
    first, spans = max(1, lineno - CONTEXT), {lineno: span}
    numbered = enumerate(lines[first - 1 : lineno + CONTEXT], first)
    return [_line(n, text.rstrip()[:WIDTH], spans.get(n), n == lineno) for n, text in numbered]


def _line(number: int, text: str, span: Any, is_current: bool) -> Line:
    start, end = span or (None, None)
    if start is None or end is None:
        return Line(number, text, is_current, (text, "", ""))
    return Line(number, text, is_current, (text[:start], text[start:end], text[end:]))
