"""Names in messages: which are near, how lists of them and functions are written.

What is compared and listed may come from a client (the fields of a form), so it is bounded in
number and in length, and written by ``repr``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

#: Names that a message lists before it says how many more there are, and letters of each.
_LISTED, _LETTERS = 10, 60
#: Names that are compared: some come from clients, and comparing takes microseconds for each.
_COMPARED = 300


def near(name: str, names: Iterable[str]) -> list[str]:
    """At most three of the names that a person may have meant, the nearest first."""
    if len(name) > _LETTERS:
        return []
    candidates = [n for n in islice(dict.fromkeys(names), _COMPARED) if len(n) <= _LETTERS]
    by_lower = {candidate.lower(): candidate for candidate in reversed(candidates)}
    found = difflib.get_close_matches(name.lower(), by_lower, 3, 0.6)
    return [by_lower[lower] for lower in found]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`` Did you mean 'a' or 'b'?`` with the space before it, or nothing."""
    return question(near(name, names))


def question(found: Sequence[str]) -> str:
    """Which of these is meant, with a space before it; nothing if there are none."""
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


def near_file(name: str, names: Iterable[str]) -> str:
    """:func:`did_you_mean` for names of files, which are not alike by a common ending."""
    stems: dict[str, str] = {}
    for other in names:
        stems.setdefault(os.path.splitext(other)[0], other)
    stem = os.path.splitext(name)[0]
    return question([stems[near_stem] for near_stem in near(stem, stems)])


def listed(names: Iterable[str]) -> str:
    """``'a', 'b'``; the first ones of many."""
    every = list(names)
    more = len(every) - _LISTED
    text = ", ".join(repr(name[:_LETTERS]) for name in every[:_LISTED])
    return f"{text} and {more} more" if more > 0 else text


def qualified(function: Callable[..., Any]) -> str:
    """``module.function``."""
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', function)}"


def a(word: str) -> str:
    """``an int``, ``a set``."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
