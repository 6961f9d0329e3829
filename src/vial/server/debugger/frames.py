"""What there is to say of an exception: its frames, its causes, the exceptions of its group."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from traceback import TracebackException
from typing import Any, NamedTuple

from jinja2 import TemplateSyntaxError
from jinja2.defaults import DEFAULT_NAMESPACE
from werkzeug.debug.tbtools import DebugFrameSummary, DebugTraceback

from .reprs import plain

#: How many exceptions a page has, and frames of each; of more the outermost and the innermost.
SECTIONS, FRAMES = 20, 40
#: Lines before and after the failing one; of how many characters.
CONTEXT, WIDTH = 5, 300

#: Where the files of Vial are.
VIAL = str(Path(__file__).parents[2]) + os.sep
_OF_ALL_TEMPLATES = {*DEFAULT_NAMESPACE, "config", "g", "request", "session", "url_for"} | {
    "get_flashed_messages"
}
_HERE = os.getcwd()
_Span = tuple[int, int] | None


class Line(NamedTuple):
    """A line of source."""

    number: int
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
        folders = (f + os.sep for f in (_HERE, *sys.path) if f)
        inside = (f for f in folders if self.filename.startswith(f))
        return self.filename[len(max(inside, key=len, default="")) :]


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
        at = at.__cause__ if summary.__cause__ is not None else at.__context__


def _relation(message: str | None) -> str:
    return "which was caused by" if message and "cause" in message else "raised while handling"


def _of_group(error: BaseException) -> Iterator[Section]:
    if isinstance(error, BaseExceptionGroup):
        count = len(error.exceptions)
        for number, inner in enumerate(error.exceptions, 1):
            yield from _chain(inner, f"exception {number} of {count} in this group")


def _section(error: BaseException, summary: TracebackException, relation: str) -> Section:
    shown, left_out = _some(list(summary.stack))
    frames = [*_uncompiled(error), *reversed(list(_frames(error, shown)))]
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


def _frames(error: BaseException, stack: list[Any]) -> Iterator[Frame]:
    """The frames, outermost first. A template that is no file has its source from where it was
    given: the error that could not compile it, or ``render_template_string``."""
    source = error.source if isinstance(error, TemplateSyntaxError) else None
    for summary in stack:
        if _is_debugged(summary) and summary.global_ns.get("__name__") == "vial.rendering":
            source = summary.local_ns.get("source", source)
        yield _frame(summary, source if isinstance(source, str) else None)


def _is_debugged(summary: Any) -> bool:
    return isinstance(summary, DebugFrameSummary)  # not where sys.tracebacklimit cut it off


def _frame(summary: Any, source: str | None) -> Frame:
    lineno = summary.lineno or 0
    is_debugged = _is_debugged(summary)
    is_template = is_debugged and "__jinja_exception__" in summary.global_ns
    lines = linecache.getlines(summary.filename)
    if is_template and not lines and source is not None:
        lines = source.splitlines()
    span = None if is_template else _columns(summary, lines)
    frame = Frame(
        summary.filename,
        lineno,
        summary.name,
        _excerpt(lines, lineno, span),
        is_debugged and not is_template and summary.filename.startswith(_library_folders()),
        is_template,
    )
    if is_debugged:
        # A copy: from Python 3.13 on the mapping would keep the frame, and all above it.
        frame.names, frame.global_names = dict(summary.local_ns), summary.global_ns
    if is_template:  # what all templates see tells nothing
        frame.names = {n: v for n, v in frame.names.items() if n not in _OF_ALL_TEMPLATES}
    return frame


@cache
def _library_folders() -> tuple[str, ...]:
    # Werkzeug's is_library asks sysconfig for each frame: a third of the time of a page.
    paths = sysconfig.get_paths().values()
    return *paths, *map(os.path.realpath, paths), VIAL, "<frozen"


def _uncompiled(error: BaseException) -> Iterator[Frame]:
    """The place that a syntax error speaks of, which has no frame."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        lines = linecache.getlines(error.filename) or [""] * (error.lineno - 1) + [error.text or ""]
        start = max((error.offset or 1) - 1, 0)
        span = start, max((error.end_offset or 0) - 1, start + 1)
        excerpt = _excerpt(lines, error.lineno, span)
        yield Frame(error.filename, error.lineno, "", excerpt, False, False)


def _excerpt(lines: list[str], lineno: int, span: _Span) -> list[Line]:
    if not 0 < lineno <= len(lines):
        return []
    first = max(1, lineno - CONTEXT)
    numbered = enumerate(lines[first - 1 : lineno + CONTEXT], first)
    spans = {lineno: span}
    return [_line(n, text.rstrip(), spans.get(n), n == lineno) for n, text in numbered]


def _line(number: int, text: str, span: _Span, is_current: bool) -> Line:
    text = text[:WIDTH]
    start, end = span or (len(text), len(text))
    return Line(number, is_current, (text[:start], text[start:end], text[end:]))


def _columns(summary: Any, lines: list[str]) -> _Span:
    """Where in the line the expression is that failed; the summary counts bytes."""
    start, end = summary.colno, summary.end_colno
    if start is None or end is None or not 0 < summary.lineno <= len(lines):
        return None
    line = lines[summary.lineno - 1].encode("utf-8", "replace")
    # An expression of several lines may end left of where it starts.
    end = end if end > start else len(line)
    return len(line[:start].decode("utf-8", "replace")), len(line[:end].decode("utf-8", "replace"))
