"""httpbin: most of HTTP in one application, in process and by the servers that it is run with."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import brotli
import httpbin
import pytest
import requests
from ecosystem.running import Running, running
from requests.structures import CaseInsensitiveDict
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.http import parse_options_header

from vial.flask_mode import Flask

#: How it is started: as its documentation says, by Vial's server and by an ASGI server.
SERVERS = {
    "gunicorn": "gunicorn --no-control-socket -b 127.0.0.1:{port} httpbin:app",
    "gunicorn-threads": "gunicorn --no-control-socket --threads 4 -b 127.0.0.1:{port} httpbin:app",
    "flask-run": "python -m flask --app httpbin run --port {port}",
    "vial-run": "vial --app httpbin run --port {port}",
    "uvicorn": "uvicorn --port {port} httpbin:app",
}


@dataclass
class Answer:
    """A response, its body as it was sent."""

    status: int
    headers: CaseInsensitiveDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Ask = Callable[..., Answer]


def ask_client(path: str, method: str = "GET", **options: Any) -> Answer:
    """A request by the test client, of what requests makes of its arguments."""
    wanted = requests.Request(method, "http://127.0.0.1" + path, **options).prepare()
    response = httpbin.app.test_client(use_cookies=False).open(
        wanted.path_url,
        base_url="http://127.0.0.1",
        method=method,
        headers=list(wanted.headers.items()),
        data=wanted.body,
        buffered=True,
    )
    headers = CaseInsensitiveDict(response.headers.items())
    return Answer(response.status_code, headers, response.data)


def ask_server(server: Running, path: str, method: str = "GET", **options: Any) -> Answer:
    response = server.ask(path, method, stream=True, **options)
    body = response.raw.read(decode_content=False)
    return Answer(response.status_code, response.headers, body)


@pytest.fixture(
    scope="module",
    params=["client", *(pytest.param(name, marks=pytest.mark.service) for name in SERVERS)],
)
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    if request.param == "client":
        yield ask_client
        return
    folder = tmp_path_factory.mktemp("httpbin")
    with running(folder, *SERVERS[request.param].split(), ready="/get") as server:
        yield partial(ask_server, server)
        server.assert_on_vial()


def test_the_app_is_one_of_vial() -> None:
    assert isinstance(httpbin.app, Flask)


# -- what a request says -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_each_method_has_its_echo(ask: Ask, method: str) -> None:
    answer = ask(f"/{method.lower()}?a=1&a=2&b=%C3%BC&c=", method, data={"x": ["1", "2"], "ü": "ö"})
    assert answer.status == 200
    assert answer.json["args"] == {"a": ["1", "2"], "b": "ü", "c": ""}
    assert answer.json["form"] == {"x": ["1", "2"], "ü": "ö"}
    assert answer.json["data"] == ""
    assert ask(f"/{method.lower()}").status == 405


def test_a_query(ask: Ask) -> None:
    answer = ask("/get?a=1&a=2&empty=&e=%26%3D", headers={"X-Forwarded-For": "1.2.3.4"})
    assert answer.json["args"] == {"a": ["1", "2"], "empty": "", "e": "&="}
    assert answer.json["url"].endswith("/get?a=1&a=2&empty=&e=%26%3D")
    assert answer.json["origin"] == "1.2.3.4"
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("value", [{"ü": [1, None, 1.5, {}]}, [], "text", 0, True])
def test_json(ask: Ask, value: Any) -> None:
    answer = ask("/post", "POST", json=value)
    assert answer.json["json"] == value
    assert json.loads(answer.json["data"]) == value
    assert answer.json["headers"]["Content-Type"] == "application/json"


def test_files_beside_fields(ask: Ask) -> None:
    files = {"text": ("ü.txt", "text ü".encode()), "bytes": ("b.bin", b"\x00\xff" * 300_000)}
    answer = ask("/post", "POST", data={"field": "a\r\nb"}, files=files)
    assert answer.json["form"] == {"field": "a\r\nb"}
    assert answer.json["files"]["text"] == "text ü"
    encoded = answer.json["files"]["bytes"].partition("base64,")[2]
    assert base64.b64decode(encoded) == b"\x00\xff" * 300_000


def test_bytes_that_are_no_text(ask: Ask) -> None:
    answer = ask("/put", "PUT", data=b"\xff\xfe", headers={"Content-Type": "application/x-own"})
    assert answer.json["data"] == "data:application/octet-stream;base64,//4="
    assert answer.json["form"] == answer.json["files"] == {}
    assert answer.json["json"] is None


def test_a_body_of_many_megabytes(ask: Ask) -> None:
    assert len(ask("/post", "POST", data=b"a" * 5_000_000).json["data"]) == 5_000_000


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_anything_at_any_path(ask: Ask, method: str) -> None:
    answer = ask("/anything/a/b%20c?x=1", method)
    assert answer.json["method"] == method
    assert urlsplit(answer.json["url"]).path in ("/anything/a/b c", "/anything/a/b%20c")


def test_headers_and_agents(ask: Ask) -> None:
    headers = {"X-Own-Name": "a, b", "User-Agent": "test/1", "Host": "example.org:81"}
    assert headers.items() <= ask("/headers", headers=headers).json["headers"].items()
    assert ask("/user-agent", headers=headers).json == {"user-agent": "test/1"}
    assert ask("/get", headers=headers).json["url"] == "http://example.org:81/get"
    assert ask("/ip").json == {"origin": "127.0.0.1"}


def test_other_origins_are_allowed(ask: Ask) -> None:
    answer = ask("/get", "OPTIONS", headers={"Access-Control-Request-Headers": "x-a"})
    assert answer.status == 200
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert answer.headers["Access-Control-Allow-Headers"] == "x-a"
    assert ask("/get", headers={"Origin": "http://a"}).headers["Access-Control-Allow-Origin"] == (
        "http://a"
    )


def test_the_head_of_a_page(ask: Ask) -> None:
    answer = ask("/html", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(ask("/html").body)


# -- statuses and redirects --------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [200, 204, 304, 400, 402, 404, 405, 406, 418, 429, 500, 503])
def test_statuses(ask: Ask, status: int, method: str) -> None:
    answer = ask(f"/status/{status}", method)
    assert answer.status == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    wanted = {402: b"pay me", 406: b"image/webp", 418: b"-=[ teapot ]=-"}.get(status, b"")
    assert wanted in answer.body
    assert bool(wanted) == bool(answer.body)
    assert ("x-more-info" in answer.headers) == (status in (402, 418))


@pytest.mark.parametrize("status", [301, 302, 303, 305, 307])
def test_statuses_with_a_location(ask: Ask, status: int) -> None:
    answer = ask(f"/status/{status}")
    assert (answer.status, answer.headers["Location"]) == (status, "/redirect/1")


def test_statuses_by_chance_and_no_status(ask: Ask) -> None:
    assert ask("/status/200:0.5,404:0.5").status in (200, 404)
    assert ask("/status/much").status == 400
    assert ask("/status/200,x").status == 400


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/redirect/1", "/get"),
        ("/redirect/3", "/relative-redirect/2"),
        ("/redirect/2?absolute=true", "http://127.0.0.1/absolute-redirect/1"),
        ("/relative-redirect/4", "/relative-redirect/3"),
        ("/absolute-redirect/1", "http://127.0.0.1/get"),
        ("/redirect-to?url=/get", "/get"),
        ("/redirect-to?url=http://example.org/%C3%BC", "http://example.org/%C3%BC"),
        ("/redirect-to?url=//example.org/a%20b", "//example.org/a%20b"),
        ("/cookies/set?a=1", "/cookies"),
    ],
)
def test_locations(ask: Ask, path: str, location: str) -> None:
    answer = ask(path, headers={"Host": "127.0.0.1"})
    assert (answer.status, answer.headers["Location"]) == (302, location)


def test_a_redirect_with_its_status(ask: Ask) -> None:
    assert ask("/redirect-to?url=/get&status_code=307", "POST").status == 307


def test_redirects_are_followed_to_their_end() -> None:
    response = httpbin.app.test_client().get("/redirect/5", follow_redirects=True)
    assert [answer.status_code for answer in response.history] == [302] * 5
    assert response.json["url"] == "http://localhost/get"


# -- who asks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "refusal"), [("/basic-auth", 401), ("/hidden-basic-auth", 404)])
def test_basic_auth(ask: Ask, path: str, refusal: int) -> None:
    path += "/user/pass%C3%BC"
    assert ask(path, auth=("user", "passü".encode())).json["user"] == "user"
    refused = ask(path, auth=("user", "wrong"))
    assert refused.status == ask(path).status == refusal
    assert ("WWW-Authenticate" in refused.headers) == (refusal == 401)


@pytest.mark.parametrize(
    ("sent", "status"), [("Bearer abc", 200), ("bearer abc", 401), ("Basic abc", 401), ("", 401)]
)
def test_bearer_auth(ask: Ask, sent: str, status: int) -> None:
    answer = ask("/bearer", headers={"Authorization": sent})
    assert answer.status == status
    if status == 200:
        assert answer.json == {"authenticated": True, "token": "abc"}
    else:
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def digest(challenge: WWWAuthenticate, path: str, password: str) -> str:
    """The Authorization that answers a challenge (RFC 7616 §3.4)."""
    kept = ("realm", "nonce", "opaque", "algorithm", "qop")
    values = {name: challenge[name] or "" for name in kept}
    algorithm = values["algorithm"].replace("-", "")

    def hashed(*parts: str) -> str:
        return hashlib.new(algorithm, ":".join(parts).encode()).hexdigest()

    target = ["GET", path, *([hashed("")] if values["qop"] == "auth-int" else [])]
    secret = hashed("user", values["realm"], password)
    parts = (secret, values["nonce"], "00000001", "own", values["qop"], hashed(*target))
    values |= {"username": "user", "uri": path, "nc": "00000001", "cnonce": "own"}
    values["response"] = hashed(*parts)
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in values.items())


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512"])
def test_digest_auth(ask: Ask, algorithm: str, qop: str) -> None:
    path = f"/digest-auth/{qop}/user/secret/{algorithm}"
    challenge = WWWAuthenticate.from_header(ask(path).headers["WWW-Authenticate"])
    assert challenge is not None
    assert (challenge["qop"], challenge["algorithm"]) == (qop, algorithm)
    headers = {"Authorization": digest(challenge, path, "secret")}
    assert ask(path, headers=headers).json == {"authenticated": True, "user": "user"}
    stale = ask(path, headers=headers, cookies={"last_nonce": challenge["nonce"]})
    assert stale.status == 401
    assert "stale=True" in stale.headers["WWW-Authenticate"]
    assert ask(path, headers={"Authorization": digest(challenge, path, "wrong")}).status == 401


# -- cookies -----------------------------------------------------------------------------------


def test_cookies_come_in_and_go_out(ask: Ask) -> None:
    both = ask("/cookies", headers={"Cookie": 'a=b; c="d e"'}).json
    assert both == {"cookies": {"a": "b", "c": "d e"}}
    assert ask("/cookies/set/name/va lue").headers["Set-Cookie"] == 'name="va lue"; Path=/'
    assert "name=; Expires=Thu, 01 Jan 1970" in ask("/cookies/delete?name").headers["Set-Cookie"]


def test_the_test_client_keeps_cookies() -> None:
    client = httpbin.app.test_client()
    client.get("/cookies/set?a=1&b=%C3%BC")
    assert client.get("/cookies").json == {"cookies": {"a": "1", "b": "ü"}}
    client.get("/cookies/delete?a")
    assert client.get("/cookies").json == {"cookies": {"b": "ü"}}


# -- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mark", "decode"),
    [
        ("gzip", "gzipped", gzip.decompress),
        ("deflate", "deflated", zlib.decompress),
        ("brotli", "brotli", brotli.decompress),
    ],
)
def test_encodings(ask: Ask, name: str, mark: str, decode: Callable[[bytes], bytes]) -> None:
    answer = ask(f"/{name}", headers={"Accept-Encoding": name})
    assert answer.headers["Content-Encoding"] == ("br" if name == "brotli" else name)
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    decoded = json.loads(decode(answer.body))
    assert decoded[mark] is True
    assert decoded["headers"]["Accept-Encoding"] == name


@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_stream_of_lines(ask: Ask, count: int) -> None:
    answer = ask(f"/stream/{count}?a=b")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["id"] for line in lines] == [*range(count)]
    assert all(line["args"] == {"a": "b"} for line in lines)


@pytest.mark.parametrize("size", [0, 1, 2000, 100_000])
@pytest.mark.parametrize("path", ["/bytes/{}?seed=3", "/stream-bytes/{}?seed=3&chunk_size=700"])
def test_bytes_whole_and_in_chunks(ask: Ask, path: str, size: int) -> None:
    answer = ask(path.format(size))
    dice = random.Random(3)
    assert answer.body == bytes(dice.randint(0, 255) for _ in range(size))
    assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("status", [200, 201, 404])
def test_drops(ask: Ask, status: int) -> None:
    answer = ask(f"/drip?numbytes=5&duration=0.01&delay=0.01&code={status}")
    assert (answer.status, answer.body) == (status, b"*****")
    assert ask("/drip?numbytes=0").status == 400


ALPHABET = b"abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("wanted", "status", "sent", "body"),
    [
        (None, 200, "bytes 0-25/26", ALPHABET),
        ("bytes=2-4", 206, "bytes 2-4/26", b"cde"),
        ("bytes=20-", 206, "bytes 20-25/26", b"uvwxyz"),
        ("bytes=-2", 206, "bytes 24-25/26", b"yz"),
        ("bytes=26-30", 416, "bytes */26", b""),
    ],
)
def test_ranges(ask: Ask, wanted: str | None, status: int, sent: str, body: bytes) -> None:
    answer = ask("/range/26?chunk_size=7", headers={"Range": wanted} if wanted else {})
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["Content-Range"] == sent
    assert answer.headers["ETag"] == "range26"
    assert answer.headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"If-None-Match": '"abc"'}, 304),
        ({"If-None-Match": 'W/"x", "abc"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-Match": '"abc"'}, 200),
        ({"If-Match": '"x"'}, 412),
    ],
)
def test_etags(ask: Ask, headers: dict[str, str], status: int) -> None:
    answer = ask("/etag/abc", headers=headers)
    assert answer.status == status
    assert answer.headers.get("ETag") == (None if status == 412 else "abc")
    assert bool(answer.body) == (status == 200)


def test_caching(ask: Ask) -> None:
    first = ask("/cache")
    assert (first.status, {"ETag", "Last-Modified"} - first.headers.keys()) == (200, set())
    assert ask("/cache", headers={"If-None-Match": first.headers["ETag"]}).status == 304
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert ask("/cache", headers=since).status == 304
    assert ask("/cache/60").headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "svg"])
def test_images(ask: Ask, kind: str) -> None:
    magic = {"png": b"\x89PNG", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF", "svg": b"<svg "}[kind]
    mimetype = "image/svg+xml" if kind == "svg" else f"image/{kind}"
    for answer in (ask(f"/image/{kind}"), ask("/image", headers={"Accept": mimetype})):
        assert answer.body.startswith(magic)
        assert answer.headers["Content-Type"] == mimetype
    assert ask("/image", headers={"Accept": "text/plain"}).status == 406


def test_documents(ask: Ask) -> None:
    xml = ask("/xml")
    assert ElementTree.fromstring(xml.body).tag == "slideshow"
    assert parse_options_header(xml.headers["Content-Type"])[0] == "application/xml"
    assert ask("/json").json["slideshow"]["title"] == "Sample Slide Show"
    assert b"Herman Melville" in ask("/html").body
    assert "∮ E⋅da = Q" in ask("/encoding/utf8").body.decode()
    assert ask("/robots.txt").headers["Content-Type"] == "text/plain"
    assert b"httpbin.org" in ask("/").body
    assert b'action="/post"' in ask("/forms/post").body
    assert ask("/base64/dmlhbA%3D%3D").body == b"vial"


def test_links(ask: Ask) -> None:
    answer = ask("/links/5")
    assert (answer.status, answer.headers["Location"]) == (302, "/links/5/0")
    page = ask("/links/5/2").body.decode()
    assert [f"/links/5/{i}" in page for i in range(5)] == [True, True, False, True, True]


def test_headers_that_the_query_wants(ask: Ask) -> None:
    query = "/response-headers?X-A=1&X-B=%C3%BC&Content-Type=text/plain"
    answer = ask(query)
    assert answer.headers["X-A"] == "1"
    assert answer.headers["X-B"].encode("latin-1") in ("ü".encode("latin-1"), "ü".encode())
    assert answer.json["X-A"] == parse_qs(urlsplit(query).query)["X-A"][0]
    assert "text/plain" in answer.headers["Content-Type"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_delays(ask: Ask, method: str) -> None:
    assert ask("/delay/0.001?a=1", method).json["args"] == {"a": "1"}


def test_what_is_not_there(ask: Ask) -> None:
    assert ask("/nothing").status == 404
    assert ask("/get/").status == 404
    answer = ask("/get", "POST")
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert ask("/redirect/0").status == 500
