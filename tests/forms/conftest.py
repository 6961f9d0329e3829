"""An app with a form, and ways into it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Answer, Asgi, Wsgi

from vial import Vial
from vial.flask_mode import Flask
from vial.forms import CSRFProtect
from vial.forms.csrf import generate_csrf

Sends = Callable[..., Answer]
ENTRANCES = [Wsgi(), Asgi(), Rsgi()]


@pytest.fixture(params=[Vial, Flask], ids=["modern", "flask mode"])
def both(request: Any) -> Any:
    """An app of either mode."""
    return made(request.param)


@pytest.fixture
def app() -> Vial:
    return made(Vial)


@pytest.fixture
def flask_app() -> Vial:
    return made(Flask)


def made(cls: type[Vial]) -> Vial:
    app = cls("forms", static_folder=None)
    app.secret_key = "k"
    return app


@pytest.fixture(params=[(e, is_async) for e in ENTRANCES for is_async in (False, True)])
def sends(request: Any) -> Sends:
    """Protect an app and send a request to a view of it, sync or async, by one of the entrances.

    ``token`` goes into the form, ``header`` into one; True is a good one of the session.
    """
    entrance, is_async = request.param

    def send(app: Vial, method: str = "POST", token: Any = None, **options: Any) -> Answer:
        protected(app, is_async)
        page = entrance.ask(app, "/token")
        cookie = page["set-cookie"].partition(";")[0]
        good = page.text
        headers = [("Cookie", cookie), *options.pop("headers", {}).items()]
        header = options.pop("header", None)
        if header:
            headers.append(("X-CSRFToken", good if header is True else header))
        if token:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            options["body"] = f"a=1&csrf_token={good if token is True else token}".encode()
        return entrance.ask(app, "/", method, headers=headers, **options)

    return send


def protected(app: Vial, is_async: bool = False) -> CSRFProtect:
    """Views at ``/`` and ``/token``, and the protection of both."""

    def view() -> str:
        return "done"

    async def waiting() -> str:
        return "done"

    def token() -> str:
        return generate_csrf()

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app.add_url_rule("/", "view", waiting if is_async else view, methods=methods)
    app.add_url_rule("/token", "token", token)
    return CSRFProtect(app)


def token_of(text: str) -> str:
    (found,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', text)
    return str(found)
