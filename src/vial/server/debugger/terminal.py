"""What the terminal is told of an exception."""

from __future__ import annotations

import re
import sys
from itertools import dropwhile
from traceback import TracebackException

from werkzeug.debug.tbtools import DebugTraceback

from .frames import VIAL
from .seen import Seen

#: Escape sequences that a client sent would colour, clear or rename the terminal; halves of
#: surrogate pairs cannot be printed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: Characters of a traceback, of which the middle is left out.
LONGEST = 200_000


def text_of(error: BaseException) -> str:
    """The traceback as Python prints it, without what terminals obey."""
    try:
        text = _Traceback(error).render_traceback_text()
    except Exception:  # a hostile __cause__, say; what matters is told
        text = "".join(TracebackException(type(error), error, error.__traceback__).format())
    if len(text) > LONGEST:
        half = LONGEST // 2
        text = f"{text[:half]}\n… {len(text) - LONGEST} characters are left out …\n{text[-half:]}"
    return readable(text)


class _Traceback(DebugTraceback):
    """Without the frames of Vial that lead to the application: they are in every traceback."""

    def render_traceback_text(self) -> str:
        for _, summary in self.all_tracebacks:
            kept = list(dropwhile(lambda frame: frame.filename.startswith(VIAL), summary.stack))
            if kept:
                summary.stack[:] = kept
        return super().render_traceback_text()


def readable(text: str) -> str:
    """The text with control characters as escapes."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def tell(error: BaseException, seen: Seen, note: str = "") -> None:
    """Print the traceback."""
    where = readable(f"{seen.method} {seen.root}{seen.path}")
    print(f"Exception on {where}{note}\n{text_of(error)}", file=sys.stderr, end="", flush=True)
