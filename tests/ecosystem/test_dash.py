"""Dash: a site of several pages, started in all the ways there are, and clicked on in a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ecosystem.browsing import chromium
from ecosystem.running import Running, running, until

pytestmark = pytest.mark.service

SITE = Path(__file__).parent / "dash_site"
COMMANDS = {
    "python": "python app.py {port}",
    "python-debug": "python app.py {port} debug",
    "gunicorn": "gunicorn --no-control-socket -w 2 -b 127.0.0.1:{port} app:server",
    "gunicorn-of-dash": "gunicorn --no-control-socket --threads 4 -b 127.0.0.1:{port} app:app",
    "uvicorn": "uvicorn --port {port} app:server",
    "vial": "vial --app app:server run --port {port}",
}


@pytest.fixture(scope="module", params=COMMANDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("dash") / "site"
    shutil.copytree(SITE, folder)
    with running(folder, *COMMANDS[request.param].split(), ready="/_dash-layout") as site:
        yield site
        site.assert_on_vial()


def call_back(
    site: Running, output: str, inputs: dict[str, Any], *, states: int = 0, **options: Any
) -> requests.Response:
    """What the page sends when the first input has changed; the last ones are states."""

    def part(name: str) -> dict[str, str]:
        identity, prop = name.split(".")
        return {"id": identity, "property": prop}

    outputs = [part(name) for name in output.strip(".").split("...")]
    values = [{**part(name), "value": value} for name, value in inputs.items()]
    body = {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": values[: len(values) - states],
        "state": values[len(values) - states :],
        "changedPropIds": [next(iter(inputs))],
    }
    return site.ask("/_dash-update-component", "POST", json=body, **options)


def greet(site: Running, name: str, **options: Any) -> requests.Response:
    inputs = {"greet.n_clicks": 3, "name.value": name}
    return call_back(site, "..answer.children...title.children..", inputs, states=1, **options)


def is_debug(site: Running) -> bool:
    return "Debug mode: on" in site.log


def test_the_page_names_scripts_that_are_there(site: Running) -> None:
    page = site.ask("/").text
    assert '<meta property="twitter:title" content="Home">' in page
    scripts = re.findall(r'<script src="([^"]+)"', page)
    assert len(scripts) > 5
    for script in scripts:
        answer = site.ask(script)
        assert answer.status_code == 200
        assert "javascript" in answer.headers["Content-Type"]
        assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_the_layout_and_what_depends_on_what(site: Running) -> None:
    layout = site.ask("/_dash-layout").json()
    assert layout["props"]["children"][0]["props"] == {"children": "A site of Dash", "id": "title"}
    callbacks = {c["output"]: c for c in site.ask("/_dash-dependencies").json()}
    assert callbacks["download.data"]["inputs"] == [{"id": "save", "property": "n_clicks"}]
    assert callbacks["..answer.children...title.children.."]["state"] == [
        {"id": "name", "property": "value"}
    ]


def test_a_callback_with_a_session_and_a_cookie(site: Running) -> None:
    first = greet(site, "you")
    assert first.json()["response"] == {"answer": {"children": "3: hello, you"}}
    assert first.cookies["greeted"] == "you"
    second = greet(site, "ü", cookies={"session": first.cookies["session"]})
    assert second.json()["response"] == {
        "answer": {"children": "3: hello, ü"},
        "title": {"children": "2 by greet at /_dash-update-component"},
    }


def test_a_callback_that_changes_nothing(site: Running) -> None:
    answer = greet(site, "nothing")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_callback_that_fails(site: Running) -> None:
    answer = greet(site, "wrong")
    assert answer.status_code == 500
    told = answer.text if is_debug(site) else site.log
    assert "LookupError: no such name" in told
    assert ("LookupError" in answer.text) == is_debug(site)
    assert greet(site, "you").status_code == 200


def test_files_go_down_and_up(site: Running) -> None:
    answer = call_back(site, "download.data", {"save.n_clicks": 1}).json()["response"]["download"]
    assert answer["data"]["filename"] == "file.txt"
    assert answer["data"]["content"] == "tëxt"
    contents = "data:text/plain;base64," + "A" * 3_000_000
    answer = call_back(site, "size.children", {"upload.contents": contents}).json()
    assert answer["response"]["size"]["children"] == len(contents)


@pytest.mark.parametrize(
    ("path", "text", "title"),
    [
        ("/", "The home page.", "Home"),
        ("/item/7", "Item 7, {'a': 'b'}.", "Item"),
        ("/none", "404 - Page not found", "Dash"),
    ],
)
def test_a_page_of_the_site(site: Running, path: str, text: str, title: str) -> None:
    known = {"pathname": path, "search": "?a=b"}
    (callback,) = [
        c for c in site.ask("/_dash-dependencies").json() if "_pages_content" in c["output"]
    ]
    inputs = {f"{i['id']}.{i['property']}": known[i["property"]] for i in callback["inputs"]}
    answer = call_back(site, callback["output"], inputs).json()["response"]
    content = answer["_pages_content"]["children"]["props"]["children"]
    assert content == text
    assert f'<meta property="twitter:title" content="{title}">' in site.ask(path).text


def test_assets_and_views_beside_the_site(site: Running) -> None:
    style = site.ask("/assets/style.css")
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    again = site.ask("/assets/style.css", headers={"If-None-Match": style.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    # In debug mode Dash answers every error itself, a 404 too.
    assert site.ask("/assets/none.css").status_code == (500 if is_debug(site) else 404)
    assert site.ask("/plain?a=b").text == "plain b"
    assert site.ask("/_favicon.ico").content[:4] == b"\x00\x00\x01\x00"


@pytest.mark.browser
@pytest.mark.parametrize("site", ["python", "gunicorn"], indirect=True)
def test_a_visitor_clicks(site: Running, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.open(site.url)
        page.shows("#title", "A site of Dash")
        page.shows("#page", "The home page.")
        color = page.run("getComputedStyle(document.querySelector('#title')).color")
        assert color == "rgb(1, 2, 3)"
        page.write("#name", "Ada")
        page.click("#greet")
        page.shows("#answer", "1: hello, Ada")
        page.shows("#title", "1 by greet at /_dash-update-component")
        page.click("#to-bars")
        page.shows("#page", "Bars.")
        drawn = "document.querySelectorAll('.bars .point').length"
        until(lambda: page.run(drawn) == 3, "there are no bars")
        assert page.run("location.pathname + document.title") == "/barsBars"
        assert page.faults == []
