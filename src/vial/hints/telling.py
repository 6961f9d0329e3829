"""Hints that belong to no exception: lines in the log."""

from __future__ import annotations

import logging

from ..logging import default_handler, has_level_handler

#: Not the app's logger, so that a program may silence or collect them apart.
log = logging.getLogger("vial.hints")


def tell(level: int, text: str, *args: object) -> None:
    """Log a hint, on the standard error stream where nothing else takes it.

    Arguments that come from a client are written with ``%a``: a log has one line for each.
    """
    if not log.level:
        log.setLevel(logging.INFO)
    if not has_level_handler(log):
        log.addHandler(default_handler)
    log.log(level, text, *args, stacklevel=2)
