"""Cost of one request in process, for Vial beside bare WSGI and other frameworks.

    scripts/bench [--quick] [--json FILE] [--only vial,flask]

No server and no socket: the harness calls each application as a server would, with a fresh environ
(or ASGI scope), takes the whole body and closes it. The rounds are interleaved (A B C A B C), so
noise of the machine falls on all alike; a cell is the median over the rounds. Before anything is
timed, every answer is checked: status, body, type and length must agree between all applications,
so nobody wins by doing less.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any, NamedTuple

import peers

FORM = b"name=Ada&text=Hello+there%2C+room"


class Case(NamedTuple):
    path: str
    status: int
    body: str | None  # None: an error page, each framework's own
    type: str | None
    form: bytes = b""


CASES = {
    "hello": Case("/", 200, "Hello, World!", "text/html"),
    "JSON": Case("/json", 200, json.dumps(peers.DATA), "application/json"),
    "<int:id>": Case("/user/41", 200, "user 42", "text/html"),
    "template": Case(
        "/page", 200, peers.jinja().get_template("page.html").render(peers.PAGE), "text/html"
    ),
    "session": Case("/count", 200, "2", "text/html"),
    "form": Case("/say", 200, "Ada: Hello there, room", "text/html", FORM),
    "404": Case("/nowhere", 404, None, None),
}

HEADERS = {
    "Host": "example.com",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-GB,en;q=0.5",
}


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((v for k, v in self.headers if k.lower() == name), "")


class Wsgi:
    """Calls a WSGI application the way a server does."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    def environ(self, case: Case, cookie: str) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST" if case.form else "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": case.path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        environ |= {"HTTP_" + k.upper().replace("-", "_"): v for k, v in HEADERS.items()}
        if cookie:
            environ["HTTP_COOKIE"] = cookie
        if case.form:
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
            environ["CONTENT_LENGTH"] = str(len(case.form))
        return environ

    def ask(self, case: Case, cookie: str = "") -> Answer:
        seen: list[Any] = []
        environ = self.environ(case, cookie)
        environ["wsgi.input"] = BytesIO(case.form)
        result = self.app(
            environ, lambda status, headers, exc_info=None: seen.extend((status, headers))
        )
        body = b"".join(result)
        getattr(result, "close", lambda: None)()
        return Answer(int(seen[0][:3]), seen[1], body)

    def timer(self, case: Case, cookie: str) -> Callable[[int], int]:
        app, template, form = self.app, self.environ(case, cookie), case.form

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> None:
            pass

        def run(times: int) -> int:
            start = perf_counter_ns()
            for _ in range(times):
                environ = template.copy()
                if form:
                    environ["wsgi.input"] = BytesIO(form)
                result = app(environ, start_response)
                for _chunk in result:
                    pass
                if hasattr(result, "close"):
                    result.close()
            return perf_counter_ns() - start

        return run


class Asgi:
    """Calls an ASGI application without a loop: nothing waits, so one `send(None)` does it."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    def scope(self, case: Case, cookie: str) -> dict[str, Any]:
        headers = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
        if cookie:
            headers.append((b"cookie", cookie.encode()))
        if case.form:
            headers.append((b"content-type", b"application/x-www-form-urlencoded"))
            headers.append((b"content-length", str(len(case.form)).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST" if case.form else "GET",
            "scheme": "http",
            "path": case.path,
            "raw_path": case.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
        }

    def call(self, case: Case, cookie: str, send: Callable[..., Any]) -> Callable[[], None]:
        app, template = self.app, self.scope(case, cookie)
        message = {"type": "http.request", "body": case.form, "more_body": False}

        async def receive() -> dict[str, Any]:
            return message

        def call() -> None:
            try:
                app(template.copy(), receive, send).send(None)
            except StopIteration:
                return
            raise RuntimeError(f"{case.path} suspended: it cannot be timed without an event loop")

        return call

    def ask(self, case: Case, cookie: str = "") -> Answer:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        self.call(case, cookie, send)()
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in sent[0]["headers"]]
        return Answer(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))

    def timer(self, case: Case, cookie: str) -> Callable[[int], int]:
        async def send(message: dict[str, Any]) -> None:
            pass

        call = self.call(case, cookie, send)

        def run(times: int) -> int:
            start = perf_counter_ns()
            for _ in range(times):
                call()
            return perf_counter_ns() - start

        return run


Driver = Wsgi | Asgi

# Name in the table, its distribution (for the version), how it is built, and how it is called.
PEERS: dict[str, tuple[str, str | None, Callable[[bool], Any], type[Driver]]] = {
    "vial": ("Vial", "vial-web", peers.vial, Wsgi),
    "wsgi": ("bare WSGI", None, peers.bare_wsgi, Wsgi),
    "falcon": ("Falcon", "falcon", peers.falcon, Wsgi),
    "bottle": ("Bottle", "bottle", peers.bottle, Wsgi),
    "starlette": ("Starlette", "starlette", peers.starlette, Asgi),
    "flask": ("Flask", "flask", peers.flask, Wsgi),
}


def build(name: str, sessions: bool) -> Driver:
    _, _, application, driver = PEERS[name]
    return driver(application(sessions))


def verify(name: str, label: str, case: Case, driver: Driver) -> str:
    """Check one answer, return the cookie to send while timing; SystemExit says what differed."""
    cookie = ""
    if label == "session":  # the timed request comes from someone who has been here before
        cookie = driver.ask(case).header("set-cookie").partition(";")[0]
    answer = driver.ask(case, cookie)
    body = answer.body.decode()
    wrong = {
        "status": answer.status != case.status,
        "body": case.body is not None and plain(body, case) != plain(case.body, case),
        "type": case.type is not None and not answer.header("content-type").startswith(case.type),
        "length": answer.header("content-length") != str(len(answer.body)),
        "cookie": label == "session" and not answer.header("set-cookie"),
    }
    if any(wrong.values()):
        differing = ", ".join(part for part, is_wrong in wrong.items() if is_wrong)
        raise SystemExit(f"{name}, {label}: wrong {differing}: {answer}")
    return cookie


def plain(body: str, case: Case) -> Any:
    """The part of a body that must be equal: no spaces of JSON, no newline at a template's end."""
    return json.loads(body) if case.type == "application/json" else body.rstrip("\n")


def calibrate(run: Callable[[int], int], target_ns: int) -> int:
    """How many calls last about `target_ns`; its own calls are the warming up."""
    calls = 1
    while (spent := run(calls)) < target_ns // 4:
        calls *= 2
    return max(1, calls * target_ns // spent)


def measure(names: list[str], rounds: int, block_ms: float) -> dict[str, dict[str, float]]:
    """Median µs of one request, by case and then by peer."""
    apps = {on: {name: build(name, on) for name in names} for on in (False, True)}
    return {
        label: measure_case(label, case, apps[label == "session"], rounds, block_ms)
        for label, case in CASES.items()
    }


def measure_case(
    label: str, case: Case, drivers: Mapping[str, Driver], rounds: int, block_ms: float
) -> dict[str, float]:
    """Median µs of one request of this kind, by peer."""
    runs = {name: d.timer(case, verify(name, label, case, d)) for name, d in drivers.items()}
    calls = {name: calibrate(run, int(block_ms * 1e6)) for name, run in runs.items()}
    gc.collect()
    gc.freeze()  # what is collected while timing is then the requests' own, not six frameworks
    spent: dict[str, list[float]] = {name: [] for name in drivers}
    for _ in range(rounds):
        for name, run in runs.items():
            spent[name].append(run(calls[name]) / calls[name] / 1000)
    gc.unfreeze()
    return {name: median(values) for name, values in spent.items()}


def table(results: dict[str, dict[str, float]], titles: Mapping[str, str]) -> str:
    """A Markdown table that reads well as plain text: µs, and how many times the first column."""
    names = list(titles)
    rows = [["case", *titles.values()]]
    for label, row in results.items():
        base = row[names[0]]
        cells = (f"{row[name]:.2f} ({times(row[name] / base)}x)" for name in names[1:])
        rows.append([label, f"{base:.2f}", *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"| {row[0]:<{widths[0]}} | "
        + " | ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        + " |"
        for row in rows
    ]
    rule = f"|{'-' * (widths[0] + 2)}|" + "".join("-" * (width + 1) + ":|" for width in widths[1:])
    return "\n".join([lines[0], rule, *lines[1:]])


def times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}"


def about(distributions: Mapping[str, str]) -> dict[str, Any]:
    packages = {name: version(dist) for name, dist in distributions.items()}
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    return {"python": implementation, "machine": platform.machine(), "versions": packages}


def chosen(parser: argparse.ArgumentParser, only: str, known: Collection[str]) -> list[str]:
    names = only.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"--only: {', '.join(unknown)} is not one of {', '.join(known)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a second or two, for a first look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the medians there")
    parser.add_argument(
        "--only", default=",".join(PEERS), metavar="A,B", help=f"of {', '.join(PEERS)}"
    )
    options = parser.parse_args()
    names = chosen(parser, options.only, PEERS)
    rounds, block_ms = (7, 2.0) if options.quick else (41, 8.0)

    results = measure(names, rounds, block_ms)
    facts = about({name: dist for name in names if (dist := PEERS[name][1])})
    print(f"One request in process, median of {rounds} rounds in µs (times {PEERS[names[0]][0]}'s)")
    print(
        f"{facts['python']}, "
        + ", ".join(f"{PEERS[n][0]} {v}" for n, v in facts["versions"].items())
    )
    print(f"\n{table(results, {name: PEERS[name][0] for name in names})}")
    if options.json:
        report = {**facts, "rounds": rounds, "unit": "us", "median": results}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
