"""`vial serve` in the ways that it is started and asked: sockets, TLS, its log, systemd's words."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import time
import warnings
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from cases.entrances import Ask
from gateways.http2 import Http2
from serving import SOON, Served, free_port, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.service]

PROGRAM = """
import os, time
from vial import Vial

app = Vial(__name__, static_folder=None)

@app.get("/ready")
def ready():
    return str(os.getpid())

@app.get("/slow")
def slow():
    open("slow", "w").close()
    until = time.monotonic() + 30
    while not os.path.exists("go") and time.monotonic() < until:
        time.sleep(0.01)
    return "done"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(PROGRAM)
    return tmp_path


def connect(address: int | str) -> socket.socket:
    """To a port of this machine, or to a Unix socket."""
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), timeout=SOON)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SOON)
    client.connect(address)
    return client


def over(client: socket.socket) -> HTTPConnection:
    connection = HTTPConnection("localhost", timeout=SOON)
    connection.auto_open = 0  # a connection that was closed is an error
    connection.sock = client
    return connection


def ask(connection: HTTPConnection, path: str) -> tuple[HTTPResponse, str]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response, response.read().decode()


def get(address: int | str, path: str = "/ready") -> str:
    with connect(address) as client:
        return ask(over(client), path)[1]


def refused(folder: Path, *arguments: str, bind: str | None = None, **environment: str) -> str:
    """What a server says that does not start."""
    with Served(folder, *arguments, bind=bind, **environment) as server:
        assert server.ended() == 1, server.output
        assert "Traceback" not in server.output and "Serving" not in server.output
        return server.output


# Its log, its health, and a draining worker


ESC = b"\x1b[2J\x1b]0;title\x07"
#: Requests that would forge a line, or change a terminal, each on a connection of its own.
HOSTILE = [
    b"GET /%0d%0a127.0.0.1%20-%20-%22%1b[2J HTTP/1.1\r\nHost: x\r\n",
    b'GET /a%ff%ed%a0%80%00"x HTTP/1.1\r\nHost: x\r\n',
    "GET /é\u202e?é\u202e HTTP/1.1\r\nHost: x\r\n".encode(),
    b"GET /q?%22%0d%0a'%1b[2J HTTP/1.1\r\nHost: x\r\n",
    b"GET /" + b"long" * 3000 + b"?" + b"%22" * 3000 + b" HTTP/1.1\r\nHost: x\r\n",
    b'GET /h HTTP/1.1\r\nHost: x\r\nUser-Agent: a"\\\xff\xe2\x80\xae\r\nReferer: \x80\x9b31m"\r\n',
    b'GET /t HTTP/1.1\r\nHost: x\r\nUser-Agent: a\tb\r\nX-Request-ID: a\tb"\xff\r\n',
    b"GET /i HTTP/1.1\r\nHost: x\r\nX-Request-ID: \xe2\x80\xae\r\nX-Request-ID: b c\r\n",
    b"GE'T*|~ /m HTTP/1.1\r\nHost: x\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n",
    b"GET http://x/absolute?x HTTP/1.0\r\n",
    # These four are no requests, and have no line.
    b"GET /e HTTP/1.1\r\nHost: x\r\nUser-Agent: " + ESC + b"\r\n",
    b"GET /" + ESC + b" HTTP/1.1\r\nHost: x\r\n",
    b"GET /e?\\<> HTTP/1.1\r\nHost: x\r\n",
    b"G\x1bT / HTTP/1.1\r\nHost: x\r\n",
]
COMMON = re.compile(
    r"127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
    r'"[ !#-~]+ HTTP/1(\.[01])?" \d{3} (\d+|-) \d+\.\dms [\w.:+/=@-]+'
)


@pytest.mark.parametrize(
    ("interface", "kind"),
    [("wsgi", "common"), ("wsgi", "json"), ("asgi", "json"), ("rsgi", "common"), ("rsgi", "json")],
)
def test_lines_cannot_be_forged_and_a_worker_that_stops_says_so(
    folder: Path, interface: str, kind: str
) -> None:
    options = ("--interface", interface, "--access-log", kind, "--health", "/healthz")
    with Served(folder, "main.py", *options) as server:
        server.wait("/healthz")
        for request in HOSTILE:
            with connect(server.port) as client:
                client.sendall(request + b"Connection: close\r\n\r\n")
                with suppress(ConnectionResetError):
                    while client.recv(65536):
                        pass
        end_while_asked(folder, server)
        lines = [line for line in server.output.splitlines() if not line.startswith(" * ")]
        assert server.output.isascii() and server.output.replace("\n", "").isprintable()
        assert "Traceback" not in server.output
        if kind == "json":
            found = [json.loads(line) for line in lines]
            assert {f["client"] for f in found} == {"127.0.0.1"}
            assert [f["id"] for f in found if f["path"] == "/ready"] == ["from-a-proxy"]
        else:
            assert [line for line in lines if not COMMON.fullmatch(line)] == []
            assert len([line for line in lines if line.endswith(" from-a-proxy")]) == 1
        for path in ("/m", "/h", "/t", "/i", "/q", "/absolute", "/ready", "/slow"):
            assert len([line for line in lines if re.search(rf'[ "]{path}[ ?"]', line)]) == 1, path
        assert len(lines) == len(HOSTILE) - 4 + 2


def end_while_asked(folder: Path, server: Served) -> None:
    """Stop the server with a request in flight: meanwhile its health is bad, and one is told."""
    with connect(server.port) as client, connect(server.port) as other:
        asking, watching = over(client), over(other)
        watching.request("GET", "/ready", headers={"X-Request-ID": "from-a-proxy"})
        answer = watching.getresponse()
        assert answer.read() and answer.headers["X-Request-ID"] == "from-a-proxy"
        asking.request("GET", "/slow")
        wait_for("the view", (folder / "slow").exists)
        assert ask(watching, "/healthz")[1] == "ok\n"
        server.process.send_signal(signal.SIGTERM)
        response, text = ask(watching, "/healthz")
        while response.status == 200:  # as fast as it answers: an idle connection is closed
            response, text = ask(watching, "/healthz")
        assert (response.status, text) == (503, "stopping\n")
        assert response.headers["Connection"] == "close"
        (folder / "go").touch()
        assert asking.getresponse().read() == b"done"
    assert server.ended() == 0, server.output


# Unix sockets, systemd


class Systemd:
    """What listens where ``NOTIFY_SOCKET`` says."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(SOON)

    def hear(self) -> str:
        return self.socket.recv(4096).decode()


def test_a_unix_socket_from_its_start_to_its_end(folder: Path) -> None:
    path = str(folder / "web.sock")
    (folder / "file").write_text("mine")
    said = refused(folder, "main.py", bind=f"unix:{folder / 'file'}")
    assert f"cannot listen on {folder / 'file'}: there is a file that is no socket." in said
    assert (folder / "file").read_text() == "mine"
    said = refused(folder, "main.py", bind="unix:missing/web.sock")
    assert "No such file or directory. Name a path in a folder that this user may write to" in said

    systemd = Systemd(folder / "notify")
    options = ("main.py", "-w", "2", "--socket-mode", "600")
    with Served(
        folder, *options, bind=f"unix:{path}", NOTIFY_SOCKET=str(folder / "notify")
    ) as server:
        assert systemd.hear() == "READY=1"
        assert f"Serving on unix:{path} (2 workers, WSGI)" in server.output
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        first = get(path)
        said = refused(folder, "main.py", bind=f"unix:{path}")
        assert f"cannot listen on {path}: another server listens there." in said
        assert get(path).isdecimal()  # it was not disturbed

        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.process.send_signal(signal.SIGHUP)
        word, _, since = systemd.hear().partition("\nMONOTONIC_USEC=")
        assert word == "RELOADING=1" and int(since) >= before
        assert systemd.hear() == "READY=1"
        assert "The workers are replaced" in server.output  # all of them, and only then
        assert get(path) != first
        assert server.stop() == 0, server.output
        assert systemd.hear() == "STOPPING=1"
        systemd.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.hear()
    systemd.socket.close()
    assert not os.path.exists(path)


PROXIED = """
from vial import Vial, request

app = Vial(__name__, static_folder=None)
app.config["TRUSTED_PROXIES"] = ["unix"]

@app.get("/ready")
def ready():
    return f"{request.remote_addr} {request.url}"
"""


@pytest.mark.parametrize("interface", ["wsgi", "asgi", "rsgi"])
def test_a_proxy_at_the_unix_socket_is_believed_and_a_client_at_a_port_is_not(
    tmp_path: Path, interface: str
) -> None:
    (tmp_path / "main.py").write_text(PROXIED)
    said = {"X-Forwarded-For": "6.6.6.6, 1.2.3.4", "X-Forwarded-Proto": "https"}
    said |= {"X-Forwarded-Host": "shop.test", "X-Forwarded-Prefix": "/app"}
    path = str(tmp_path / "web.sock")
    for bind, port in ((f"unix:{path}", None), (None, free_port())):
        told = (
            "1.2.3.4 https://shop.test/app/ready"
            if port is None
            else "127.0.0.1 http://inner/ready"
        )
        with Served(tmp_path, "main.py", "--interface", interface, bind=bind, port=port) as server:
            wait_for("the server", lambda: "Serving" in server.output)
            with connect(path if port is None else port) as client:
                http = over(client)
                http.request("GET", "/ready", headers={"Host": "inner", **said})
                assert http.getresponse().read().decode() == told
            assert server.stop() == 0, server.output


def test_workers_end_with_a_parent_that_was_killed_and_their_socket_is_taken_over(
    folder: Path,
) -> None:
    path = str(folder / "web.sock")
    with Served(folder, "main.py", "-w", "2", bind=f"unix:{path}") as server:
        wait_for("an answer", lambda: "Serving" in server.output)
        seen: set[str] = set()
        wait_for("both workers", lambda: seen.add(get(path)) or len(seen) == 2)
        server.process.kill()
        wait_for("the end of the workers", lambda: not any(is_alive(int(pid)) for pid in seen))
    assert stat.S_ISSOCK(os.stat(path).st_mode)  # nobody was left to remove it
    with Served(folder, "main.py", bind="unix:web.sock") as server:
        wait_for("an answer", lambda: "Serving" in server.output)
        assert get(path) not in seen
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert server.stop() == 0, server.output


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_socket_that_somebody_else_has_opened_is_served(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        for _ in range(2):  # the socket outlives the server
            with Served(folder, "main.py", "-w", "2", bind=f"fd:{fd}", fds=(fd,)) as server:
                assert get(port).isdecimal()  # it waited until somebody took it
                assert f"Serving on fd:{fd} (2 workers, WSGI)" in server.output
                assert server.stop() == 0, server.output
    for wrong, why in {"fd:1": "Socket operation on non-socket", "fd:77": "Bad file"}.items():
        said = refused(folder, "main.py", bind=wrong)
        assert f"descriptor {wrong[3:]} is no listening socket: {why}" in said


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    make = "req -x509 -nodes -newkey rsa:2048 -subj /CN=localhost -days 1"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]
    subprocess.run(["openssl", *make.split(), *files], check=True, capture_output=True)
    return cert, key


def tls(port: int, cert: str, *protocols: str, newest: ssl.TLSVersion | None = None) -> Any:
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(list(protocols))
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")  # else the client refuses by itself
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
    client = connect(port)
    try:
        return context.wrap_socket(client, server_hostname="127.0.0.1")
    except BaseException:
        client.close()
        raise


def test_tls_is_1_2_or_newer_and_speaks_http_2_by_agreement(
    folder: Path, certificate: tuple[str, str]
) -> None:
    cert, key = certificate
    with Served(folder, "main.py", "--cert", cert, "--key", key, "--access-log", "json") as server:
        wait_for("the server", lambda: "Serving on https://127.0.0.1:" in server.output)
        with pytest.raises(ssl.SSLError) as error:
            tls(server.port, cert, newest=ssl.TLSVersion.TLSv1_1)
        assert "ALERT" in str(error.value)  # the server's word, not the client's
        with tls(server.port, cert, "http/1.1", newest=ssl.TLSVersion.TLSv1_2) as client:
            assert (client.version(), client.selected_alpn_protocol()) == ("TLSv1.2", "http/1.1")
            assert ask(over(client), "/ready")[1].isdecimal()
        with tls(server.port, cert) as client:
            assert (client.version(), client.selected_alpn_protocol()) == ("TLSv1.3", None)
            assert ask(over(client), "/ready")[0].version == 11
        client = tls(server.port, cert, "h2", "http/1.1")
        assert client.selected_alpn_protocol() == "h2"
        ask_over_http2(server, client)
        with pytest.raises((OSError, HTTPException)):  # no TLS, no answer
            get(server.port)
        wait_for("the lines", lambda: server.output.count('"http"') == 3)
        assert len(re.findall('"http": "2', server.output)) == 1
        assert server.stop() == 0, server.output
    with Served(folder, "main.py", "--cert", cert, "--key", key, "--http", "1") as server:
        wait_for("the server", lambda: "Serving on https://127.0.0.1:" in server.output)
        with tls(server.port, cert, "h2", "http/1.1") as client:
            assert client.selected_alpn_protocol() in ("http/1.1", None)
        assert server.stop() == 0, server.output


def ask_over_http2(server: Served, client: ssl.SSLSocket) -> None:
    """One request with its answer."""
    with Http2(server, client) as two:
        two.begin(Ask("/ready"), end=True)
        two.until(lambda: False)
        assert (two.answer.status, two.answer.whole) == (200, True)
        assert two.answer.text.isdecimal()


def test_a_certificate_that_is_none_ends_the_server(
    folder: Path, certificate: tuple[str, str]
) -> None:
    cert, key = certificate
    with Served(folder, "main.py", "--cert", cert) as server:
        assert server.ended() == 2
        assert "'--cert' and '--key' go together: give both files." in server.output
    locked, other = str(folder / "locked.pem"), str(folder / "other.pem")
    for args in (f"pkey -in {key} -aes256 -passout pass:x -out {locked}", f"genrsa -out {other}"):
        subprocess.run(["openssl", *args.split()], check=True, capture_output=True)
    main = str(folder / "main.py")
    wrong = [
        (main, key),
        (cert, main),
        (cert, locked),  # nobody is asked for its password
        (cert, other),
    ]
    for its_cert, its_key in wrong:
        said = refused(folder, "main.py", "--cert", its_cert, "--key", its_key)
        assert f"Error: cannot use the certificate {its_cert} with the key {its_key}: " in said
        assert "key without a password, both as PEM." in said


# What is refused


def test_refusals_are_said_once_and_end_the_server(folder: Path) -> None:
    keys = {
        "'dev'": "is shorter than 16 bytes",
        "'change-me-change-me'": "is an example of some documentation",
        "'a-key-2-be-tried', SECRET_KEY_FALLBACKS=['old']": "is shorter than 16 bytes",
    }
    for key, why in keys.items():
        (folder / "main.py").write_text(f"{PROGRAM}\napp.config.update(SECRET_KEY={key})\n")
        said = refused(folder, "main.py", "-w", "4")
        assert said.count("Error: ") == 1
        assert f"a SECRET_KEY of the app {why}: anyone could sign sessions with it." in said
    view = "\nfrom vial import session\n@app.get('/me')\ndef me(): return session['name']\n"
    (folder / "main.py").write_text(PROGRAM + view)
    said = refused(folder, "main.py")
    assert "Error: main.me uses the session, and the app has no SECRET_KEY. Make one with:" in said
    assert "Error: debug mode is for 'vial run'" in refused(folder, "main.py", FLASK_DEBUG="1")
