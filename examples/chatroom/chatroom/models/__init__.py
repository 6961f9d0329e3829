"""The models: what people may do (`chat.py`), by which rules, and where it is kept."""

from __future__ import annotations

from typing import cast

from werkzeug.local import LocalProxy

from vial import Vial, current_app

from .chat import Chat, TooMany
from .rules import Refused, Taken
from .store import Message, Room, Store, User

__all__ = ["Chat", "Message", "Refused", "Room", "Store", "Taken", "TooMany", "User", "chat"]

chat = cast(Chat, LocalProxy(lambda: current_app.extensions["chat"]))
"""The chat of the current application."""


def init_app(app: Vial) -> None:
    """MONGO_URL names a MongoDB; without it, it is the database of SQLALCHEMY_DATABASE_URI."""
    if app.config["MONGO_URL"]:
        from .mongo import init_app as init_store  # only then pymongo must be installed
    else:
        from .sql import init_app as init_store
    app.extensions["chat"] = Chat(init_store(app))
