"""Where Flask-Bootstrap's pages find their files."""

from __future__ import annotations

from typing import Any, Protocol

from ..globals import current_app
from ..helpers import url_for

__all__ = ["CDN", "ConditionalCDN", "StaticCDN", "WebCDN", "bootstrap_find_resource"]


class CDN(Protocol):
    """What knows the URL of a file."""

    def get_resource_url(self, filename: str) -> str:
        """The URL of this file."""
        ...


class StaticCDN:
    """Files of the app itself.

    :param static_endpoint: of the view that sends them.
    :param rev: taken for programs that give it; the URLs of our own files always have a version.
    """

    def __init__(self, static_endpoint: str = "static", rev: bool = False) -> None:
        self.static_endpoint = static_endpoint
        self.rev = rev

    def get_resource_url(self, filename: str) -> str:
        return url_for(self.static_endpoint, filename=filename)


class WebCDN:
    """Files below a URL, ``baseurl``, which ends with a slash."""

    def __init__(self, baseurl: str) -> None:
        self.baseurl = baseurl

    def get_resource_url(self, filename: str) -> str:
        return f"{self.baseurl}{filename}"


class ConditionalCDN:
    """The first CDN while the app's config has the variable set, else the second."""

    def __init__(self, confvar: str, primary: CDN, fallback: CDN) -> None:
        self.confvar = confvar
        self.primary = primary
        self.fallback = fallback

    def get_resource_url(self, filename: str) -> str:
        chosen = self.primary if current_app.config[self.confvar] else self.fallback
        return chosen.get_resource_url(filename)


def default_cdns() -> dict[str, CDN]:
    """Our own files for all that is shipped."""
    shipped = StaticCDN("bootstrap.static", rev=True)
    return {"local": shipped, "static": StaticCDN(), "bootstrap": shipped, "jquery": shipped}


def bootstrap_find_resource(
    filename: str, cdn: str, use_minified: bool | None = None, local: bool = True
) -> str:
    """The URL of a file, such as ``css/bootstrap.css`` of the CDN ``bootstrap``.

    :param use_minified: whether ``.min`` goes before the suffix; None is
        ``BOOTSTRAP_USE_MINIFIED``.
    :param local: taken for programs that give it.
    :raises LookupError: when there is no such CDN.
    """
    known: dict[str, Any] = current_app.extensions["bootstrap"].cdns
    if cdn not in known:
        raise LookupError(f"There is no CDN {cdn!r}; there are {', '.join(sorted(known))}.")
    if use_minified or (use_minified is None and current_app.config["BOOTSTRAP_USE_MINIFIED"]):
        stem, dot, suffix = filename.rpartition(".")
        filename = f"{stem}.min{dot}{suffix}" if stem and not stem.endswith(".min") else filename
    return str(known[cdn].get_resource_url(filename))
