"""A form, and a page of another site that sends it by itself, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page
from serving import Served, serving

pytestmark = pytest.mark.browser

PROGRAM = '''
from vial import Vial, render_template_string, request
from vial.forms import CSRFProtect, FlaskForm
from wtforms import StringField

app = Vial("transfers", static_folder=None)
app.secret_key = "a key of more than sixteen bytes"
app.config["SESSION_COOKIE_SAMESITE"] = None  # what remains where cookies are no help
CSRFProtect(app)
sent = []

class Transfer(FlaskForm):
    to = StringField()

PAGE = """<!doctype html><link rel="icon" href="data:,"><title>bank</title>
{{ csrf_meta_tag() }}<form method="post">{{ form.hidden_tag() }}{{ form.to }}<button>Go</button>
</form><p>{{ sent|join(" ") }}</p>"""

@app.route("/", methods=["GET", "POST"])
def index():
    form = Transfer()
    if form.validate_on_submit():
        sent.append(form.to.data)
    return render_template_string(PAGE, form=form, sent=sent)

@app.post("/api")
async def api():
    sent.append("api")
    return {"seen": [request.headers.get(name) for name in ("Sec-Fetch-Site", "Origin")]}

@app.get("/ready")
@app.get("/evil/<path:target>")
def evil(target=""):
    """A page of another site: the same program by another name of the machine."""
    field = '<input name="to" value="thief">'
    return f"""<!doctype html><link rel="icon" href="data:,"><form method="post"
    action="{target}">{field}</form><script>document.forms[0].submit()</script>"""

@app.get("/sent")
def all_sent():
    return sent
'''


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bank")
    (folder / "main.py").write_text(PROGRAM)
    with serving(folder, "main.py") as server:
        yield server


@pytest.fixture
def page(browser: Browser, bank: Served) -> Iterator[Page]:
    context = browser.new_context(base_url=bank.url)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def sent(bank: Served) -> Any:
    with urlopen(f"{bank.url}/sent", timeout=30) as answer:
        return json.load(answer)


def test_a_form_of_the_site_is_sent_by_its_page_and_by_its_script(page: Page, bank: Served) -> None:
    before = sent(bank)
    page.goto("/")
    page.fill("[name=to]", "Ada")
    page.click("button")
    page.wait_for_function("document.querySelector('p').textContent.endsWith('Ada')")
    script = """fetch("/api", {method: "POST"}).then(async r => [r.status, await r.json()])"""
    status, answer = page.evaluate(script)
    assert (status, answer["seen"]) == (200, ["same-origin", bank.url])
    assert sent(bank) == [*before, "Ada", "api"]


@pytest.mark.parametrize("other", ["localhost", "foreign.localhost"])
def test_a_page_of_another_site_is_refused_though_it_has_the_visitors_session(
    page: Page, bank: Served, other: str
) -> None:
    before = sent(bank)
    page.goto("/")
    assert page.context.cookies(bank.url)
    with page.expect_response(lambda r: r.request.method == "POST") as caught:
        page.goto(f"http://{other}:{bank.port}/evil/{bank.url}/")
    headers = caught.value.request.all_headers()
    assert caught.value.status == 400
    assert headers["origin"] == f"http://{other}:{bank.port}"
    assert headers["sec-fetch-site"] == "cross-site"
    page.wait_for_selector("text=The request came from a page of another site.")
    assert sent(bank) == before


def test_a_page_of_another_port_is_another_site(page: Page, bank: Served, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)
    before = sent(bank)
    page.goto("/")
    with serving(tmp_path, "main.py") as other:
        with page.expect_response(lambda r: r.request.method == "POST") as caught:
            page.goto(f"{other.url}/evil/{bank.url}/")
        headers = caught.value.request.all_headers()
        assert "session=" in headers["cookie"]  # ports share their cookies
        assert (caught.value.status, headers["sec-fetch-site"]) == (400, "same-site")
        page.wait_for_selector("text=The request came from a page of another site.")
    assert sent(bank) == before


def test_a_page_that_says_nothing_of_itself_is_refused(page: Page, bank: Served) -> None:
    before = sent(bank)
    page.goto("/")
    hidden = f"""<iframe sandbox="allow-scripts allow-forms" srcdoc="<form method=post
    action='{bank.url}/'></form><script>document.forms[0].submit()</script>"></iframe>"""
    with page.expect_response(lambda r: r.request.method == "POST") as caught:
        page.set_content(hidden)
    assert caught.value.status == 400
    assert caught.value.request.all_headers()["origin"] == "null"
    assert sent(bank) == before
