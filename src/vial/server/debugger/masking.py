"""What the page does not show: passwords, keys, cookies, and where they turn up again."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "••••••"
#: A literal that is shorter would be found, and hidden, in words that have nothing to do with it.
_SHORTEST = 6

_NAMES = re.compile(
    r"passw(or)?d|passphrase|passcode|(^|[^a-z])(pass|pwd|pin|otp|auth|sid)s?($|[^a-z])"
    r"|secret|token|api[-_ ]?key|access[-_]?key|private[-_]?key|authori[sz]ation|credential"
    r"|cookie(?!_(name|domain|path|httponly|secure|samesite|partitioned)$)|csrf|signature",
    re.I,
)
_IN_URL = re.compile(r"(\w://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)")


def is_secret(name: object) -> bool:
    """Whether what has this name is not to be shown."""
    return isinstance(name, str) and _NAMES.search(name) is not None


class Mask:
    """Hides passwords of URLs, and texts that are known to be secret.

    :param secrets: those texts; where they are bytes, as their repr shows them.
    """

    def __init__(self, secrets: Iterable[object] = ()) -> None:
        texts = {_text(secret) for secret in secrets}
        known = sorted((t for t in texts if len(t) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _IN_URL.sub(rf"\1{HIDDEN}", text) if "://" in text else text


def _text(secret: object) -> str:
    return repr(secret)[2:-1] if isinstance(secret, bytes) else str(secret or "")
