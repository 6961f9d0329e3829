"""The reloader, as a person meets it: a terminal, an editor, and requests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from developing import developing, started
from serving import SOON, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.service]

if sys.platform == "win32":
    pytest.skip("signals and terminals of POSIX", allow_module_level=True)

HELLO = """
import os
from vial import Vial
{more}
app = Vial(__name__)

@app.get("/")
def index():
    return {answer}

@app.get("/pid")
def pid():
    return str(os.getpid())
"""


def hello(answer: str, more: str = "") -> str:
    return HELLO.format(answer=answer, more=more)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_what_is_saved_is_what_is_served(tmp_path: Path) -> None:
    library = tmp_path / "elsewhere"
    project = tmp_path / "project"
    for folder in (library, project / "tests"):
        folder.mkdir(parents=True)
    (library / "shelf.py").write_text("BOOK = 'one'\n")
    more = f"import sys; sys.path.append({str(library)!r}); import shelf"
    (project / "hello.py").write_text(hello("shelf.BOOK + os.environ.get('OWN', '')", more))
    (project / "prices.csv").write_text("1")
    (project / "tests" / "test_x.py").write_text("")
    options = ("--extra-files", "prices.csv", "--exclude-patterns", "*/tests/*")
    with developing(project, "hello.py", *options) as server:
        assert server.ask() == (200, "one")
        # Of one size, and within one second: what Python compiled before must not count.
        for word in ("two", "six", "ten"):
            (library / "shelf.py").write_text(f"BOOK = '{word}'\n")
        server.answers(lambda status, text: text == "ten")

        server.edit(".env", "OWN=' and more'\n")
        server.answers(lambda status, text: text == "ten and more")
        server.edit(".env", "OWN=' and less'\n")
        server.answers(lambda status, text: text == "ten and less")

        before = server.answers(lambda status, text: status == 200, "/pid")
        server.edit("tests/test_x.py", "1 / 0")
        server.edit("notes.txt", "not watched")
        server.edit("prices.csv", "2")
        last = server.answers(lambda status, text: status == 200 and text != before, "/pid")
        assert "test_x.py" not in server.output and "notes.txt" not in server.output
        assert "'prices.csv' changed: starting again.\n" in server.output

        # A folder that is new.
        server.edit("shop/__init__.py", "NAME = 'shop'\n")
        server.printed(r"'shop/__init__.py' changed")
        server.edit("shop/__init__.py", "NAME = 'shops'\n")
        server.printed(r"'shop/__init__.py' changed", times=2)
        last = server.answers(lambda status, text: status == 200 and text != last, "/pid")
        assert server.output.count("Running on") == 1
        assert server.stop(signal.SIGINT) == 0
        assert "Traceback" not in server.output
        assert not is_alive(int(last))
        with pytest.raises(ConnectionRefusedError):
            server.ask()


def test_errors_are_shown_and_the_server_stays_up(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("def create_app():\n    raise OSError('no database')\n")
    with developing(tmp_path, "hello.py") as server:
        status, text = server.ask(accept="text/html")
        assert status == 500 and "no database" in text and "/__vial__/live.js" in text
        own = [line for line in server.output.splitlines() if line.startswith("  File ")]
        assert own == [f'  File "{tmp_path}/hello.py", line 2, in create_app']
        server.edit("hello.py", hello("'fine'"))
        server.answers(lambda status, text: text == "fine")

        server.edit("hello.py", "no_app_here = 1\n")
        server.answers(lambda status, text: status == 500 and "has no application" in text)
        server.edit("hello.py", "import sys; sys.exit('not today')\n")
        server.answers(lambda status, text: status == 500 and text == "not today\n")
        server.edit("hello.py", "import os; os._exit(3)\n")
        server.answers(lambda status, text: status == 500 and "has ended with status 3" in text)
        server.edit("hello.py", "import hello_helper\n")
        server.answers(lambda status, text: status == 500 and "No module named" in text)
        server.edit("hello_helper.py", hello("'helped'"))
        server.edit("hello.py", "from hello_helper import app\n")
        server.answers(lambda status, text: text == "helped")

        # On its way to a start that never comes, and deaf.
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf')"
        server.edit("hello.py", f"{deaf}; time.sleep(600)\n")
        server.printed("deaf\n")
        server.edit("hello.py", hello("'awake'"))
        server.answers(lambda status, text: text == "awake")


def test_a_program_that_runs_itself_is_run_again(tmp_path: Path) -> None:
    program = """
import sys
from werkzeug.serving import is_running_from_reloader
from vial import Vial
print("started", sys.argv[1:], __name__, is_running_from_reloader(), flush=True)
app = Vial(__name__)
app.get("/")(lambda: "{}")
if __name__ == "__main__":
    app.run(port=0, debug=True)
    print("after", flush=True)
"""
    (tmp_path / "main.py").write_text(program.format("one"))
    with started(tmp_path, ["main.py", "--option", "x"]) as server:
        assert server.ask() == (200, "one")
        said = "started ['--option', 'x'] __main__"
        assert [line for line in server.output.splitlines() if line.startswith("started")] == [
            f"{said} False",
            f"{said} True",
        ]
        server.edit("main.py", program.format("two").replace("import sys", "import sys,"))
        server.answers(lambda status, text: status == 500 and "SyntaxError" in text)
        server.edit("main.py", program.format("three"))
        server.answers(lambda status, text: text == "three")
        assert server.output.count("Running on") == 1
        assert server.stop(signal.SIGTERM) == 0
        assert server.output.endswith("after\n")  # of the process that served


def test_a_module_that_runs_itself_is_run_again(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("NAME = 'one'\n")
    program = "from vial import Vial\nfrom . import NAME\napp = Vial(__name__)\n"
    program += "app.get('/')(lambda: NAME)\napp.run(port=0, use_reloader=True)\n"
    (tmp_path / "shop" / "__main__.py").write_text(program)
    with started(tmp_path, ["-m", "shop"]) as server:
        assert server.ask() == (200, "one")
        server.edit("shop/__init__.py", "import nothing_such\n")
        hidden = "The program could not be loaded. The terminal says why.\n"
        server.answers(lambda status, text: (status, text) == (500, hidden))  # no debug mode
        server.edit("shop/__init__.py", "NAME = 'two'\n")
        server.answers(lambda status, text: text == "two")


@pytest.mark.parametrize(
    ("source", "options", "status", "said"),
    [
        (None, [], 2, "Error: There is no file 'hello.py'"),
        ("import sys; sys.exit(7)", [], 7, ""),
        ("1 / 0", ["--no-reload"], 1, "ZeroDivisionError: division by zero\n"),
    ],
)
def test_a_start_that_cannot_become_one_ends(
    source: str | None, options: list[str], status: int, said: str, tmp_path: Path
) -> None:
    if source is not None:
        (tmp_path / "hello.py").write_text(source)
    with started(tmp_path, ["-m", "vial", "run", "--debug", "hello.py", *options]) as server:
        assert server.ended() == status
        assert said in server.output


def test_a_terminal_can_debug_a_view(tmp_path: Path) -> None:
    source = hello(
        "secret()", "def secret():\n    hidden = 41\n    breakpoint()\n    return str(hidden)"
    )
    (tmp_path / "hello.py").write_text(source)
    ours, theirs = os.openpty()
    try:
        with developing(tmp_path, "hello.py", stdin=theirs) as server:
            with socket.create_connection(("127.0.0.1", server.port), SOON) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                server.printed(r"\(Pdb\) ")
                os.write(ours, b"hidden + 1\n")
                server.printed(r"\(Pdb\) 42\n")
                os.write(ours, b"hidden = 43\ncontinue\n")
                client.settimeout(SOON)
                answer = b""
                while data := client.recv(4096):
                    answer += data
            assert answer.endswith(b"43")
    finally:
        os.close(ours)
        os.close(theirs)


def test_ctrl_c_ends_both_processes_at_any_time(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("import time\nprint('loading')\ntime.sleep(600)\n")
    with developing(tmp_path, "hello.py", start_new_session=True) as server:
        server.printed("loading\n")
        os.killpg(server.process.pid, signal.SIGINT)  # as a terminal does
        assert server.ended() == 0
        wait_for("no process of it", lambda: not group(server.process.pid))
        assert "Traceback" not in server.output and "KeyboardInterrupt" not in server.output


def group(number: int) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "pgid,stat,args"], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [row[2] for row in rows if row[0] == str(number) and not row[1].startswith("Z")]


def test_the_program_ends_with_the_reloader(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(hello("''"))
    with developing(tmp_path, "hello.py") as server:
        program = int(server.ask("/pid")[1])
        server.kill()
        wait_for("the end of the program", lambda: not is_alive(program))


def test_a_taken_port_can_be_passed_over(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(hello("'here'"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["-m", "vial", "run", "hello.py", "--debug", "--port", str(port)]
        with started(tmp_path, command) as server:
            assert server.ended() == 1
            assert f"port {port} on 127.0.0.1 is in use" in server.output
            assert "--auto-port" in server.output
        with started(tmp_path, [*command, "--auto-port"]) as server:
            assert server.ask() == (200, "here")
            assert f"Port {port} is in use by another program: {server.port} is" in server.output
