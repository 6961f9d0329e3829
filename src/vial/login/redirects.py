"""Where a login goes, and where it may come back to."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

from ..globals import current_app, request, session
from ..helpers import is_on_site, url_for

#: Letters of the longest URL that is followed after a login.
LONGEST_NEXT = 2000


def is_safe_next(target: str | None) -> bool:
    """Whether a page of this site is meant, whoever says so: a path, or a URL of this host.

    Names that only look like a path (``evil.com``), and paths that something on the way might
    decode to another host (``/%09/evil.com``, ``/%2f/evil.com``), are not.
    """
    if not target or len(target) > LONGEST_NEXT or target[-1:].isspace() or not is_on_site(target):
        return False
    parts = urlsplit(target)
    path, decoded = parts.path, unquote(parts.path)
    while path != decoded:
        path, decoded = decoded, unquote(decoded)
    return (bool(parts.netloc) or path[:1] == "/") and _is_plain(path)


def _is_plain(path: str) -> bool:
    return not path.startswith("//") and "\\" not in path and (path.isprintable() or not path)


def safe_next(default: str = "/") -> str:
    """Where to go after a login: what the login page was asked for, if that is on this site.

    It is looked for where :func:`login_required` put it: in the parameter ``next`` of the URL, a
    field of that name in the form, and the session (``USE_SESSION_FOR_NEXT``).

    :param default: the page for all other cases.
    """
    kept = session.pop("next", None) if "next" in session else None
    asked = request.args.get("next") or request.form.get("next") or kept
    return asked if isinstance(asked, str) and is_safe_next(asked) else default


def expand_login_view(login_view: str) -> str:
    """The URL of a login view, which may be one already."""
    if login_view.startswith(("https://", "http://", "/")):
        return login_view
    return url_for(login_view, **(request.view_args or {}))


def make_next_param(login_url: str, current_url: str) -> str:
    """What of the current URL the login page has to know: not the host, if it is the same."""
    login, current = urlsplit(login_url), urlsplit(current_url)
    same_scheme = login.scheme in ("", current.scheme)
    if same_scheme and login.netloc in ("", current.netloc):
        return urlunsplit(("", "", current.path, current.query, ""))
    return current_url


def login_url(login_view: str, next_url: str | None = None, next_field: str = "next") -> str:
    """The URL of the login page.

    :param login_view: its endpoint, or URL.
    :param next_url: where to go after the login.
    :param next_field: the parameter that says so.
    """
    base = expand_login_view(login_view)
    if next_url is None:
        return base
    parts = urlsplit(base)
    query = parse_qs(parts.query, keep_blank_values=True)
    query[next_field] = [make_next_param(base, next_url)]
    netloc = current_app.config.get("FORCE_HOST_FOR_REDIRECTS") or parts.netloc
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query, doseq=True)))
