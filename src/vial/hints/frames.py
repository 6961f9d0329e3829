"""Where an exception came from."""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType

#: Packages whose frames are not the program's.
_MACHINERY = {"vial", "flask", "werkzeug", "jinja2", "contextlib", "functools", "markupsafe"}


def is_machinery(frame: FrameType) -> bool:
    """Whether a frame is of Vial or what it stands on."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _MACHINERY


def frames(error: BaseException) -> Iterator[FrameType]:
    """The frames that an exception came through, from where it was raised outwards."""
    found = []
    tb = error.__traceback__
    while tb is not None:
        found.append(tb.tb_frame)
        tb = tb.tb_next
    return reversed(found)


def frame_of(error: BaseException, module: str, function: str) -> FrameType | None:
    """The innermost frame of a function, by the names of its module and itself."""
    for frame in frames(error):
        if frame.f_code.co_name == function and frame.f_globals.get("__name__") == module:
            return frame
    return None


def program_frame(error: BaseException) -> FrameType | None:
    """The innermost frame of the program itself."""
    return next((frame for frame in frames(error) if not is_machinery(frame)), None)


def origin(error: BaseException) -> FrameType | None:
    """The frame that raised it."""
    return next(frames(error), None)
