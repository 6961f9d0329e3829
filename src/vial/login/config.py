"""Defaults of the settings, with the names that Flask-Login 0.6.3 has for them."""

from __future__ import annotations

from datetime import timedelta

#: Of the cookie that remembers a user (``REMEMBER_COOKIE_…`` in the config of an app).
COOKIE_NAME = "remember_token"
COOKIE_DURATION = timedelta(days=365)
COOKIE_SECURE = False
COOKIE_HTTPONLY = True
COOKIE_SAMESITE = None

#: What strangers are told where they have to log in.
LOGIN_MESSAGE = "Please log in to access this page."
LOGIN_MESSAGE_CATEGORY = "message"
#: What those are told whose login is not fresh.
REFRESH_MESSAGE = "Please reauthenticate to access this page."
REFRESH_MESSAGE_CATEGORY = "message"

#: The method of a user that gives its id.
ID_ATTRIBUTE = "get_id"
#: The header that a ``header_loader`` is given.
AUTH_HEADER_NAME = "Authorization"

#: What a login keeps in the session.
SESSION_KEYS = {
    "_user_id",
    "_remember",
    "_remember_seconds",
    "_id",
    "_fresh",
    "next",
}
#: Methods that need no login.
EXEMPT_METHODS = {"OPTIONS"}
#: Whether the page that was asked for is kept in the session instead of the URL of the login page.
USE_SESSION_FOR_NEXT = False
