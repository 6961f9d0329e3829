"""Real servers: which of them have a console, what production tells, and one parser for all."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest
from processes import Process, running
from serving import SOON

pytestmark = pytest.mark.service

PROGRAM = """
from vial import Vial, abort, request
from vial.server.debugger import DebuggedASGI, DebuggedRSGI, DebuggedWSGI

app = Vial("shop", static_folder=None)
app.secret_key = "a key for this test alone, of a decent length"

@app.get("/ready")
def ready():
    return "ready"

@app.get("/")
def fails():
    hidden = "a local variable"
    raise LookupError("what no visitor may see")

@app.post("/")
def echo():
    return request.get_data()

@app.get("/stop")
def stop():
    abort(503)
"""
DEBUGGED = """
app.debug = True
asgi = DebuggedASGI(app, host="127.0.0.1")
wsgi = DebuggedWSGI(app.wsgi_app, host="127.0.0.1")
rsgi = DebuggedRSGI(app.__rsgi__, host="127.0.0.1")
"""
OTHERS = {
    "gunicorn": "-m gunicorn --no-control-socket -k gthread -b 127.0.0.1:{port} program:wsgi",
    "waitress": "-m waitress --listen=127.0.0.1:{port} program:wsgi",
    "uvicorn": "-m uvicorn --port {port} program:asgi",
    "hypercorn": "-m hypercorn -b 127.0.0.1:{port} program:asgi",
    "granian": "-m granian --interface rsgi --port {port} program:rsgi",
}
DEVELOPMENT = "-m vial run program.py --no-debugger --port {port}"
PRODUCTION = "-m vial serve program.py --bind 127.0.0.1:{port}"


@pytest.mark.parametrize("name", OTHERS)
def test_other_servers_show_the_page_and_never_a_console(name: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM + DEBUGGED)
    with running(tmp_path, *OTHERS[name].split(), PYTHONPATH=str(tmp_path), VIAL_ENV="") as server:
        status, page, _ = server.ask("/", Accept="text/html")
        assert status == 500 and "what no visitor may see" in page
        assert f"No console: {name} is no development server." in page
        assert "data-secret" not in page
        assert server.ask("/__vial_debugger__", "POST", body="{}")[0] == 404


@pytest.fixture(scope="module", params=[DEVELOPMENT, PRODUCTION], ids=["run", "serve"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "program.py").write_text(PROGRAM)
    with running(folder, *request.param.split(), SECRET_OF_THE_MACHINE="kept in the dark") as it:
        yield it


def test_errors_without_debug_mode_tell_nothing_of_the_program(server: Process) -> None:
    told = [server.ask(path, Accept="text/html") for path in ("/", "/none", "/stop")]
    told.append(server.ask("/ready", "DELETE"))
    assert [status for status, _, _ in told] == [500, 404, 503, 405]
    versions = [version(p) for p in ("werkzeug", "granian", "jinja2", "vial-web")]
    hidden = ["Traceback", "LookupError", "what no visitor", "a local", "program", "fails"]
    hidden += [os.getcwd(), sys.prefix, ".py", "kept in the dark", "raise ", *versions]
    for _, body, headers in told:
        assert [text for text in hidden if text in body + str(headers)] == []
        assert re.fullmatch(r"[a-z]+", headers["Server"])
        assert not re.search(r"[Pp]ython|/\d|\d\.\d", str(headers.get("X-Powered-By", "")))


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
SECOND = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#: Requests of which a proxy in front may see another end than the server.
SMUGGLING = {
    "a length beside chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n",
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a length that is a list": b"Content-Length: 0, 60\r\n\r\n",
    "a length in hexadecimal": b"Content-Length: 0x0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding twice": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Content-Length : 0\r\n\r\n",
    "a folded header": b"X-A: b\r\n Content-Length: 0\r\n\r\n",
    "a bad size of a chunk": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a chunk that goes on": b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "a null in a header": b"X-A: b\0c\r\nContent-Length: 0\r\n\r\n",
    "a line that ends in CR": b"X-A: b\rContent-Length: 0\r\n\r\n",
}


def test_no_request_hides_in_another(server: Process) -> None:
    assert statuses(server, HEAD + b"Content-Length: 0\r\n\r\n" + SECOND) == [b"200", b"200"]
    told = {name: statuses(server, HEAD + rest + SECOND) for name, rest in SMUGGLING.items()}
    # RFC 9112 section 6.3: the chunks count, and no second request is read from the connection.
    assert told.pop("a length beside chunks") in ([b"200"], [b"411"])
    # 411 comes from the gateway for WSGI, which takes no chunks from this server.
    assert {name: codes for name, codes in told.items() if codes not in ([b"400"], [b"411"])} == {}


def statuses(server: Process, data: bytes) -> list[bytes]:
    """The status codes of what comes back until the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=SOON) as client:
        client.sendall(data)
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                received += piece
    return re.findall(rb"HTTP/1\.1 (\d+) ", received)
