"""For every test: ``flask`` is Vial, in this process and in those it starts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
from cases.entrances import Answer, Asgi

import vial
import vial.flask_mode


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker("ecosystem")


@pytest.fixture(autouse=True, scope="session")
def flask_is_vial() -> None:
    import flask

    assert flask.Flask is vial.flask_mode.Flask
    assert flask.request is vial.request
    found = importlib.util.find_spec("flask")
    assert found is not None and found.origin is None, "a real Flask is installed"


@pytest.fixture(autouse=True)
def no_command_line_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # FlaskGroup sets it for the process, in which app.run() does nothing from then on.
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "false")
    monkeypatch.delenv("FLASK_RUN_FROM_CLI")


@pytest.fixture
def over_asgi() -> Callable[..., Answer]:
    """One request through an app's ASGI side, on a loop of its own."""
    return Asgi().ask


@pytest.fixture
def assert_fast() -> Callable[[Any], None]:
    """An app that answered a request did so without going through its methods."""
    return lambda app: _assert_plans(app, compatible=False)


@pytest.fixture
def assert_by_methods() -> Callable[[Any], None]:
    """An app of which a step was replaced went through its methods."""
    return lambda app: _assert_plans(app, compatible=True)


def _assert_plans(app: Any, compatible: bool) -> None:
    assert app._plans, "no request was made"
    assert {plan.compatible for plan in app._plans.values()} == {compatible}
