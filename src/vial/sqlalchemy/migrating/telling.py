"""What Alembic says while it works, for the person at the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Telling(logging.Handler):
    """Says which steps are taken and what was found, and leaves out how."""

    def __init__(self, err: bool) -> None:
        super().__init__()
        self._err = err
        #: Whether nothing was said.
        self.is_silent = True

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        is_known = text.startswith(("Running ", "Detected ")) and "assuming" not in text
        if is_known or record.levelno >= logging.WARNING:
            self.is_silent = False
            click.echo(text, err=self._err)


@contextmanager
def telling(err: bool = False) -> Iterator[Telling]:
    """Show what Alembic logs; all is as it was afterwards, whatever ``env.py`` configures."""
    logger = logging.getLogger("alembic")
    before = logger.level, logger.propagate
    handler = Telling(err)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
