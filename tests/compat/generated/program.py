"""Programs that Hypothesis writes: an app and requests to it, as text that runs on ``web``.

A failing example is shown as its text, which is the body of a case for ``@same``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hypothesis import strategies as st

from ..harness import Web, _names
from . import names
from .asking import asks, uses
from .author import Author
from .setup import setup

HEAD = "from .generated.names import *\n\n"
NAMES = {name: getattr(names, name) for name in names.__all__}


@dataclass(frozen=True)
class Program:
    """A text, and what its views do at their ends."""

    text: str
    kinds: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        return f"\n{HEAD}{self.text}\n"

    def __call__(self, web: Web) -> None:
        """Run, as a case for ``harness.transcript``; note what ends it and what it warned of."""
        code = compile(self.text, "<generated>", "exec", dont_inherit=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                exec(code, dict(NAMES, web=web, __name__="generated"))
            except Exception as e:
                web.note("ended", _names(e))
        # The collector may warn of another program's files, at any time.
        categories = {warning.category.__name__ for warning in caught} - {"ResourceWarning"}
        web.note("warned", sorted(categories))


def program(decisions: bytes) -> Program:
    """The program that a row of bytes decides on."""
    a = Author(iter(decisions))
    a.mixed, a.streams = a.chance(30), a.chance(15)
    a.silent = a.streams
    setup(a)
    for _ in range(2 + a.below(6)):
        asks(a)
        if a.chance(12):
            uses(a)
    return Program("\n".join(a.lines), a.kinds)


#: Most programs take fewer bytes than the least number; of more, Hypothesis may leave some out.
programs = st.binary(min_size=250, max_size=650).map(program)


def write_files(web: Web) -> None:
    """The templates and static files that programs name."""
    web.file("templates/t.html", "<t>{{ x }}{{ request.endpoint }}</t>")
    web.file("templates/macro.html", "{% macro twice(n) %}{{ n * 2 }}{% endmacro %}")
    web.file("bp_templates/bp.html", "bp {{ x }} {{ who }}")
    web.file("static/file.txt", "static file")
    web.file("static/dir/page.html", "<p>page</p>")
