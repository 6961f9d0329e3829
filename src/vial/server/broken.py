"""What is served while the program cannot be loaded: the reason, until a file is mended."""

from __future__ import annotations

import linecache
import os
import secrets
import sys
from html import escape
from traceback import StackSummary, TracebackException
from typing import TYPE_CHECKING

from .embedded import EmbeddedServer
from .entrance import Receive, Scope, Send
from .live import Live
from .own_code import is_own

if TYPE_CHECKING:
    from .rerun import Child

#: Lines of source around the one that failed.
_AROUND = 4
#: Characters of a message; a page with megabytes helps nobody.
_LONGEST = 20_000


class Failure:
    """Why a program could not be loaded, without what is not the program's own code."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._trace = TracebackException.from_exception(self._error, compact=True)
        _keep_own_frames(self._trace)

    @property
    def title(self) -> str:
        """The kind of error."""
        ends = isinstance(self._error, SystemExit)
        return "The program ends" if ends else type(self._error).__name__

    @property
    def message(self) -> str:
        """What the error says."""
        if isinstance(self._error, SyntaxError):
            text = self._error.msg
        elif isinstance(self._error, SystemExit):
            code = self._error.code
            text = code if isinstance(code, str) else f"It ended with status {code}."
        else:
            text = str(self._error)
        return text[:_LONGEST]

    @property
    def text(self) -> str:
        """The traceback, as Python writes it."""
        if isinstance(self._error, SystemExit):
            return f"{self.message}\n"
        return "".join(self._trace.format())[:_LONGEST]

    @property
    def place(self) -> tuple[str, int] | None:
        """File and line that failed, as far as they are known."""
        if isinstance(self._error, SyntaxError) and self._error.filename:
            return self._error.filename, self._error.lineno or 1
        if self._trace.stack:
            return self._trace.stack[-1].filename, self._trace.stack[-1].lineno or 1
        return None

    def files(self) -> set[str]:
        """The files that have a part in it."""
        files = {frame.filename for frame in self._trace.stack}
        files |= {self.place[0]} if self.place else set()
        return {os.path.realpath(file) for file in files if os.path.isfile(file)}


def _keep_own_frames(trace: TracebackException) -> None:
    own = [frame for frame in trace.stack if is_own(frame.filename)]
    trace.stack = StackSummary.from_list(own)
    for other in (trace.__cause__, trace.__context__, *(trace.exceptions or ())):
        if other is not None:
            _keep_own_frames(other)


class Broken:
    """ASGI application that answers every request with the reason.

    :param shows: whether browsers are told it, as in debug mode, or only that there is one.
    """

    def __init__(self, failure: Failure, shows: bool) -> None:
        self._failure = failure
        self._shows = shows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with status 500."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1011, "reason": "not loaded"})
        elif scope["type"] == "http":
            await self._answer(scope, send)
        else:
            raise RuntimeError("no lifespan here")

    async def _answer(self, scope: Scope, send: Send) -> None:
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
        policy = "default-src 'none'; base-uri 'none'; form-action 'none'"
        if b"text/html" in accepted:
            nonce = secrets.token_urlsafe(16)
            policy += f"; style-src 'nonce-{nonce}'; script-src 'self'; connect-src 'self'"
            kind, body = "html", page(self._failure if self._shows else None, nonce)
        else:
            kind, body = "plain", self._failure.text if self._shows else _HIDDEN + "\n"
        data = body.encode("utf-8", "backslashreplace")
        headers = {
            "content-type": f"text/{kind}; charset=utf-8",
            "content-length": str(len(data)),
            "content-security-policy": policy,
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 500, "headers": encoded})
        data = b"" if scope["method"] == "HEAD" else data
        await send({"type": "http.response.body", "body": data})


_HIDDEN = "The program could not be loaded. The terminal says why."
_STYLE = """
:root { color-scheme: light dark; --line: #d9dade; --soft: #62646c; --bad: #c4262e;
  --mark: #fdeaea; --card: #fff; --back: #f4f4f6; --text: #1c1d21 }
@media (prefers-color-scheme: dark) { :root { --line: #36373d; --soft: #a0a2ab; --bad: #ff7b80;
  --mark: #42191c; --card: #1c1d21; --back: #131417; --text: #ececef } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif }
main { max-width: 880px; margin: 8vh auto; padding: 0 20px }
h1 { margin: 0; font-size: 17px; color: var(--bad); font-weight: 600 }
.message { margin: 4px 0 20px; font-size: 24px; line-height: 1.35; font-weight: 600;
  overflow-wrap: anywhere; white-space: pre-wrap }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  margin: 0 0 20px; overflow: hidden }
.card h2 { margin: 0; padding: 9px 16px; border-bottom: 1px solid var(--line); font-size: 14px;
  font-weight: 500; color: var(--soft); overflow-wrap: anywhere }
pre { margin: 0; padding: 12px 0; overflow-x: auto;
  font: 14px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; tab-size: 4 }
pre.trace { padding: 12px 16px; font-size: 13px }
.code { display: block; min-width: max-content; padding: 0 16px }
.code b { display: inline-block; width: 3.5em; margin-right: 16px; text-align: right;
  font-weight: 400; color: var(--soft); user-select: none }
.here { background: var(--mark); box-shadow: inset 3px 0 var(--bad) }
footer { color: var(--soft); font-size: 14px }
"""


def page(failure: Failure | None, nonce: str) -> str:
    """The page in HTML; without a failure it says only that there is one."""
    title = "Not loaded" if failure is None else failure.title
    message = _HIDDEN if failure is None else failure.message
    details = "" if failure is None else _source(failure) + _trace(failure)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}: {escape(message.partition(chr(10))[0][:100])}</title>\n"
        f'<style nonce="{nonce}">{_STYLE}</style>\n</head>\n<body>\n<main>\n'
        f'<h1>{escape(title)}</h1>\n<p class="message">{escape(message)}</p>\n{details}'
        "<footer>This page loads itself again when a file is saved.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _source(failure: Failure) -> str:
    if failure.place is None:
        return ""
    filename, line = failure.place
    lines = linecache.getlines(filename)
    if not lines:
        return ""
    first, last = max(line - _AROUND, 1), min(line + _AROUND, len(lines))
    shown = "".join(_code(n, lines[n - 1], n == line) for n in range(first, last + 1))
    where = f"{escape(_short(filename))}, line {line}"
    return f'<section class="card"><h2>{where}</h2><pre>{shown}</pre></section>\n'


def _code(number: int, text: str, is_here: bool) -> str:
    mark = " here" if is_here else ""
    return f'<span class="code{mark}"><b>{number}</b>{escape(text.rstrip())}</span>'


def _trace(failure: Failure) -> str:
    text = escape(failure.text.rstrip())
    return f'<section class="card"><h2>Traceback</h2><pre class="trace">{text}</pre></section>\n'


def _short(filename: str) -> str:
    path = os.path.relpath(filename)
    return filename if path.startswith("..") else path


def serve_failure(error: BaseException, child: Child) -> None:
    """Print the reason and serve it, until the reloader ends this process."""
    linecache.checkcache()
    failure = Failure(error)
    print(failure.text, file=sys.stderr, end="", flush=True)
    child.watch(failure.files())
    live = Live(Broken(failure, child.debug), is_broken=True)
    EmbeddedServer(
        live,
        child.listener(),
        ssl_files=child.ssl_files,
        on_ready=child.ready,
        on_stopping=live.stop,
    ).run()
