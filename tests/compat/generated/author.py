"""The pen: decisions that Hypothesis draws and can shrink, and the lines they become.

The decisions are the bytes of one draw. With a draw for each, most examples would be copies of
others: Hypothesis varies an example by swapping draws that look alike, here to no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, TypeVar

T = TypeVar("T")
Piece = str | Callable[["Author"], str]


@dataclass
class Route:
    """What requests and ``url_for`` need to know of a rule."""

    rule: str  # with the prefix of its blueprint
    endpoint: str
    methods: list[str]
    host: str | None = None  # the host part of its rule or blueprint, if it has one


@dataclass
class Owner:
    """The app or a blueprint, and where its rules are."""

    variable: str
    name: str  # the prefix of its endpoints
    mount: str = ""
    subdomain: str | None = None

    @property
    def is_app(self) -> bool:
        return self.variable == "app"

    def under(self, rule: str) -> str:
        return f"{self.mount.rstrip('/')}/{rule.lstrip('/')}"


@dataclass
class Author:
    """Writes one program. Every decision shrinks to the first of its options, or to no."""

    decisions: Iterator[int]
    lines: list[str] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)  # ?go=NAME makes the function NAME answer
    used: dict[str, int] = field(default_factory=dict)
    #: What each view does at its end, for the statistics.
    kinds: dict[str, str] = field(default_factory=dict)
    #: Signals that have a receiver: the order of several is that of their addresses.
    heard: list[str] = field(default_factory=list)
    #: Signals of teardown are not listened to: Flask sends those of a streamed request twice, and
    #: none behind a teardown function that fails (test_differences.py).
    silent: bool = False
    host_matching: bool = False
    subdomain_matching: bool = False
    #: URLs are built; not where hosts may be untrusted: there that fails in another way, since
    #: Flask has no URL adapter then (test_differences.py).
    links: bool = True
    #: Functions may be async.
    mixed: bool = False
    #: Views may return ``stream_with_context()``.
    streams: bool = False

    def below(self, n: int) -> int:
        """A number from 0 to ``n - 1``, ``n`` at most 256; 0 when there is no decision left."""
        return next(self.decisions, 0) * n >> 8

    def chance(self, percent: int) -> bool:
        return next(self.decisions, 0) * 100 >= (100 - percent) * 256

    def choose(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def pick(self, options: Sequence[Any]) -> Any:
        """One of the options; of a callable what it writes."""
        chosen = self.choose(options)
        return chosen(self) if callable(chosen) else chosen

    def some(self, options: Sequence[Any], most: int) -> list[Any]:
        return [self.pick(options) for _ in range(self.below(most + 1))]

    def name(self, kind: str) -> str:
        """A new name: view1, view2, …"""
        self.used[kind] = self.used.get(kind, 0) + 1
        return f"{kind}{self.used[kind]}"

    def write(self, *lines: str) -> None:
        self.lines.extend(lines)

    def function(
        self, name: str, parameters: str, body: Sequence[str], method: bool = False
    ) -> str:
        """The text of a function, sometimes an async one."""
        prefix = "async " if self.mixed and self.chance(35) else ""
        parameters = ", ".join(filter(None, ("self" if method else "", parameters)))
        return f"{prefix}def {name}({parameters}):\n" + block(body)

    def gate(self, name: str, body: Sequence[str]) -> str:
        """Lines that run only for requests that ask for it by ``?go=``."""
        self.gates.append(name)
        return f'if web.request.args.get("go") == "{name}":\n' + block(body)


def block(lines: Sequence[str]) -> str:
    return indent("\n".join(lines), "    ")
