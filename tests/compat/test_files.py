"""Static files and ``send_file``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest

from .harness import MTIME, Web, same

TEXT = "0123456789" * 10


@same
def test_static_files_and_their_headers(web: Web) -> None:
    web.file("static/a.txt", TEXT)
    web.file("static/sub/ü b.css", "css")
    web.file("static/unknown.zzz", b"\x00")
    web.file("static/a.tar.gz", b"gz")
    web.file("secret.txt", "secret")
    app = web.app()
    app.add_url_rule("/urls", "urls", lambda: web.url_for("static", filename="sub/ü b.css"))
    web.every("/urls", "/static/a.txt", "/static/sub/ü b.css", "/static/unknown.zzz")
    web.every("/static/a.tar.gz", "/static/", "/static", "/static/sub", "/static/none.txt")
    web.every("/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static//etc/passwd")
    web.open("/static/a.txt", method="HEAD")
    web.open("/static/a.txt", method="POST")
    web.open("/static/a.txt", method="OPTIONS")


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": "*"},
        {"If-None-Match": '"none"'},
        {"If-Modified-Since": "Tue, 14 Nov 2023 22:13:20 GMT"},
        {"If-Modified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"},
        {"If-Unmodified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"},
        {"If-Match": '"none"'},
        {"Range": "bytes=0-9"},
        {"Range": "bytes=95-"},
        {"Range": "bytes=-5"},
        {"Range": "bytes=100-"},
        {"Range": "bytes=0-1,5-6"},
        {"Range": "bytes=5-1"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=0-9", "If-Range": '"none"'},
        {"Range": "bytes=0-9", "If-Range": "Tue, 14 Nov 2023 22:13:20 GMT"},
    ],
    ids=str,
)
@same
def test_conditions_and_ranges(web: Web, headers: dict[str, str]) -> None:
    web.file("static/a.txt", TEXT)
    web.app()
    web.get("/static/a.txt", headers=headers)
    web.open("/static/a.txt", headers=headers, method="HEAD")


@same
def test_an_etag_that_was_sent_is_recognized(web: Web) -> None:
    web.file("static/a.txt", TEXT)
    web.app()
    etag = web.get("/static/a.txt").headers["ETag"]
    web.get("/static/a.txt", headers={"If-None-Match": etag})
    web.get("/static/a.txt", headers={"Range": "bytes=1-2", "If-Range": etag})


@pytest.mark.parametrize("value", [None, 0, 60, timedelta(hours=1)], ids=str)
@same
def test_how_long_files_are_kept(web: Web, value: Any) -> None:
    web.file("static/a.txt", "a")
    app = web.app(SEND_FILE_MAX_AGE_DEFAULT=value)
    app.add_url_rule("/own", "own", lambda: web.send_file(web.folder / "static/a.txt", max_age=5))
    web.every("/static/a.txt", "/own")


@same
def test_apps_and_blueprints_decide_how_long(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            web.note("app", str(filename).endswith("a.txt"))
            return 7

    class Own(web.Blueprint):  # type: ignore[misc, name-defined]
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            web.note("bp", filename)
            return 8

    web.file("static/a.txt", "a")
    app = web.app(cls=App)
    bp = Own("bp", "app", static_folder="static", url_prefix="/bp", root_path=str(web.folder))
    app.register_blueprint(bp)
    app.add_url_rule("/file", "file", lambda: web.send_file(web.folder / "static/a.txt"))
    web.every("/static/a.txt", "/bp/static/a.txt", "/file")


@same
def test_send_file_of_paths_and_streams(web: Web) -> None:
    web.file("a.txt", TEXT)
    web.file("page.html", "<p>")
    views: dict[str, Any] = {
        "path": lambda: web.send_file(web.folder / "a.txt"),
        "relative": lambda: web.send_file("a.txt"),
        "none": lambda: web.send_file("none.txt"),
        "attachment": lambda: web.send_file("a.txt", as_attachment=True),
        "named": lambda: web.send_file("a.txt", as_attachment=True, download_name="ü b.txt"),
        "inline": lambda: web.send_file("page.html", download_name="x.pdf"),
        "type": lambda: web.send_file("a.txt", mimetype="application/x-own"),
        "plain": lambda: web.send_file("a.txt", conditional=False, etag=False),
        "etag": lambda: web.send_file("a.txt", etag="own"),
        "modified": lambda: web.send_file("a.txt", last_modified=MTIME + 60),
        "date": lambda: web.send_file("a.txt", last_modified=datetime(2024, 1, 1, tzinfo=UTC)),
        "stream": lambda: web.send_file(BytesIO(b"bytes"), mimetype="text/plain"),
        "stream_name": lambda: web.send_file(BytesIO(b"bytes"), download_name="x.json"),
        "unnamed": lambda: web.send_file(BytesIO(b"bytes")),
        "text": lambda: web.send_file(StringIO("text"), mimetype="text/plain"),
        "open": lambda: web.send_file((web.folder / "a.txt").open("rb"), "text/plain"),
        "age": lambda: web.send_file("a.txt", max_age=lambda name: 9),
        "changed": lambda: _with_header(web.send_file("a.txt")),
    }
    app = web.app()
    for name, view in views.items():
        app.add_url_rule(f"/{name}", name, view)
    web.every(*(f"/{name}" for name in views))
    for name in ("path", "stream", "plain"):
        web.get(f"/{name}", headers={"Range": "bytes=1-3"})


def _with_header(response: Any) -> Any:
    response.headers["X-Own"] = "1"
    return response


@same
def test_send_from_directory(web: Web) -> None:
    web.file("files/a.txt", "a")
    web.file("files/sub/b.txt", "b")
    web.file("secret.txt", "secret")
    app = web.app()

    @app.route("/f/<path:name>")
    def send(name: str) -> Any:
        options = {key: value == "1" for key, value in web.request.args.items()}
        return web.send_from_directory("files", name, **options)

    web.every("/f/a.txt", "/f/sub/b.txt", "/f/sub", "/f/none", "/f/a.txt?as_attachment=1")
    web.every("/f/../secret.txt", "/f/%2e%2e/secret.txt", "/f//etc/passwd", "/f/sub/../a.txt")
    web.every("/f/a.txt%00", "/f/..%5csecret.txt", "/f/./a.txt")


@same
def test_x_sendfile(web: Web) -> None:
    web.file("static/a.txt", "a")
    web.app(USE_X_SENDFILE=True)
    web.get("/static/a.txt")


@same
def test_folders_and_urls_of_static_files(web: Web) -> None:
    web.file("assets/a.txt", "a")
    for options, path in (
        ({"static_folder": "assets"}, "/assets/a.txt"),
        ({"static_folder": "assets/"}, "/assets/a.txt"),
        ({"static_folder": "assets", "static_url_path": "/x"}, "/x/a.txt"),
        ({"static_folder": "assets", "static_url_path": "/x/"}, "/x/a.txt"),
        ({"static_folder": "assets", "static_url_path": ""}, "/a.txt"),
        ({"static_folder": str(web.folder / "assets")}, "/assets/a.txt"),
        ({"static_folder": web.folder / "assets"}, "/assets/a.txt"),
        ({"static_folder": None}, "/static/a.txt"),
        ({"static_url_path": "/x"}, "/x/a.txt"),
    ):
        app = web.app(**options)
        web.note(app.has_static_folder, app.static_url_path, "static" in app.view_functions)
        web.get(path)
    web.attempt(lambda: web.app(static_host="example.org"))
    web.attempt(lambda: web.app(host_matching=True))


@same
def test_resources_are_opened_for_reading(web: Web) -> None:
    web.file("data/a.txt", "dätä")
    web.file("instance/b.txt", "instance")
    app = web.app(instance_path=str(web.folder / "instance"))
    bp = web.Blueprint("bp", "app", root_path=str(web.folder / "data"))

    def read(opener: Any, *args: Any, **kwargs: Any) -> Any:
        with opener(*args, **kwargs) as f:
            return f.read()

    web.attempt(read, app.open_resource, "data/a.txt")
    web.attempt(read, app.open_resource, "data/a.txt", "r", encoding="utf-8")
    web.attempt(read, app.open_resource, "data/a.txt", "w")
    web.attempt(read, app.open_instance_resource, "b.txt")
    web.attempt(read, app.open_instance_resource, "b.txt", "r")
    web.attempt(read, app.open_instance_resource, "none.txt")
    web.attempt(read, bp.open_resource, "a.txt", "rt")
    web.attempt(read, bp.open_resource, "a.txt", "a")
