"""Signals that the framework sends, with Flask 3.1.3's names and keyword arguments.

Each is a :class:`blinker.NamedSignal`; the sender is the app. Who sends one tests ``receivers``
first, so a signal nobody listens to costs one attribute read.
"""

from __future__ import annotations

from blinker import Namespace, Signal

# For the framework's own signals only: an application makes a Namespace of its own.
_signals = Namespace()

template_rendered = _signals.signal("template-rendered")
before_render_template = _signals.signal("before-render-template")
request_started = _signals.signal("request-started")
request_finished = _signals.signal("request-finished")
request_tearing_down = _signals.signal("request-tearing-down")
got_request_exception = _signals.signal("got-request-exception")
appcontext_tearing_down = _signals.signal("appcontext-tearing-down")
appcontext_pushed = _signals.signal("appcontext-pushed")
appcontext_popped = _signals.signal("appcontext-popped")
message_flashed = _signals.signal("message-flashed")

#: The session of a request was kept, and ``response`` tells the client of it. Vial's own: Flask has
#: ``request_finished``, which every request pays for.
session_saved = Signal()
