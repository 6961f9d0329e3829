"""Making a mistake as a user does, and reading what comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases.entrances import Asgi

from vial import Vial, got_request_exception


def has(text: str, *words: str) -> None:
    """The text has all of these words."""
    assert [word for word in words if word not in text] == [], text


def by_wsgi(app: Vial, path: str = "/") -> None:
    app.test_client().get(path)


def by_asgi(app: Vial, path: str = "/") -> None:
    Asgi().ask(app._asgi_entrance(), path)


def notes_of(
    app: Vial,
    view: Callable[..., Any],
    error: type[Exception],
    ask: Callable[[Vial, str], None] = by_wsgi,
    rule: str = "/",
    path: str = "/",
) -> str:
    """What is noted on the exception of a view, once everybody has seen it."""
    seen: list[BaseException] = []

    def note(sender: Any, exception: BaseException, **extra: Any) -> None:
        seen.append(exception)

    if "the_view" not in app.view_functions:
        app.add_url_rule(rule, "the_view", view)
    with got_request_exception.connected_to(note, app), pytest.raises(error):
        ask(app, path)
    return "\n".join(getattr(seen[0], "__notes__", ()))
