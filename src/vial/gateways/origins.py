"""Which pages may open a WebSocket: a browser sends the cookies of its user whoever asks.

No CORS protects a WebSocket (RFC 6455 §10.2; CVE-2019-13611 was that hole in python-engineio).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from werkzeug.exceptions import Forbidden

if TYPE_CHECKING:
    from ..app import Vial
    from .connection import Channel


def check_origin(app: Vial, channel: Channel, host: str | None) -> None:
    """Refuse a page of another site, unless ``WEBSOCKET_ALLOWED_ORIGINS`` names it.

    That is ``None`` for pages of the app's own host alone, an origin (``"https://example.com"``)
    or a collection of them, or ``"*"`` for all. A client without ``Origin`` is no browser.

    :raises Forbidden: for a page that is not allowed.
    """
    found = channel.header(b"origin")
    if not found:
        return
    origin = b",".join(found).decode("latin-1").lower()
    allowed: str | Collection[str] | None = app.config.get("WEBSOCKET_ALLOWED_ORIGINS")
    names = {allowed} if isinstance(allowed, str) else set(allowed or ())
    if "*" in names or origin in {name.lower() for name in names}:
        return
    if host is None or origin not in own_origins(host, channel.is_secure):
        app.logger.warning(
            "A page of %r was refused a WebSocket. If it may open one, name it in"
            " WEBSOCKET_ALLOWED_ORIGINS.",
            origin,
        )
        raise Forbidden("Pages of this origin may not open a WebSocket here.")


def own_origins(host: str, is_secure: bool) -> set[str]:
    """The origins (RFC 6454) of a host's own pages.

    One loaded by https may talk to what looks like http: a proxy took the TLS off. Forwarded
    headers are looked at only where ``TRUSTED_PROXIES`` had them rewrite the request.

    :param host: as the request names it, with its port.
    """
    host = host.lower()
    own = {f"https://{host.removesuffix(':443')}"}
    return own if is_secure else own | {f"http://{host.removesuffix(':80')}"}
