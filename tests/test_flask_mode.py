"""``import flask`` means Vial. Each case is a program: what is imported stays imported."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import flask
import pytest

from vial.flask_mode import Flask, install_as_flask

Runs = Callable[..., str]
INSTALL = "import vial; from vial.flask_mode import install_as_flask; install_as_flask()\n"


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Run a program and return what it prints. The real Flask is installed where it runs."""

    def run(source: str, fails: bool = False) -> str:
        (tmp_path / "program.py").write_text(textwrap.dedent(source))
        command = [sys.executable, "-W", "error", "program.py"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout.strip()

    return run


def test_the_app_has_the_defaults_of_flask_exactly() -> None:
    assert dict(Flask.default_config) == dict(flask.Flask.default_config)


def test_flask_and_its_submodules_are_vial(runs: Runs) -> None:
    runs(
        """
        import vial
        from vial.flask_mode import install_as_flask
        install_as_flask()
        import importlib.metadata
        import importlib.util
        import flask, flask.app, flask.cli, flask.json.tag, flask.json.provider
        import vial.app, vial.cli, vial.json.tag
        from flask import Flask, current_app, request, session, url_for
        from flask.sansio.scaffold import Scaffold
        from vial.flask_mode import Flask as FlaskMode

        assert flask.json.tag is vial.json.tag and flask.json is vial.json
        assert flask.cli is vial.cli and flask.cli.__spec__.name == "vial.cli"
        assert flask.helpers is vial.helpers and flask.globals.request is request is vial.request
        assert flask.Blueprint is vial.Blueprint and flask.wrappers.Request is vial.Request
        assert Flask is FlaskMode is flask.app.Flask and issubclass(Flask, vial.Vial)
        assert flask.app.Vial is vial.Vial and issubclass(Flask, Scaffold)
        assert flask.__version__ == importlib.metadata.version("flask") == "3.1.3"
        assert importlib.metadata.distribution("Flask").metadata["Name"] == "Flask"
        assert importlib.util.find_spec("flask") is flask.__spec__
        assert "Flask" in dir(flask) and "Flask" in flask.__all__
        assert not hasattr(flask, "no_such_name") and not hasattr(flask.app, "no_such_name")

        app = Flask(__name__)
        app.get("/")(lambda: url_for("static", filename="a.css"))
        assert app.test_client().get("/").text == "/static/a.css"
        assert repr(app) == "<Flask 'program'>", repr(app)
        """
    )


def test_a_star_import_brings_flask(runs: Runs) -> None:
    assert runs(INSTALL + "from flask import *\nprint(Flask.__module__, g is vial.g)") == (
        "vial.flask_mode True"
    )


@pytest.mark.slow
def test_what_flask_does_not_have_is_missing(runs: Runs) -> None:
    error = runs(INSTALL + "import flask.no_such_module", fails=True)
    assert "ModuleNotFoundError: No module named 'flask.no_such_module'" in error
    error = runs(INSTALL + "from flask import no_such_name", fails=True)
    assert "ImportError: cannot import name 'no_such_name' from 'flask'" in error


@pytest.mark.slow
def test_a_real_flask_that_is_in_use_is_not_replaced(runs: Runs) -> None:
    error = runs("import flask\n" + INSTALL, fails=True)
    assert "RuntimeError: 'flask' was imported already, from " in error
    assert "Call it before anything imports flask" in error
    with pytest.raises(RuntimeError, match="comes too late"):
        install_as_flask()


@pytest.mark.slow
def test_batteries_stand_in_for_extensions(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "flask_socketio.py").write_text("__name__ = 'real'\n")
    printed = runs(
        """
        import sys
        from importlib.machinery import PathFinder
        from vial.flask_mode import install_as_flask

        class Here(PathFinder):  # whatever is installed beside this test is not there
            @classmethod
            def find_spec(cls, name, path=None, target=None):
                return PathFinder.find_spec(name, here if name == "flask_socketio" else path)

        sys.meta_path[sys.meta_path.index(PathFinder)] = Here
        for here in (["there"], []):
            for batteries in (None, True, False, {"flask_socketio"}, {"flask_login"}):
                install_as_flask(batteries)
                sys.modules.pop("flask_socketio", None)
                try:
                    import flask_socketio
                    print(flask_socketio.__name__)
                except ModuleNotFoundError:
                    print("missing")
        """
    )
    assert printed.splitlines() == [
        *("real", "vial.socketio", "real", "vial.socketio", "real"),
        *("vial.socketio", "vial.socketio", "missing", "vial.socketio", "vial.socketio"),
    ]


@pytest.mark.slow
def test_a_battery_is_one_module_under_both_names(runs: Runs) -> None:
    runs(
        """
        from vial.flask_mode import install_as_flask
        install_as_flask(batteries=True)
        import flask_socketio, vial.socketio
        from flask_socketio import SocketIO, emit
        assert flask_socketio is vial.socketio
        """
    )


@pytest.mark.slow
def test_the_last_call_decides_about_batteries(runs: Runs) -> None:
    runs(
        """
        import sys
        from vial.flask_mode import install_as_flask
        before = list(sys.meta_path)
        for batteries in (None, True, None, False):
            install_as_flask(batteries)
        assert len(sys.meta_path) == len(before) + 1
        """
    )


# Programs as people write them for Flask, unmodified: each serves on port 5000.

HELLO = """
from flask import Flask
app = Flask(__name__)

@app.route('/')
def hello_world():
    return 'Hello World!'

if __name__ == '__main__':
    app.run()
"""

CHAT = """
from flask import Flask, render_template
from flask_socketio import SocketIO, send

app = Flask(__name__)
app.config["SECRET"] = "ajuiahfa78fh9f78shfs768fgs7f6"
#app.config["DEBUG"] = True
socketio = SocketIO(app, cors_allowed_origins="*")

@socketio.on("message")
def gerenciar_mensagens(mensagem):
    print(f"Mensagem: {mensagem}")
    send(mensagem, broadcast=True)

@app.route("/")
def home():
    return render_template("index.html")

if __name__ == "__main__":
    socketio.run(app, host='localhost')
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``pip install vial-as-flask`` puts into site-packages."""
    target = tmp_path_factory.mktemp("site-packages")
    package = Path(__file__).parent.parent / "packages" / "vial-as-flask"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    subprocess.run([*pip, "--no-deps", "--target", target, package], check=True)
    return target


def serve(command: list[str], folder: Path, path: Path) -> Iterator[tuple[str, str]]:
    """Start a program; yield the address that it prints and what its page says; press Ctrl-C."""
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        address = next(line[14:-1] for line in lines if line.startswith(" * Running on "))
        with urlopen(address) as answer:
            page = answer.read().decode()
        yield address, page
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        errors = process.communicate(timeout=5)[1]
        assert time.monotonic() - start < 1.5  # 0.3 s on an idle machine
        assert process.returncode == 0 and "Traceback" not in errors
    finally:
        process.kill()
        process.communicate()


def port_5000_is_free() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", 5000)) != 0


@pytest.mark.slow
@pytest.mark.skipif(not port_5000_is_free(), reason="the programs want port 5000")
@pytest.mark.parametrize(
    ("source", "address", "page"),
    [(HELLO, "http://127.0.0.1:5000/", "Hello World!"), (CHAT, "http://localhost:5000/", "<h1>")],
    ids=["hello", "chat"],
)
@pytest.mark.parametrize("how", ["python main.py", "vial run main.py", "flask run"])
def test_a_program_for_flask_runs_unmodified(
    how: str, source: str, address: str, page: str, installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(source)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "index.html").write_text("<h1>")
    program, *args = how.split()
    python = [sys.executable, *(["-m", program] if program != "python" else [])]
    path = installed if program != "vial" else tmp_path
    for printed, shown in serve([*python, *args], tmp_path, path):
        assert shown == page
        if program == "python":
            assert printed == address
        if source is CHAT:
            polling = f"{printed}socket.io/?EIO=4&transport=polling"
            with urlopen(polling) as answer:
                assert answer.read().startswith(b'0{"sid":"')


@pytest.mark.slow
def test_the_distribution_stands_in_for_flask_and_flask_socketio(
    installed: Path, tmp_path: Path
) -> None:
    program = """
    from flask_socketio import SocketIO
    from flask.app import Flask
    import flask, flask.json.tag, vial.json.tag, vial.socketio
    assert issubclass(Flask, vial.Vial) and flask.json.tag is vial.json.tag
    assert SocketIO is vial.socketio.SocketIO
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "program.py"], env=environment, check=True
    )


def test_the_documentation_names_the_extensions_and_applications_that_are_tested() -> None:
    root = Path(__file__).parents[1]
    tested = (root / "tests/ecosystem/requirements.txt").read_text().partition("# what")[0]
    named = (root / "docs/flask.md").read_text().partition("## Extensions")[2].lower()
    names = re.findall(r"^([\w-]+)", tested, re.MULTILINE)
    assert len(names) >= 30
    assert [name for name in names if name.lower() not in named] == []
