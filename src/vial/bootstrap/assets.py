"""The files that are shipped: where they are, what they hash to, how long browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ..blueprints import Blueprint
from ..globals import current_app, request
from ..wrappers import Response
from .colors import stylesheet

__all__ = [
    "ALIASES",
    "CDN",
    "COLORS",
    "INTEGRITY",
    "SHIPPED",
    "STATIC",
    "THEMES",
    "VERSIONS",
    "Assets",
]

STATIC = Path(__file__).parent / "static"
CDN = "https://cdn.jsdelivr.net/npm"
VERSIONS = {
    "bootstrap": "5.3.8",
    "bootswatch": "5.3.8",
    "bootstrap-icons": "1.13.1",
    "jquery": "3.7.1",
}

CSS = "css/bootstrap.min.css"
JS = "js/bootstrap.bundle.min.js"
JQUERY = "js/jquery.min.js"
ICON_FONT = "css/font/bootstrap-icons.min.css"

#: SHA-384 of shipped files that may come from a CDN instead, where their bytes are the same.
INTEGRITY = {
    CSS: "sha384-sRIl4kxILFvY47J16cr9ZwB07vP4J8+LH7qKQnuqkuIAvNWLzeN8tE5YBujZqJLB",
    JS: "sha384-FKyoEForCGlyvwx9Hj09JcYn3nv7wiPVlz7YYwJrWVcXK/BmnVDxM+D2scQbITxI",
    JQUERY: "sha384-1H217gwSVyLSIfaLxHbE7dRb3v4mYCKbpQvzx0cegeju1MVsGrX5xXxAvs/HgeFs",
    ICON_FONT: "sha384-CK2SzKma4jA5H/MXDUU7i1TqZlCFaD4T01vtyDFvPlD97JQyS+IsSh1nI2EFbpyk",
}

#: Bootswatch's themes, with the hash of each. Those in SHIPPED ask no other host for a font.
THEMES = {
    "brite": "sha384-Ofi7E7ZOYTr4CxupdpiGUzzXde5ISlET4zbL25ujM4xQDsQmnLHb5H5d+Helx0qk",
    "cerulean": "sha384-HqhCRk5UwZdbqmzeyYZHCwu3IuFe84q3c8UZtboEpYrdnIwi0RLZDag0RpKbFBHL",
    "cosmo": "sha384-QOrayDhdkHbTAsh/gb0iGlDY/xHwI3sdDvyHkxnfpY20Y+Pa8aRHFXmLQYklmIx/",
    "cyborg": "sha384-qxGSw6SRX7woR/PK/wbYrdowFJ2DdFQF+nwWswHGKp+jqtYAQKCvBzB/3b+Pjx6W",
    "darkly": "sha384-t2UKecXY6tDoQIsEiNhYTaTFWmoHgQT7MV80h9huTejPYLkdgaOHv8ssDrS3Cdcw",
    "flatly": "sha384-MZ3pnZEBOL1wAG2nrP+M1A9LCApF229c39UC+1T3B96aI3VjuAWMeb1I99GMJacE",
    "journal": "sha384-eRVXTeypnZFrG30qaCO1StJ3gOF9/t2OF+M6BLE1/o69NMCO6W135Be6Z+ajWR6V",
    "litera": "sha384-g6vhFEtzOi0DDt7vbQKSu/YNZmo3NJPwXhjhyao/avcyLwyY4C+t630BOB6eoBpF",
    "lumen": "sha384-VvtmOf0H1c5UOkg0sTVnp2+DaE7+6PO78xrugFKUni8B3tEbZ6V56DNytr8Zs2ZI",
    "lux": "sha384-0hYdc6q9O/GUgxXwzZ4g/D6UAIb+PdD4RbQADGoSKqAGG5yBVeJYHWz1EXZXFjf6",
    "materia": "sha384-W2UjBw+COF3Eo7koIX3NVgE5zvvJqgwN/iqcHt00n+MNZlyeUzotrrhvPcZVfSUZ",
    "minty": "sha384-7cNn55KSVPdYzfuegchZCGqbVrV6ksXrmgEb1VZbPHSwQqCFDFTrQfg8MsZmSI7u",
    "morph": "sha384-x8ZzaWWeiHoeOKxzqViigGot3Uxq/86QdU4PmdzkDbpvqikfiztn9NXAOe9VoDn/",
    "pulse": "sha384-s1beQxR3MhCcfAHT7ulQXJiGt1ejAnXU2LMI2I+23+ty05iA1rf+jsy5WiWJOnms",
    "quartz": "sha384-1Pk9yPJEOSSDwX+PSDz1BitsclSsBQdVX17SR6KJEzl/LlT5lnTnOArjHcu/4VG1",
    "sandstone": "sha384-fNau2pcWOdbUULBw483bxURlLECRa/y2jWlGAJqBbnFzurmThA8gwbpHKogT37Do",
    "simplex": "sha384-6ROvCwoH6HDVxMBZrCLzh5t4tMXwFcEXILGqY/fvKl2bQpD4cij1g6fSUA0SbXsh",
    "sketchy": "sha384-JydQZovtaTxBDWypezbaeDcTZRTjToRV4VMLNx6PTVbViu5x+4DtMCJQmwpYrZCF",
    "slate": "sha384-qhrBcipvKS9sQcI3lcoXpdKNs9jmQAunazzwZW3aZeuFMoRih2NYJIDsr6XTFndn",
    "solar": "sha384-sD1IsxtjOsJchPKi0IV4d26qTKtjaSCKexjv71/cyndbK1gFKAz7iPf2xtRbsqpi",
    "spacelab": "sha384-6O06/mG6zTPV5qcszBfW91idf95OvvBVrsSlQ23AP7bq5TYK0Gh4lmmHSf47i/B2",
    "superhero": "sha384-fU437/gCPFVIYQG5/RnXUGGh+prGONHn6C9GslvteaFVmNCeul6aHunWDz85bM78",
    "united": "sha384-CtE18eQN6gdhF75AwSNgRfJDqd3YmE+cpu9NqHKEhsp4Xbh8MbPboXFaGaMjs4oE",
    "vapor": "sha384-V2qF16o6CEJntOUT/bjC83Rs2wB24++/hfV0D2AV4lM3rGwY1U56PszercfsQWnm",
    "yeti": "sha384-OMwG/TAHy7NRQbZ6SZ/45S4g8n76iLIAkbYP8evydAdSZiO97yIyh5g2zThHlY8r",
    "zephyr": "sha384-0qFVRx98HJem0F2omOB5o37vVaRuuesFrDqe5Q292oSriOauZU47Cz7anAMHnYnf",
}
SHIPPED = ("brite", "cerulean", "litera", "pulse", "quartz", "slate")

#: Paths that the originals have, for pages that name them.
ALIASES = {
    "css/bootstrap.css": CSS,
    "js/bootstrap.js": JS,
    "js/bootstrap.min.js": JS,
    "jquery.js": JQUERY,
    "jquery.min.js": JQUERY,
}
#: The one sheet that is no file: what the app's BOOTSTRAP_COLORS make of Bootstrap's.
COLORS = "css/colors.css"
YEAR = 365 * 24 * 3600


class Assets(Blueprint):
    """The blueprint ``bootstrap``: the shipped files, and the templates.

    A URL that :func:`vial.url_for` makes holds a piece of the file's hash, as ``v``. What is
    asked for by such a URL may be kept for a year; without, browsers ask each time.
    """

    def __init__(self, static_url_path: str) -> None:
        super().__init__(
            "bootstrap",
            __name__,
            static_folder="static",
            static_url_path=static_url_path,
            template_folder="templates",
        )
        self.url_defaults(_add_fingerprint)

    def send_static_file(self, filename: str) -> Response:
        """Answer with a shipped file, also by the paths that it has in the originals."""
        if filename == COLORS:
            response = self._colors()
        else:
            response = super().send_static_file(ALIASES.get(filename, filename))
        if response.cache_control.max_age == YEAR:
            response.cache_control.immutable = True
        return response

    def _colors(self) -> Response:
        response = Response(colors(), mimetype="text/css")
        response.cache_control.max_age = self.get_send_file_max_age(COLORS)
        response.add_etag()
        response.make_conditional(request)
        return response

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """A year, if the URL names the content that the file has now."""
        asked = request.args.get("v")
        if asked and filename and asked == fingerprint(filename):
            return YEAR
        return super().get_send_file_max_age(filename)


def _add_fingerprint(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "bootstrap.static" and "v" not in values:
        found = fingerprint(str(values.get("filename")))
        if found:
            values["v"] = found


def fingerprint(filename: str) -> str | None:
    """What stands for the content of a shipped file in its URL; None if there is no such file."""
    if filename == COLORS:
        return hashlib.sha384(colors()).hexdigest()[:24]
    name = ALIASES.get(filename, filename)
    return _digest(name)[:12].hex() if name in _names() else None


def colors() -> bytes:
    """The style sheet for the app's ``BOOTSTRAP_COLORS``."""
    return _colors_of(tuple((current_app.config["BOOTSTRAP_COLORS"] or {}).items()))


@lru_cache(maxsize=16)
def _colors_of(pairs: tuple[tuple[str, str], ...]) -> bytes:
    return stylesheet(dict(pairs)).encode()


@cache
def _names() -> frozenset[str]:
    files = (path for path in STATIC.rglob("*") if path.is_file())
    return frozenset(path.relative_to(STATIC).as_posix() for path in files)


@cache
def _digest(filename: str) -> bytes:
    return hashlib.sha384((STATIC / filename).read_bytes()).digest()
