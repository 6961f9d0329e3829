"""The PIN of the console: random, of this process alone, and of few tries."""

from __future__ import annotations

import secrets
import threading

#: Wrong tries after which the console stays locked until the server is started again.
TRIES = 10


class Pin:
    """Nine random digits, and what is wrong with those that were tried."""

    def __init__(self) -> None:
        digits = f"{secrets.randbelow(10**9):09}"
        self.text = f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
        self.wrong = 0
        # Two requests that try at once must not both be the tenth.
        self._lock = threading.Lock()

    @property
    def is_locked(self) -> bool:
        """Whether no PIN is right any more."""
        return self.wrong >= TRIES

    def matches(self, attempt: str) -> bool:
        """Whether this is the PIN. A wrong one counts, a right one forgives nothing."""
        with self._lock:
            if self.is_locked:
                return False
            tried = "".join(filter(str.isalnum, attempt)).encode()
            if secrets.compare_digest(tried, self.text.replace("-", "").encode()):
                return True
            self.wrong += 1
            return False
