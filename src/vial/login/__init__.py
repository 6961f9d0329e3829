"""Users who log in, stay logged in, and log out: Flask-Login's interface (0.6.3).

What is unlike it is listed in ``docs/login.md``.
"""

from __future__ import annotations

from .config import (
    AUTH_HEADER_NAME,
    COOKIE_DURATION,
    COOKIE_HTTPONLY,
    COOKIE_NAME,
    COOKIE_SECURE,
    ID_ATTRIBUTE,
    LOGIN_MESSAGE,
    LOGIN_MESSAGE_CATEGORY,
    REFRESH_MESSAGE,
    REFRESH_MESSAGE_CATEGORY,
)
from .login_manager import LoginManager, RememberStore
from .mixins import AnonymousUserMixin, UserMixin
from .passwords import (
    PasswordCheck,
    PasswordTooLong,
    hash_password,
    hash_password_async,
    verify_password,
    verify_password_async,
)
from .redirects import is_safe_next, login_url, make_next_param, safe_next
from .signals import (
    session_protected,
    user_accessed,
    user_loaded_from_cookie,
    user_loaded_from_request,
    user_logged_in,
    user_logged_out,
    user_login_confirmed,
    user_needs_refresh,
    user_unauthorized,
)
from .test_client import FlaskLoginClient
from .throttle import LoginThrottle, network_of, throttle_login
from .tokens import decode_cookie, encode_cookie
from .utils import (
    bearer_token,
    confirm_login,
    current_user,
    fresh_login_required,
    fresh_login_required_by,
    load_current_user,
    login_fresh,
    login_remembered,
    login_required,
    login_user,
    logout_user,
    reload_user,
    renew_session,
    set_login_view,
)

__all__ = [
    "AUTH_HEADER_NAME",
    "COOKIE_DURATION",
    "COOKIE_HTTPONLY",
    "COOKIE_NAME",
    "COOKIE_SECURE",
    "ID_ATTRIBUTE",
    "LOGIN_MESSAGE",
    "LOGIN_MESSAGE_CATEGORY",
    "REFRESH_MESSAGE",
    "REFRESH_MESSAGE_CATEGORY",
    "AnonymousUserMixin",
    "FlaskLoginClient",
    "LoginManager",
    "LoginThrottle",
    "PasswordCheck",
    "PasswordTooLong",
    "RememberStore",
    "UserMixin",
    "bearer_token",
    "confirm_login",
    "current_user",
    "decode_cookie",
    "encode_cookie",
    "fresh_login_required",
    "fresh_login_required_by",
    "hash_password",
    "hash_password_async",
    "is_safe_next",
    "load_current_user",
    "login_fresh",
    "login_remembered",
    "login_required",
    "login_url",
    "login_user",
    "logout_user",
    "make_next_param",
    "network_of",
    "reload_user",
    "renew_session",
    "safe_next",
    "session_protected",
    "set_login_view",
    "throttle_login",
    "user_accessed",
    "user_loaded_from_cookie",
    "user_loaded_from_request",
    "user_logged_in",
    "user_logged_out",
    "user_login_confirmed",
    "user_needs_refresh",
    "user_unauthorized",
    "verify_password",
    "verify_password_async",
]
