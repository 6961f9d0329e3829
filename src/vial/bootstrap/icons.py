"""Bootstrap's icons, out of the sprite that is shipped."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache

from markupsafe import Markup

from ..globals import current_app
from .assets import STATIC

__all__ = ["drawing"]

_SYMBOL = re.compile(r'<symbol [^>]*id="([^"]+)"[^>]*>(.*?)</symbol>', re.DOTALL)


def drawing(name: str) -> Markup:
    """What is inside the ``<svg>`` of an icon; nothing, and a line in the log, if there is none.

    The page has the drawing in it, some hundred bytes, so that no visitor loads the megabyte of
    the sprite for three of its 2078 icons.
    """
    found = _drawings().get(name.removeprefix("bi-"))
    if found is None:
        _report(name)
    return Markup(found or "")  # noqa: S704 - from our own file


@cache
def _drawings() -> dict[str, str]:
    sprite = (STATIC / "icons" / "bootstrap-icons.svg").read_text(encoding="utf-8")
    return dict(_SYMBOL.findall(sprite))


def _report(name: str) -> None:
    near = get_close_matches(name, _drawings(), 1)
    hint = f" Did you mean {near[0]!r}?" if near else " All are on https://icons.getbootstrap.com"
    current_app.logger.warning("Bootstrap has no icon %r.%s", name[:80], hint)
