"""Texts of values: short, soon there, and never an exception, whatever the values do."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from itertools import islice
from reprlib import Repr
from time import monotonic
from typing import Any

from werkzeug.datastructures import Headers

from .masking import HIDDEN, is_secret

#: Seconds for one value, which is left out then; and for all of them.
EACH, TOTAL = 0.5, 3.0
TOO_SLOW = "<left out: its repr takes too long>"
NO_TIME = "<left out: the reprs before it took too long>"

_SEQUENCES: tuple[tuple[Any, str], ...] = (
    (list, "[]"),
    (tuple, "()"),
    (set, "{}"),
    (frozenset, "{}"),
)
_OF_TEXTS: tuple[Any, ...] = (str.__repr__, bytes.__repr__, bytearray.__repr__)


def plain(text: str) -> str:
    """The text of a string whose class may have methods of its own, ``__html__`` among them."""
    return str.__str__(text)


class BoundedRepr(Repr):
    """reprlib's, which also knows subclasses of containers, and masks what is named as a secret.

    :param size: how long strings and reprs of other objects may be; containers show a twentieth
        as many items.
    """

    def __init__(self, size: int = 400, masks: bool = True) -> None:
        super().__init__()
        self.maxlevel = 5
        self.maxstring = self.maxother = self.maxlong = size
        self._items = max(size // 20, 4)
        self._masks = masks

    def __call__(self, value: object) -> str:
        try:
            return plain(self.repr(value))
        except BaseException as e:  # SystemExit too; it is not for us
            return f"<{_name(value)} whose repr raises {type(e).__name__}>"

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, str | bytes | bytearray):
            return self._string(x)
        if isinstance(x, dict):
            return self._mapping(x, x.items, level)
        if isinstance(x, Headers):
            return self._mapping(x, lambda: list(x), level)
        for base, brackets in _SEQUENCES:
            if isinstance(x, base) and type(x).__repr__ is base.__repr__:
                return self._sequence(x, base, brackets, level)
        if isinstance(x, int):
            return self.repr_int(x, level)
        return self._cut(plain(repr(x)))

    def _string(self, x: str | bytes | bytearray) -> str:
        if type(x).__repr__ not in _OF_TEXTS and len(x) <= self.maxstring:
            return self._cut(plain(repr(x)))
        # Cut before its repr is made: that of a large one takes long, and holds all threads.
        until = slice(self.maxstring)
        head: Any = str.__getitem__(x, until) if isinstance(x, str) else bytes(x[until])
        rest = len(x) - len(head)
        return repr(head) + (f"… and {rest} more" if rest else "")

    def repr_int(self, x: int, level: int) -> str:
        try:
            return self._cut(repr(x))
        except ValueError:  # sys.set_int_max_str_digits
            return f"<int of {x.bit_length()} bits>"

    def _mapping(self, x: Any, items: Callable[[], Iterable[Any]], level: int) -> str:
        if level <= 0 and len(x):
            return _named(x, dict, "{…}")
        shown = [self._pair(k, v, level - 1) for k, v in islice(items(), self._items)]
        return _named(x, dict, "{" + ", ".join(self._and_more(shown, len(x))) + "}")

    def _pair(self, key: Any, value: Any, level: int) -> str:
        hides = self._masks and is_secret(key)
        return f"{self.repr1(key, level)}: {HIDDEN if hides else self.repr1(value, level)}"

    def _sequence(self, x: Any, base: type, brackets: str, level: int) -> str:
        if not len(x):
            return repr(x)
        if level <= 0:
            return _named(x, base, f"{brackets[0]}…{brackets[1]}")
        shown = [self.repr1(item, level - 1) for item in islice(x, self._items)]
        inner = ", ".join(self._and_more(shown, len(x)))
        comma = "," if base is tuple and len(x) == 1 else ""
        return _named(x, base, f"{brackets[0]}{inner}{comma}{brackets[1]}")

    def _and_more(self, shown: list[str], length: int) -> list[str]:
        return [*shown, f"… and {length - len(shown)} more"] if length > len(shown) else shown

    def _cut(self, text: str) -> str:
        rest = len(text) - self.maxother
        return text if rest <= 0 else f"{text[: self.maxother]}… and {rest} more"


def _name(value: object) -> str:
    return plain(type.__getattribute__(type(value), "__qualname__"))


def _named(value: object, base: type, text: str) -> str:
    is_literal = type(value) is base and base is not frozenset
    return text if is_literal else f"{_name(value)}({text})"


def describe(values: Sequence[object], text_of: Callable[[object], str]) -> list[str]:
    """The text of each value, within :data:`TOTAL` seconds, by threads that can be left behind."""
    texts: list[str] = []
    deadline = monotonic() + TOTAL
    while len(texts) < len(values):
        if monotonic() > deadline:
            return texts + [NO_TIME] * (len(values) - len(texts))
        worker = _Describing(values[len(texts) :], text_of)
        done = worker.finish(deadline)
        texts += done
        if len(texts) < len(values):
            texts.append(TOO_SLOW)
    return texts


class _Describing(threading.Thread):
    def __init__(self, values: Sequence[object], text_of: Callable[[object], str]) -> None:
        super().__init__(name="vial-debugger-repr", daemon=True)
        self._values, self._text_of = values, text_of
        self._texts: list[str] = []
        self._given_up = False
        self._context = copy_context()

    def run(self) -> None:
        self._context.run(self._describe)

    def _describe(self) -> None:
        for value in self._values:
            if self._given_up:
                return
            self._texts.append(self._text_of(value))

    def finish(self, deadline: float) -> list[str]:
        """The texts there are when all are, or when the next one takes too long."""
        self.start()
        done = -1
        while self.is_alive() and len(self._texts) > done and monotonic() < deadline:
            done = len(self._texts)
            self.join(EACH)
        texts = list(self._texts)
        if self.is_alive():
            self._given_up = True
            _stop(self)
        return texts


def _stop(thread: threading.Thread) -> None:
    # A loop that never ends would take a core for as long as the program runs.
    ident = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(SystemExit))


def describe_mapping(
    names: Mapping[Any, object], text_of: Callable[[object], str], limit: int
) -> list[tuple[str, object]]:
    """Name and value of the variables to show: those that say something, the first ``limit``."""
    shown = [(n, v) for n, v in names.items() if not (isinstance(n, str) and n.startswith("__"))]
    return [(plain(n) if isinstance(n, str) else text_of(n), v) for n, v in shown[:limit]]
