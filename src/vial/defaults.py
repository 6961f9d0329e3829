"""The two tables of configuration defaults: Flask's, and what Vial changes of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

#: Flask 3.1.3's, exactly.
FLASK: dict[str, Any] = {
    "DEBUG": None,
    "TESTING": False,
    "PROPAGATE_EXCEPTIONS": None,
    "SECRET_KEY": None,
    "SECRET_KEY_FALLBACKS": None,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
    "USE_X_SENDFILE": False,
    "TRUSTED_HOSTS": None,
    "SERVER_NAME": None,
    "APPLICATION_ROOT": "/",
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_PATH": None,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SECURE": False,
    "SESSION_COOKIE_PARTITIONED": False,
    "SESSION_COOKIE_SAMESITE": None,
    "SESSION_REFRESH_EACH_REQUEST": True,
    "MAX_CONTENT_LENGTH": None,
    "MAX_FORM_MEMORY_SIZE": 500_000,
    "MAX_FORM_PARTS": 1000,
    "SEND_FILE_MAX_AGE_DEFAULT": None,
    "TRAP_BAD_REQUEST_ERRORS": None,
    "TRAP_HTTP_EXCEPTIONS": False,
    "EXPLAIN_TEMPLATE_LOADING": False,
    "PREFERRED_URL_SCHEME": "http",
    "TEMPLATES_AUTO_RELOAD": None,
    "MAX_COOKIE_SIZE": 4093,
    "PROVIDE_AUTOMATIC_OPTIONS": True,
}

#: What ``from vial import Vial`` has on top of them. Absent keys mean Flask's behaviour.
VIAL: dict[str, Any] = {
    **FLASK,
    #: ``None``: ``Secure`` when the request is https.
    "SESSION_COOKIE_SECURE": None,
    "SESSION_COOKIE_SAMESITE": "Lax",
    #: Bytes; 413 above it.
    "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,
    #: Fields of a urlencoded form and parameters of a query string; 413 above it.
    "MAX_FORM_FIELDS": 1000,
    #: Send ``X-Content-Type-Options: nosniff`` with every response.
    "NOSNIFF": True,
    #: Answer 400 to a Host header that is not a host name.
    "VALIDATE_HOST": True,
    #: How many proxies are in front, or a list of their networks: what they say of the client in
    #: ``X-Forwarded-For`` and its kin is believed.
    "TRUSTED_PROXIES": None,
    #: Say on the pages of 404, 405 and 413 in debug mode what the log says.
    "HINTS_ON_PAGES": True,
    #: Whether ``redirect()`` may leave the site without being told ``external=True``.
    "EXTERNAL_REDIRECTS": False,
}
