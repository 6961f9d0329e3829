"""What ``vial check`` finds: the codes, a finding, and the comments that silence one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

#: Each code with its severity and title. Codes are stable: one that goes is not given again.
CODES: dict[str, tuple[str, str]] = {
    "V101": ("error", "unknown endpoint"),
    "V102": ("error", "argument of url_for missing"),
    "V103": ("error", "argument of url_for of the wrong type"),
    "V104": ("error", "missing static file"),
    "V105": ("error", "route that another one hides"),
    "V106": ("error", "view does not take what its rule gives"),
    "V107": ("error", "wrong methods of a route"),
    "V108": ("error", "endpoint used twice"),
    "V109": ("error", "blueprint that is not registered"),
    "V201": ("error", "missing template"),
    "V202": ("error", "syntax error in a template"),
    "V203": ("error", "unknown filter"),
    "V204": ("error", "unknown test"),
    "V205": ("error", "missing folder of a blueprint"),
    "V301": ("error", "view that returns nothing"),
    "V302": ("warning", "blocking call in an async function"),
    "V303": ("error", "before_request function that returns a bool"),
    "V304": ("error", "error handler for a code that does not exist"),
    "V305": ("warning", "app.run(debug=True) outside of the main guard"),
    "V306": ("error", "file that hides a library"),
    "V401": ("error", "data of the request as markup"),
    "V402": ("error", "data of the request as a template"),
    "V403": ("error", "data of the request as a path"),
    "V404": ("error", "data of the request in SQL"),
    "V405": ("error", "redirect to where the request says"),
    "V406": ("error", "unsafe yaml.load"),
    "V407": ("error", "data of the request unpickled"),
    "V408": ("error", "data of the request in a command"),
    "V409": ("error", "data of the request run as code"),
    "V501": ("error", "no SECRET_KEY"),
    "V502": ("error", "weak SECRET_KEY"),
    "V503": ("error", "SECRET_KEY in the source"),
    "V504": ("error", "debug mode"),
    "V505": ("error", "TESTING"),
    "V506": ("warning", "session cookie without Secure"),
    "V507": ("warning", "session cookie without SameSite"),
    "V508": ("warning", "session cookie without HttpOnly"),
    "V509": ("warning", "every origin allowed"),
    "V510": ("warning", "URLs made with http"),
    "V511": ("warning", "bodies without a limit"),
}
#: Rules that speak of a configuration that is fine while developing.
PRODUCTION = "V5"

_IGNORE = re.compile(r"(?:#|\{#).*?\bvial:\s*ignore(?:\[([\w\s,]*)\])?")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong. ``file`` is relative to the working directory where it is in it;
    ``line`` counts from 1."""

    file: str
    line: int
    code: str
    message: str
    help: str

    @property
    def severity(self) -> str:
        """``error`` for what fails or is a hole, ``warning`` for what hurts."""
        return CODES[self.code][0]


@dataclass(frozen=True)
class Choice:
    """Which codes are wanted: full ones or beginnings such as ``V4``."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    production: bool = False

    def __contains__(self, code: object) -> bool:
        code = str(code)
        if code.startswith(self.ignore) and self.ignore:
            return False
        if self.select:
            return code.startswith(self.select)
        return self.production or not code.startswith(PRODUCTION)


def is_ignored(lines: list[str], line: int, code: str) -> bool:
    """Whether a comment on the line, or alone on the one above it, silences the code."""
    own = lines[line - 1] if 0 < line <= len(lines) else ""
    above = lines[line - 2].strip() if 1 < line <= len(lines) + 1 else ""
    return _silences(own, code) or (above.startswith(("#", "{#")) and _silences(above, code))


def _silences(text: str, code: str) -> bool:
    """Whether the comment in a line names the code, or none at all."""
    found = _IGNORE.search(text)
    if found is None:
        return False
    return found[1] is None or code in re.split(r"[\s,]+", found[1])


def near(name: str, names: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` for the name that looks most like it, or nothing."""
    match = nearest(name, names)
    return f" Did you mean {match!r}?" if match is not None else ""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that looks most like this one."""
    # get_close_matches takes quadratic time in the length of a name.
    known = [n for n in sorted(set(names))[:5000] if len(n) <= 200]
    found = get_close_matches(name[:200], known, 1, 0.6)
    return found[0] if found else None
