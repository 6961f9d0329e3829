"""What the debugger does with an exception and with what is typed into its page.

Knows no gateway: a request comes as :class:`.Seen` and leaves as :class:`.Answer`.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from time import monotonic
from typing import Any, NamedTuple

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import dump_cookie, parse_accept_header, parse_cookie

from ...ctx import RequestContext
from .console import Console
from .facts import context_of
from .frames import Section, sections
from .guard import Guard, is_same_origin
from .page import PROTECTED, Access, page
from .pin import TRIES, Pin
from .seen import Answer, Seen
from .terminal import tell, text_of

#: Where the page sends what is typed into it, by POST. Whoever may not use the console gets from
#: the application what it answers there.
PATH = "/__vial_debugger__"
#: The header with the secret. A page of another origin cannot send it without being asked first.
SECRET_HEADER = "X-Vial-Debugger"  # noqa: S105 - its name
#: Exceptions whose frames, and with them the values of their variables, stay for the consoles.
KEPT = 10
#: Seconds after which they are forgotten, at the next request.
KEPT_SECONDS = 3600.0
#: Bytes of what is typed.
LONGEST = 64 * 1024


class _Kept(NamedTuple):
    consoles: dict[int, Console]
    frames: list[tuple[dict[str, Any], dict[str, Any]]]
    ctx: RequestContext | None
    since: float


class Debugger:
    """One for each server process.

    :param host: the address that the server listens on.
    :param evalex: whether frames have consoles, for those whom :class:`.Guard` lets use them.
    """

    def __init__(self, host: str | None, evalex: bool = True) -> None:
        self.pin = Pin()
        self._evalex = evalex
        self._guard = Guard(host)
        self._secret = secrets.token_urlsafe(24)
        self._ticket = secrets.token_urlsafe(24)
        # Cookies know no ports: the servers of a machine would overwrite each other's.
        self._cookie = f"vial_debugger_{secrets.token_hex(4)}"
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._announce()

    def _announce(self) -> None:
        if self._evalex:
            why = self._guard.why_never()
            what = f"PIN: {self.pin.text}" if why is None else f"pages without a console; {why}."
            print(f" * Debugger {what}", flush=True)

    # -- an exception ------------------------------------------------------------------------

    def answer(self, error: BaseException, seen: Seen) -> Answer:
        """Tell the terminal, and the client: a page if it reads HTML, or else text."""
        tell(error, seen)
        try:
            return self._answer(error, seen)
        except Exception as e:
            # An exception that cannot be shown must not take the page from the one it hides.
            tell(e, seen, " (in the debugger, which could not show the one above)")
            return self._text(error, seen)

    def _answer(self, error: BaseException, seen: Seen) -> Answer:
        if not _reads_html(seen):
            return self._text(error, seen)
        ctx = context_of(error)
        shown = sections(error)
        access = self._access(seen)
        if access.secret:
            self._keep(shown, ctx)
        return page(shown, text_of(error), seen, ctx, access)

    def _text(self, error: BaseException, seen: Seen) -> Answer:
        headers = [("Content-Type", "text/plain; charset=utf-8"), *PROTECTED]
        return Answer(500, headers, text_of(error).encode("utf-8", "backslashreplace"))

    def _access(self, seen: Seen) -> Access:
        if not self._evalex:
            return Access(why_not="it is switched off")
        why = self._guard.why_not(seen)
        return Access(self._secret) if why is None else Access(why_not=why)

    def _keep(self, shown: list[Section], ctx: RequestContext | None) -> None:
        frames = [frame for section in shown for frame in section.frames]
        key = secrets.token_hex(8)
        for number, frame in enumerate(frames):
            frame.id = f"{key}.{number}"
        names = [(frame.names, frame.global_names) for frame in frames]
        with self._lock:
            self._kept[key] = _Kept({}, names, ctx, monotonic())
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _forget(self) -> None:
        with self._lock:
            while self._kept:
                key, kept = next(iter(self._kept.items()))
                if monotonic() - kept.since < KEPT_SECONDS:
                    return
                del self._kept[key]

    # -- the console -------------------------------------------------------------------------

    def wants(self, seen: Seen) -> bool:
        """Whether this request is for the debugger, from one who may ask it."""
        if self._kept:
            self._forget()
        return (
            seen.path == PATH
            and seen.method == "POST"
            and self._evalex
            and self._guard.why_not(seen) is None
            and is_same_origin(seen)
            and _equal(seen.headers.get(SECRET_HEADER, ""), self._secret)
        )

    def command(self, seen: Seen, body: bytes) -> Answer:
        """Do what a page asks for: ``{"pin": …}``, or ``{"frame": …, "code": …}``."""
        try:
            asked = json.loads(body) if len(body) <= LONGEST else None
        except ValueError:
            asked = None
        match asked:
            case {"pin": str(attempt)}:
                return self._enter(seen, attempt)
            case {"frame": str(frame), "code": str(code)}:
                return self._run(seen, frame, code)
        return _json(400, {"error": "neither a PIN nor code"})

    def _enter(self, seen: Seen, attempt: str) -> Answer:
        if not self.pin.matches(attempt):
            return self._refused()
        is_secure = seen.scheme == "https"
        cookie = dump_cookie(
            self._cookie,
            self._ticket,
            path=seen.root + PATH,
            secure=is_secure,
            httponly=True,
            samesite="Strict",
        )
        answer = _json(200, {})
        answer.headers.append(("Set-Cookie", cookie))
        return answer

    def _refused(self) -> Answer:
        if not self.pin.is_locked:
            return _json(403, {"error": "wrong", "left": TRIES - self.pin.wrong})
        print(" * Debugger: too many wrong PINs; its consoles are locked.", flush=True)
        return _json(403, {"error": "locked"})

    def _run(self, seen: Seen, frame: str, code: str) -> Answer:
        if self.pin.is_locked:
            return _json(403, {"error": "locked"})
        if not _equal(parse_cookie(seen.headers.get("Cookie")).get(self._cookie, ""), self._ticket):
            return _json(403, {"error": "pin"})
        console = self._console(frame)
        if console is None:
            return _json(410, {"error": "gone"})
        text, wants_more = console.run(code)
        return _json(200, {"text": text, "more": wants_more})

    def _console(self, frame: str) -> Console | None:
        key, _, number = frame.partition(".")
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or not number.isdecimal() or int(number) >= len(kept.frames):
                return None
            at = int(number)
            return kept.consoles.setdefault(at, Console(*kept.frames[at], kept.ctx))


def _reads_html(seen: Seen) -> bool:
    accepted = parse_accept_header(", ".join(seen.headers.getlist("Accept")), MIMEAccept)
    return any(t in ("text/html", "application/xhtml+xml") and q > 0 for t, q in accepted)


def _equal(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _json(status: int, what: dict[str, Any]) -> Answer:
    headers = [("Content-Type", "application/json"), *PROTECTED]
    return Answer(status, headers, json.dumps(what).encode())
