"""Programs written for Bootstrap-Flask and Flask-Bootstrap, as processes that never name Vial."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from html_tree import Element, parse

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
#: Asks each URL of a list in turn, with one client, and prints the answers.
TALK = """
import json, re, sys, vial; vial.install_as_flask(True)
sys.path.insert(0, "."); from app import app
client, answers, token = app.test_client(), [], None
for path, data in json.loads(sys.argv[1]):
    if data is not None: data["csrf_token"] = token
    with client.post(path, data=data) if data is not None else client.get(path) as response:
        answers.append([response.status_code, response.headers.get("Location"), response.text])
    found = re.search('name="csrf_token"[^>]*value="([^"]+)"', response.text)
    token = found[1] if found else token
print(json.dumps(answers))
"""


def talk(name: str, *requests: Any) -> list[tuple[int, str | None, Element]]:
    """The answers of a program to requests: a path, or a path and a form."""
    asked = [[r, None] if isinstance(r, str) else list(r) for r in requests]
    command = [sys.executable, "-W", "error", "-c", TALK, json.dumps(asked)]
    folder = HERE / "programs" / name
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    return [(s, to, parse("" if to else text)) for s, to, text in answers]


def test_a_newsletter_with_bootstrap_flask() -> None:
    form, refused, accepted, readers, deleted, left = talk(
        "newsletter",
        "/",
        ("/", {"email": "", "often": "weekly"}),
        ("/", {"email": "a@b.example", "often": "daily"}),
        "/readers?page=2",
        ("/readers/4/delete", {}),
        "/readers?page=2",
    )
    page = form[2]
    assert page.one("link").attributes["href"].startswith("/bootstrap/static/css/bootswatch/pulse/")
    assert page.one("input", "btn btn-danger", type="submit")
    assert page.one("div", "form-switch") and page.one("select", "form-select")
    assert page.one("a", "active").text == "Subscribe" and page.one("small").text
    assert refused[2].one("div", "invalid-feedback").text == "This field is required."
    assert accepted[:2] == (302, "/readers")
    assert readers[2].one("div", "alert-success").text == "Welcome, <a@b.example>!"
    assert [e.text for e in readers[2].all("th", scope="row")] == ["4", "5", "6"]
    assert readers[2].one("li", "page-item active").text == "2"
    assert deleted[:2] == (302, "/readers")
    assert [e.text for e in left[2].all("th", scope="row")] == ["5", "6", "7"]


def test_a_flasky_with_flask_bootstrap() -> None:
    first, refused, accepted, changed, second, missing = talk(
        "flasky",
        "/",
        ("/", {"name": ""}),
        ("/", {"name": "Ada"}),
        ("/", {"name": "<b>"}),
        "/",
        "/nowhere",
    )
    page = first[2].one("html", lang="en")
    assert page.one("title").text == "Flasky" and page.one("h1").text == "Hello, Stranger!"
    sheets = [e.attributes["href"].partition("?")[0] for e in page.all("link")]
    assert sheets == [
        "/bootstrap/static/css/bootstrap.min.css",
        "/bootstrap/static/css/bootstrap3.css",
        "/static/mystyle.css",
        "//cdn.example/x.min.css",
    ]
    scripts = [e.attributes["src"] for e in page.all("script")]
    assert ["jquery" in scripts[0], "jquery" in scripts[-1], len(scripts)] == [True, True, 4]
    assert page.one("input", "form-control", id="name")
    assert page.one("input", "btn btn-primary", type="submit").attributes["value"] == "Submit"
    assert refused[2].one("div", "invalid-feedback")
    assert accepted[0] == changed[0] == 302
    assert second[2].one("h1").text == "Hello, <b>!"
    assert second[2].one("div", "alert-danger").text == "You changed your name!"
    assert missing[0] == 404 and missing[2].one("title").text == "Flasky - Page Not Found"
