"""The views: a module for each part of the site, and `events.py` for Socket.IO."""

from vial import Blueprint, Vial

from . import events
from .accounts import bp as accounts
from .pages import bp as pages
from .rooms import bp as rooms

BLUEPRINTS: list[Blueprint] = [accounts, pages, rooms]


def init_app(app: Vial) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.extensions["presence"] = events.Presence(app)
