"""A fourth run of a case: the requests of Vial's test client go in by ASGI."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cases.entrances import Asgi
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from vial.flask_mode import Flask

from .harness import RUNS, Web, same

# Names that str.title() does not write as Flask does.
_WRITTEN = {"etag": "ETag", "www-authenticate": "WWW-Authenticate"}


class WebByAsgi(Web):
    """Vial, whose test client is a client of its ASGI entrance."""

    def use(self, app: Any) -> None:
        super().use(app)
        client = self._client

        def run(environ: dict[str, Any], buffered: bool = False) -> Any:
            client._add_cookies_to_wsgi(environ)
            answer = run_wsgi_app(partial(as_wsgi, app), environ, buffered)
            server, path = environ["SERVER_NAME"], environ["PATH_INFO"]
            client._update_cookies_from_response(server, path, answer[2].getlist("Set-Cookie"))
            return answer

        client.run_wsgi_app = run


def as_wsgi(app: Any, environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Ask an app by ASGI what a WSGI server asks."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    query = environ["QUERY_STRING"]
    path = environ["PATH_INFO"]
    answer = Asgi().ask(
        app._asgi_entrance(),
        f"{path}?{query}" if query else path,
        environ["REQUEST_METHOD"],
        headers=_request_headers(environ),
        body=body,
        host=environ["HTTP_HOST"],
        root=environ["SCRIPT_NAME"],
        scheme=environ["wsgi.url_scheme"],
    )
    headers = [(_WRITTEN.get(name, name.title()), value) for name, value in answer.headers]
    reason = HTTP_STATUS_CODES.get(answer.status, "unknown").upper()
    start_response(f"{answer.status} {reason}", headers)
    return answer.chunks


def _request_headers(environ: dict[str, Any]) -> list[tuple[str, str]]:
    names = {f"HTTP_{key}" for key in ("HOST", "CONTENT_LENGTH")}
    found = [(k[5:], v) for k, v in environ.items() if k[:5] == "HTTP_" and k not in names]
    if environ.get("CONTENT_TYPE"):
        found.append(("CONTENT_TYPE", environ["CONTENT_TYPE"]))
    return [(name.replace("_", "-"), value) for name, value in found]


def everywhere(case: Callable[..., None]) -> Callable[..., None]:
    """As :func:`~compat.harness.same`, with the fourth run."""
    return same(case, (*RUNS, partial(WebByAsgi, "Vial by ASGI", "vial", Flask)))
