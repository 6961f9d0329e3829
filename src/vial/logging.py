"""The logger of an app, and the stream it writes to while a request runs. Flask 3.1.3's names."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Protocol, TextIO, cast

from werkzeug.local import LocalProxy


class _App(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def debug(self) -> bool: ...


def _no_request() -> TextIO | None:
    return None


#: Finds ``wsgi.errors`` of the current request, or ``None`` outside of one. The module that owns
#: the contexts sets it when it is imported: this one lies below and may not import requests.
find_request_errors: Callable[[], TextIO | None] = _no_request


#: ``wsgi.errors`` of the current request, and :data:`sys.stderr` outside of one: a stream for
#: handlers of your own, in a ``dictConfig`` called ``ext://vial.logging.wsgi_errors_stream``.
wsgi_errors_stream = cast(TextIO, LocalProxy(lambda: find_request_errors() or sys.stderr))


def has_level_handler(logger: logging.Logger) -> bool:
    """Tell whether any handler on the way up from ``logger`` takes records of its level."""
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


#: Writes ``[time] LEVEL in module: message`` to :data:`wsgi_errors_stream`.
default_handler = logging.StreamHandler(wsgi_errors_stream)
default_handler.setFormatter(
    logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s")
)


def create_logger(app: _App) -> logging.Logger:
    """Return the logger called ``app.name``, ready to be read by a person.

    In debug mode a logger without a level gets :data:`logging.DEBUG`. Only where no handler takes
    its records it gets :data:`default_handler`, so that logging set up by the program is kept.
    """
    logger = logging.getLogger(app.name)
    if app.debug and not logger.level:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
    return logger
