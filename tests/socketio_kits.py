"""One small program on Flask with Flask-SocketIO and on Vial, and what its clients receive there.

A test under :func:`same` gets a :class:`Kit`, notes what it sees, and runs three times: on the
peer, on Vial in Flask mode, and on Vial itself. The notes must be equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import flask
import flask_socketio

import vial
import vial.flask_mode
import vial.socketio

_SID = re.compile(r"^[A-Za-z0-9_-]{20}$")


class Kit:
    """The names of one of the two sides, and the notes of one run."""

    def __init__(self, app_class: Any, web: Any, io: Any, **options: Any) -> None:
        self.web = web
        self.io = io
        self.request = web.request
        self.session = web.session
        self.SocketIO = partial(io.SocketIO, **options)
        self.notes: list[Any] = []
        self._app_class = app_class
        self._sids: dict[str, str] = {}

    def app(self, **config: Any) -> Any:
        app = self._app_class("chat", static_folder=None)
        app.config.update(SECRET_KEY="key", **config)
        return app

    def make(self, **options: Any) -> tuple[Any, Any]:
        app = self.app()
        return app, self.SocketIO(app, **options)

    def note(self, value: Any) -> None:
        """Keep a value for the comparison; sids are named in the order in which they appear."""
        self.notes.append(self._plain(value))

    def received(self, *clients: Any, namespace: str | None = None) -> None:
        """Note what each client has received since the last time."""
        for client in clients:
            self.note(client.get_received(namespace))

    def refused(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Note the kind of exception that a call raises."""
        try:
            call(*args, **kwargs)
        except Exception as e:
            # A subclass of ours is the exception that a program for the peer catches.
            known = [kind.__name__ for kind in type(e).__mro__ if kind.__module__ == "builtins"]
            self.note(known[0])
        else:
            self.note("nothing raised")

    def _plain(self, value: Any) -> Any:
        if isinstance(value, str) and _SID.match(value):
            return self._sids.setdefault(value, f"sid {len(self._sids) + 1}")
        if isinstance(value, dict):
            return {self._plain(key): self._plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._plain(item) for item in value]
        return value


class Wire:
    """A client that speaks the protocol by polling, through the HTTP test client of the app."""

    def __init__(self, app: Any, query: str = "", **kwargs: Any) -> None:
        self.http = app.test_client()
        self.reply = self.http.get(f"/socket.io/?EIO=4&transport=polling{query}", **kwargs)
        self.handshake = json.loads(self.reply.get_data(as_text=True)[1:])
        self._url = f"/socket.io/?EIO=4&transport=polling&sid={self.handshake['sid']}"
        self._waiting: list[str] = []

    def send(self, *packets: str) -> None:
        assert self.http.post(self._url, data="\x1e".join(packets)).status_code == 200

    def receive(self, count: int = 1) -> list[str]:
        """The next packets; waits for them."""
        while len(self._waiting) < count:
            body = self.http.get(self._url).get_data(as_text=True)
            self._waiting += body.split("\x1e")
        got, self._waiting = self._waiting[:count], self._waiting[count:]
        return [re.sub(r'"sid":"[^"]+"', '"sid":"..."', packet) for packet in got]


KITS = {
    "Flask-SocketIO": partial(
        Kit, flask.Flask, flask, flask_socketio, async_mode="threading", monitor_clients=False
    ),
    "Flask mode": partial(Kit, vial.flask_mode.Flask, vial, vial.socketio, monitor_clients=False),
    "Vial": partial(Kit, vial.Vial, vial, vial.socketio, monitor_clients=False),
}


def same(program: Callable[[Kit], None]) -> Callable[[], None]:
    """Run a program on each kit and compare its notes with those of the peer."""

    @wraps(program)
    def test() -> None:
        expected: list[Any] | None = None
        for name, make in KITS.items():
            kit = make()
            program(kit)
            assert kit.notes, "a program that notes nothing compares nothing"
            if expected is None:
                expected = kit.notes
            for ours, theirs in zip(kit.notes, expected, strict=False):
                assert ours == theirs, f"{name}: {ours!r}, but the peer: {theirs!r}"
            assert len(kit.notes) == len(expected), (name, kit.notes, expected)

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest would look for a fixture "kit"
    return test
