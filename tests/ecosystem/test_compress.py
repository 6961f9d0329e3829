"""Flask-Compress: gzip, Brotli and Zstandard, for those who take them and where it is worth it."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest
from flask import Flask, Response, request, stream_with_context
from flask_compress import Compress

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = "All work and no play makes Jack a dull boy. " * 100


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    Compress(app)
    app.add_url_rule("/", "page", lambda: TEXT)
    app.add_url_rule("/small", "small", lambda: "small")
    app.add_url_rule("/image", "image", lambda: Response(TEXT, mimetype="image/png"))
    app.add_url_rule("/json", "json", lambda: {"text": TEXT})
    return app


def get(app: Flask, path: str, encodings: str, **headers: str) -> Any:
    return app.test_client().get(path, headers={"Accept-Encoding": encodings, **headers})


@pytest.mark.parametrize(
    ("encoding", "decompress"),
    [
        ("gzip", gzip.decompress),
        ("br", brotli.decompress),
        ("zstd", zstd.decompress),
        ("deflate", zlib.decompress),
    ],
)
def test_a_page_is_compressed_as_the_client_takes_it(
    encoding: str, decompress: Any, app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    response = get(app, "/", encoding)
    assert response.headers["Content-Encoding"] == encoding
    assert int(response.headers["Content-Length"]) == len(response.data) < len(TEXT) / 10
    assert "Accept-Encoding" in response.headers["Vary"]
    assert decompress(response.data).decode() == TEXT
    answer = over_asgi(app, "/", headers=[("Accept-Encoding", encoding)])
    assert (answer["content-encoding"], decompress(answer.body).decode()) == (encoding, TEXT)
    assert_fast(app)


def test_small_answers_images_and_old_clients_get_it_as_it_is(app: Flask) -> None:
    for path, encodings in (("/small", "gzip"), ("/image", "gzip"), ("/", "identity"), ("/", "")):
        assert "Content-Encoding" not in get(app, path, encodings).headers
    assert get(app, "/", "").text == TEXT


def test_the_client_may_prefer_one(app: Flask) -> None:
    assert get(app, "/json", "gzip;q=0.5, br;q=0.8").headers["Content-Encoding"] == "br"


def test_an_etag_is_made_for_what_is_sent_and_matches_again(app: Flask) -> None:
    app.after_request_funcs[None].append(lambda r: r.add_etag() or r)
    first = get(app, "/", "gzip")
    again = get(app, "/", "gzip", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert get(app, "/", "br").headers["ETag"] != first.headers["ETag"]


def test_a_stream_is_compressed_piece_by_piece(app: Flask, over_asgi: Any) -> None:
    @app.route("/stream")
    def stream() -> Response:
        parts = (f"{n} {TEXT} {request.path}" for n in range(5))
        return Response(stream_with_context(parts), mimetype="text/html")

    response = get(app, "/stream", "br")
    assert response.headers["Content-Encoding"] == "br"
    assert "Content-Length" not in response.headers
    expected = "".join(f"{n} {TEXT} /stream" for n in range(5))
    assert brotli.decompress(response.data).decode() == expected
    answer = over_asgi(app, "/stream", headers=[("Accept-Encoding", "br")])
    assert brotli.decompress(answer.body).decode() == expected


# The extension replaces the file of a response by its own stream and leaves it to the collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_static_file_is_compressed_and_matches_by_its_etag_and_date(
    tmp_path: Path, over_asgi: Any
) -> None:
    app = Flask(__name__, static_folder=str(tmp_path), static_url_path="/static")
    Compress(app)
    (tmp_path / "style.css").write_text(TEXT)
    os.utime(tmp_path / "style.css", (1e9, 1e9))
    response = get(app, "/static/style.css", "zstd")
    assert zstd.decompress(response.data).decode() == TEXT
    assert response.headers["ETag"].endswith(':zstd"')
    etag, date = response.headers["ETag"], response.headers["Last-Modified"]
    for condition in ({"If-None-Match": etag}, {"If-Modified-Since": date}):
        again = get(app, "/static/style.css", "zstd", **condition)
        assert (again.status_code, again.data) == (304, b"")
    answer = over_asgi(app, "/static/style.css", headers=[("Accept-Encoding", "zstd")])
    assert zstd.decompress(answer.body).decode() == TEXT


def test_the_config_names_algorithms_types_and_the_smallest_size() -> None:
    app = Flask(__name__)
    app.config["COMPRESS_ALGORITHM"] = "deflate, gzip"
    app.config |= {"COMPRESS_MIMETYPES": ["text/csv"], "COMPRESS_MIN_SIZE": 5}
    Compress(app)
    app.add_url_rule("/<body>", "csv", lambda body: Response(body, mimetype="text/csv"))
    app.add_url_rule("/", "page", lambda: TEXT)
    assert get(app, "/1,2,3", "br, gzip, deflate").headers["Content-Encoding"] == "deflate"
    assert "Content-Encoding" not in get(app, "/1,2", "gzip").headers
    assert "Content-Encoding" not in get(app, "/", "gzip").headers


def test_only_decorated_views_are_compressed_where_it_is_not_registered() -> None:
    app = Flask(__name__)
    app.config["COMPRESS_REGISTER"] = False
    compress = Compress(app)
    app.add_url_rule("/", "page", lambda: TEXT)
    app.add_url_rule("/packed", "packed", compress.compressed()(lambda: TEXT))
    assert get(app, "/packed", "gzip").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in get(app, "/", "gzip").headers
