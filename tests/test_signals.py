from __future__ import annotations

import flask.signals
import pytest
from blinker import Namespace

import vial.signals

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
    assert not signal.receivers
    heard: list[tuple[object, dict[str, object]]] = []
    sender = object()
    with signal.connected_to(lambda sender, **extra: heard.append((sender, extra)), sender):
        signal.send(sender, text="hello")
        signal.send(object(), text="not for this receiver")
    signal.send(sender, text="too late")
    assert heard == [(sender, {"text": "hello"})]
