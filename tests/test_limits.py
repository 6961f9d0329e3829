"""Every limit: what is at it passes, what is over it is refused, alike on every gateway."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cases.entrances import ENTRANCES, Answer, Entrance
from cases.gateways import BOUNDARY, JSON, MULTIPART, URLENCODED, multipart

from vial import Vial, request
from vial.flask_mode import Flask
from vial.server.embedded import EmbeddedServer

Post = Callable[..., Answer]


@pytest.fixture(params=ENTRANCES, ids=lambda entrance: entrance.name)
def entrance(request: pytest.FixtureRequest) -> Entrance:
    return request.param  # type: ignore[no-any-return]


def add_views(app: Vial) -> Any:
    @app.route("/form", methods=["GET", "POST"])
    def form() -> Any:
        return {"form": len(request.form), "files": len(request.files), "args": len(request.args)}

    @app.post("/json")
    def json() -> str:
        return str(type(request.get_json()).__name__)

    @app.post("/data")
    def data() -> str:
        return str(len(request.get_data()))

    @app.post("/stream")
    def stream() -> str:
        return str(sum(map(len, iter(lambda: request.stream.read(1000), b""))))

    @app.post("/own/<int:limit>")
    def own(limit: int) -> str:
        request.max_content_length = limit
        return str(len(request.get_data()))

    @app.get("/cookies")
    def cookies() -> Any:
        return {"names": list(request.cookies)[:3], "count": len(request.cookies)}

    return app


@pytest.fixture
def app() -> Vial:
    return add_views(Vial("limits", static_folder=None))  # type: ignore[no-any-return]


@pytest.fixture
def post(entrance: Entrance, app: Vial) -> Post:
    def post(target: str, body: bytes = b"", *header: tuple[str, str], **options: Any) -> Answer:
        return entrance.ask(app, target, "POST", headers=header, body=body, **options)

    return post


# MAX_CONTENT_LENGTH.


@pytest.mark.parametrize("page", ["/data", "/form", "/json", "/stream"])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_may_be_as_long_as_the_limit_and_no_longer(
    app: Vial, post: Post, page: str, chunked: bool
) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10_000
    for size, status in ((10_000, 200), (10_001, 413), (30_000, 413)):
        text = b'"' + b"x" * (size - 2) + b'"'
        header = JSON if page == "/json" else URLENCODED
        chunks = [text[:6000], text[6000:]] if chunked else None
        assert post(page, text, header, chunks=chunks).status == status, size


def test_without_a_word_sixteen_mebibytes_are_the_limit(post: Post) -> None:
    assert post("/data", announced=str(200_000_000)).status == 413
    assert post("/data", announced=str(16 * 1024 * 1024 + 1)).status == 413
    assert post("/data", announced=str(16 * 1024 * 1024), cut=True).status == 400


def test_the_limit_may_be_lifted(app: Vial, post: Post) -> None:
    app.config["MAX_CONTENT_LENGTH"] = None
    assert post("/data", announced=str(200_000_000), cut=True).status == 400
    assert post("/data", chunks=[b"x" * 1000] * 3).text == "3000"


def test_a_view_may_have_a_lower_limit(post: Post) -> None:
    assert post("/own/5", b"12345").text == "5"
    assert post("/own/5", b"123456").status == 413
    assert post("/own/5", chunks=[b"123", b"456"]).status == 413


# Forms.


def urlencoded(count: int) -> bytes:
    return b"&".join(b"a%d=1" % number for number in range(count))


def fields(count: int) -> bytes:
    return multipart(*((f"a{number}", None, b"1") for number in range(count)))


@pytest.mark.parametrize(
    ("header", "body"), [(URLENCODED, urlencoded), (MULTIPART, fields)], ids=["url", "multipart"]
)
def test_a_form_has_at_most_a_thousand_fields(post: Post, header: Any, body: Any) -> None:
    assert json.loads(post("/form", body(1000), header).body)["form"] == 1000
    assert post("/form", body(1001), header).status == 413


def test_a_query_string_has_at_most_a_thousand_fields(entrance: Entrance, app: Vial) -> None:
    for count, status in ((1000, 200), (1001, 413), (50_000, 413)):
        assert entrance.ask(app, f"/form?{urlencoded(count).decode()}").status == status


def test_the_number_of_fields_may_be_changed(app: Vial, entrance: Entrance, post: Post) -> None:
    app.config.update(MAX_FORM_FIELDS=2, MAX_FORM_PARTS=2)
    for count, status in ((2, 200), (3, 413)):
        assert post("/form", urlencoded(count), URLENCODED).status == status
        assert post("/form", fields(count), MULTIPART).status == status
        assert entrance.ask(app, f"/form?{urlencoded(count).decode()}").status == status


def test_a_semicolon_separates_no_fields(entrance: Entrance, app: Vial, post: Post) -> None:
    assert json.loads(entrance.ask(app, "/form?a=1;b=2").body)["args"] == 1
    assert json.loads(post("/form", b"a=1;b=2", URLENCODED).body)["form"] == 1


@pytest.mark.parametrize("kind", ["url", "multipart"])
def test_the_fields_of_a_form_take_at_most_half_a_megabyte(
    app: Vial, post: Post, kind: str
) -> None:
    def ask(size: int) -> int:
        if kind == "url":
            return post("/form", b"a=" + b"x" * (size - 2), URLENCODED).status
        return post("/form", multipart(("a", None, b"x" * size)), MULTIPART).status

    assert (ask(500_000 if kind == "url" else 430_000), ask(500_001)) == (200, 413)
    app.config["MAX_FORM_MEMORY_SIZE"] = 1000
    assert (ask(500), ask(1001)) == (200, 413)
    app.config["MAX_FORM_MEMORY_SIZE"] = None
    assert ask(2_000_000) == 200


def test_a_file_may_be_larger_than_fields(post: Post) -> None:
    body = multipart(("file", "x", b"x" * 2_000_000))
    assert json.loads(post("/form", body, MULTIPART).body)["files"] == 1


def test_files_of_a_form_over_the_limit_are_closed(app: Vial, post: Post) -> None:
    file = ("file", "x", b"x" * 600_000)
    many = [(f"a{number}", None, b"1") for number in range(1000)]
    assert post("/form", multipart(file, *many), MULTIPART).status == 413
    gc.collect()  # a file that nobody closed would warn


def test_the_header_of_a_part_is_bounded(post: Post) -> None:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=a\r\nX: ".encode()
    body = head + b"x" * 1_000_000 + f"\r\n\r\n1\r\n--{BOUNDARY}--\r\n".encode()
    assert post("/form", body, MULTIPART).status == 413


MALFORMED = {
    "no end": b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
    "no header": b"--b\r\n\r\n1\r\n--b--\r\n",
    "no form": b"hello",
    "nothing": b"",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_multipart_form_is_400(post: Post, body: bytes) -> None:
    header = ("Content-Type", "multipart/form-data; boundary=b")
    assert post("/form", body, header).status == 400


def test_the_longest_boundary_of_werkzeugs_test_client_is_accepted(post: Post) -> None:
    name = f"---------------WerkzeugFormPart_1795258439.1234567{8.123456789012345e-05}"
    assert len(name) > 70
    body = f'--{name}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--{name}--\r\n'
    header = ("Content-Type", f"multipart/form-data; boundary={name}")
    assert post("/form", body.encode(), header).status == 200


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", "; boundary=\xe9", f"; boundary={'b' * 201}"]
)
def test_a_multipart_form_needs_a_boundary_of_at_most_two_hundred_letters(
    post: Post, boundary: str
) -> None:
    name = boundary.removeprefix("; boundary=").encode("latin-1")
    body = b'--%b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--%b--\r\n' % (name, name)
    assert post("/form", body, ("Content-Type", f"multipart/form-data{boundary}")).status == 400


@pytest.mark.parametrize("charset", ["", "; charset=utf-8"])
def test_a_urlencoded_form_that_is_not_utf8_is_400(post: Post, charset: str) -> None:
    header = ("Content-Type", URLENCODED[1] + charset)
    assert post("/form", b"a=\xff", header).status == 400
    assert post("/form", "a=é".encode(), header).status == 200


def test_in_flask_mode_forms_are_bounded_as_flasks_are(entrance: Entrance) -> None:
    app = add_views(Flask("limits", static_folder=None))

    def form(body: bytes, header: tuple[str, str]) -> Any:
        answer = entrance.ask(app, "/form", "POST", headers=[header], body=body)
        return json.loads(answer.body)["form"] if answer.status == 200 else answer.status

    assert form(urlencoded(1001), URLENCODED) == 1001
    assert form(b"a=" + b"x" * 600_000, URLENCODED) == 1
    assert form(fields(1001), MULTIPART) == 413
    assert form(b"a=\xff", URLENCODED) == 0
    assert form(b"--b\r\n", ("Content-Type", "multipart/form-data; boundary=b")) == 0


# JSON.


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")], ids=["list", "object"])
def test_json_nested_too_deep_is_400(post: Post, brackets: tuple[bytes, bytes]) -> None:
    opening, closing = brackets
    for depth, status in ((100, 200), (5_000, 400), (100_000, 400)):
        inner = b"" if opening == b"[" else b"1"
        body = opening * depth + inner + closing * depth
        assert post("/json", body, JSON).status == status, depth
    assert post("/json", opening * 100_000, JSON).status == 400


@pytest.mark.parametrize(
    "body", [b"1" * 5000, b"[NaN", b'{"a":1,}', b"\xef\xbb\xbf[", b"\xff\xfe["]
)
def test_json_that_cannot_be_read_is_400(post: Post, body: bytes) -> None:
    assert post("/json", body, JSON).status == 400


# Cookies and headers.


def test_many_cookies_are_read_quickly_and_nameless_ones_not_at_all(
    entrance: Entrance, app: Vial
) -> None:
    header = "=__Host-session=evil; " + "; ".join(f"c{number}=1" for number in range(8000))
    took = []
    for _ in range(3):
        start = time.perf_counter()
        answer = entrance.ask(app, "/cookies", headers=[("Cookie", header)])
        took.append(time.perf_counter() - start)
        assert json.loads(answer.body) == {"names": ["c0", "c1", "c2"], "count": 8000}
    assert min(took) < 0.2


def test_one_header_ten_thousand_times_is_joined_once() -> None:
    from vial.gateways.environ import add_headers

    class Written(dict[str, str]):
        characters = 0

        def __setitem__(self, key: str, value: str) -> None:
            self.characters += len(value)
            super().__setitem__(key, value)

    environ = Written()
    add_headers(environ, [(b"x-a", b"x" * 20)] * 10_000)
    assert len(environ["HTTP_X_A"]) == 10_000 * 21 - 1
    assert environ.characters < 2 * 10_000 * 21  # adding to the text each time: a billion


class Running:
    """The embedded server in a thread."""

    def __init__(self, app: Any) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        ready = threading.Event()
        self.server = EmbeddedServer(app, listener, on_ready=ready.set)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        assert ready.wait(5)

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(3)

    def ask(self, target: str = "/cookies", headers: str = "") -> tuple[str, bool]:
        """The status line, and whether the connection was closed."""
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=3) as client:
            client.sendall(request.encode())
            line = client.recv(65536).partition(b"\r\n")[0].decode()
            client.settimeout(0.02)
            try:
                return line, client.recv(65536) == b""
            except TimeoutError:
                return line, False
            except ConnectionResetError:
                return line, True


@pytest.fixture(scope="module")
def embedded() -> Iterator[Running]:
    running = Running(add_views(Vial("limits", static_folder=None)))
    yield running
    running.stop()


TOO_LARGE = ("HTTP/1.1 431 Request Header Fields Too Large", True)


def test_the_server_takes_a_hundred_headers_of_a_request(embedded: Running) -> None:
    def headers(count: int) -> str:
        return "".join(f"X-{number}: 1\r\n" for number in range(count))

    assert embedded.ask(headers=headers(99)) == ("HTTP/1.1 200 OK", False)
    assert embedded.ask(headers=headers(100)) == TOO_LARGE
    assert embedded.ask(headers=headers(10_000)) == TOO_LARGE
    assert embedded.ask(headers="X-A: 1\r\n" * 10_000) == TOO_LARGE


@pytest.mark.parametrize("name", ["Cookie", "X-Large"])
def test_the_server_bounds_the_size_of_headers(embedded: Running, name: str) -> None:
    assert embedded.ask(headers=f"{name}: a={'x' * 60_000}\r\n") == ("HTTP/1.1 200 OK", False)
    assert embedded.ask(headers=f"{name}: a={'x' * 70_000}\r\n") == TOO_LARGE
    assert embedded.ask(headers=f"{name}: a={'x' * 1_000_000}\r\n") == TOO_LARGE


def test_the_server_bounds_the_length_of_a_url(embedded: Running) -> None:
    assert embedded.ask("/cookies?" + "x" * 8_000)[0] == "HTTP/1.1 200 OK"
    assert embedded.ask("/cookies?" + "x" * 100_000) == TOO_LARGE
