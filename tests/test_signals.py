from __future__ import annotations

from typing import Any

import flask.signals
import pytest
from blinker import Namespace

import vial.signals
from vial import Vial

NAMES = [
    "template_rendered",
    "before_render_template",
    "request_started",
    "request_finished",
    "request_tearing_down",
    "got_request_exception",
    "appcontext_tearing_down",
    "appcontext_pushed",
    "appcontext_popped",
    "message_flashed",
]


def test_there_are_the_signals_of_flask_and_no_others() -> None:
    assert isinstance(vial.signals._signals, Namespace)
    assert set(vial.signals._signals) == set(flask.signals._signals)
    assert len(vial.signals._signals) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_has_the_name_it_has_in_flask_and_reaches_its_receivers(name: str) -> None:
    signal = getattr(vial.signals, name)
    assert signal.name == getattr(flask.signals, name).name
    assert signal is vial.signals._signals[signal.name]
    assert signal is not getattr(flask.signals, name)
    heard: list[tuple[object, dict[str, object]]] = []
    sender = object()
    assert not list(signal.receivers_for(sender))
    with signal.connected_to(lambda sender, **extra: heard.append((sender, extra)), sender):
        signal.send(sender, text="hello")
        signal.send(object(), text="not for this receiver")
    signal.send(sender, text="too late")
    assert heard == [(sender, {"text": "hello"})]


def test_a_session_that_was_kept_is_told_with_its_cookie() -> None:
    app = Vial(__name__, static_folder=None)
    app.secret_key = "key"
    app.add_url_rule("/set", "set", lambda: vial.session.update(a=1) or "")
    app.add_url_rule("/other", "other", lambda: "")
    told: list[Any] = []

    def listen(sender: Any, response: Any) -> None:
        told.append((sender, "session=" in response.headers["Set-Cookie"], vial.session["a"]))

    with vial.signals.session_saved.connected_to(listen, app):
        client = app.test_client()
        client.get("/other")
        client.get("/set")
        client.get("/other")
    assert told == [(app, True, 1)]
