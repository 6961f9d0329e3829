"""Where a name was used that needs a request or an app: at import, in a thread, in a generator."""

from __future__ import annotations

import os
import sys
import threading
from types import FrameType

from .frames import is_machinery

_GENERATOR = 0x20 | 0x200  # CO_GENERATOR, CO_ASYNC_GENERATOR


def situation() -> str:
    """Where the program used it, and what helps there; empty where nothing special is known.

    Costs some microseconds, and ``bool(current_app)`` outside of an app pays them: that is asked
    in scripts and commands, not while a request is handled.
    """
    frame = _caller()
    if frame is None:
        return ""
    code = frame.f_code
    where = f"line {frame.f_lineno} of {os.path.basename(code.co_filename)!r}"
    if code.co_name == "<module>":
        return (
            f"\n\nIt was used in {where}, outside of any function: that runs when the program is"
            " imported, before there is a request. Move it into the function that needs it."
        )
    if code.co_flags & _GENERATOR and frame.f_back is not None and is_machinery(frame.f_back):
        return (
            f"\n\nIt was used in {where}, in the generator {code.co_name!r}, which runs while the"
            " response is sent, after the view has returned. Return"
            f" stream_with_context({code.co_name}()), or read what it needs before."
        )
    thread = threading.current_thread()
    if thread is not threading.main_thread() and not _is_handled_by_us(frame):
        return (
            f"\n\nIt was used in {where}, in the thread {thread.name!r}, which does not see the"
            " request of the thread that started it. Give it the values that it needs, or start it"
            " by app.background(function, …); copy_current_request_context(function) takes the"
            " request along."
        )
    return ""


def _caller() -> FrameType | None:
    """The frame of the program that used the name."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_machinery(frame):
        frame = frame.f_back
    return frame


def _is_handled_by_us(frame: FrameType | None) -> bool:
    """Whether Vial called into this thread's work: then a request came to it before."""
    while frame is not None:
        if is_machinery(frame):
            return True
        frame = frame.f_back
    return False
