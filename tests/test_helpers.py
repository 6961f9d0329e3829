"""Redirects that stay on the site, URLs, files."""

from __future__ import annotations

import os
from typing import Any

import pytest

import vial
from vial import (
    UnsafeRedirect,
    Vial,
    abort,
    get_template_attribute,
    make_response,
    redirect,
    request,
    send_file,
    send_from_directory,
    url_for,
)
from vial.flask_mode import Flask
from vial.helpers import is_on_site

# T-20: where browsers go, by the WHATWG URL standard.
LEAVES = [
    "https://evil.com",
    "//evil.com",
    "///evil.com",
    "////evil.com",
    "/\\evil.com",
    "\\\\evil.com",
    "\\/evil.com",
    "https:evil.com",
    "https:///evil.com",
    "http:evil.com",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "ftp://localhost/",
    "/\t/evil.com",
    "\t//evil.com",
    " https://evil.com",
    "\x00https://evil.com",
    "/\n/evil.com",
    "https://localhost.evil.com/",
    "http://localhost@evil.com/",
    "http://evil.com\\@localhost/",
    "http://localhost:81/",
    "http://[::1",
    "http://user@localhost/",
]
STAYS = [
    "/",
    "",
    "next",
    "?q=1",
    "#part",
    "./a/../b",
    "/path;x?next=https://other.example",
    "%2f%2fevil.com",
    "/%09/evil.com",
    "evil.com@good",
    "good.evil.com",
    "/ünïcode",
    "/x?q=a b/ //c",
    "http://localhost/x?y#z",
    "http://localhost",
]


@pytest.fixture
def app() -> Vial:
    return Vial("app", static_folder=None)


@pytest.mark.parametrize("location", LEAVES, ids=repr)
def test_t20_a_redirect_that_leaves_the_site_is_refused(app: Vial, location: str) -> None:
    with app.test_request_context("/"):
        assert not is_on_site(location)
        with pytest.raises(UnsafeRedirect) as error:
            redirect(location)
    assert repr(location) in str(error.value)
    assert "external=True" in str(error.value)


@pytest.mark.parametrize("location", STAYS, ids=repr)
def test_t20_a_redirect_that_stays_is_made(app: Vial, location: str) -> None:
    with app.test_request_context("/"):
        assert is_on_site(location)
        assert redirect(location).status_code == 302


def test_t20_no_location_of_a_redirect_starts_with_two_slashes(app: Vial) -> None:
    with app.test_request_context("/"):
        for location in STAYS:
            sent = redirect(location).headers["Location"]
            assert not sent.replace("\\", "/").startswith("//")


def test_t21_a_location_from_the_user_is_an_error_and_not_a_redirect(app: Vial) -> None:
    app.add_url_rule("/login", "login", lambda: redirect(request.args["next"]))
    client = app.test_client()
    assert client.get("/login?next=/home").headers["Location"] == "/home"
    for location in ("https://evil.com", "//evil.com", "/%5Cevil.com", "%09//evil.com"):
        answer = client.get(f"/login?next={location}")
        assert answer.status_code == 500
        assert "Location" not in answer.headers


def test_t21_a_program_says_when_it_means_another_site(app: Vial) -> None:
    with app.test_request_context("/"):
        assert redirect("https://other.example/", external=True).headers["Location"] == (
            "https://other.example/"
        )
        app.config["EXTERNAL_REDIRECTS"] = True
        assert redirect("https://other.example/").status_code == 302


def test_a_whole_url_of_this_site_needs_the_scheme_and_host_of_the_request(app: Vial) -> None:
    app.add_url_rule("/x", "x", lambda: "x")
    with app.test_request_context("/", base_url="https://example.org"):
        assert redirect(url_for("x", _external=True)).headers["Location"] == "https://example.org/x"
        for location in ("http://example.org/x", "https://example.org:444/x"):
            with pytest.raises(UnsafeRedirect):
                redirect(location)


def test_outside_of_a_request_only_paths_are_on_the_site(app: Vial) -> None:
    with app.app_context():
        assert redirect("/x").headers["Location"] == "/x"
        with pytest.raises(UnsafeRedirect):
            redirect("http://localhost/")


def test_flask_mode_redirects_anywhere() -> None:
    with Flask("app").test_request_context("/"):
        assert redirect("https://evil.com").headers["Location"] == "https://evil.com"


def test_without_an_app_a_redirect_is_made_as_well() -> None:
    assert redirect("https://other.example", 301).status_code == 301


def test_a_redirect_cannot_carry_another_header(app: Vial) -> None:
    with app.test_request_context("/"), pytest.raises(ValueError, match="line"):
        redirect("/a\r\nSet-Cookie: x=1", external=True)


def test_the_redirects_of_a_subclass_are_checked_as_well() -> None:
    class Own(Vial):
        def redirect(self, location: str, code: int = 302) -> Any:
            return super().redirect(f"/prefix{location}", code)

    with Own("app").test_request_context("/"):
        assert redirect("/x").headers["Location"] == "/prefix/x"
        with pytest.raises(UnsafeRedirect):
            redirect("//x")


# -- URLs --------------------------------------------------------------------------------------


def test_a_url_from_a_request_never_has_a_host_that_is_not_one(app: Vial) -> None:
    app.add_url_rule("/x", "x", lambda: url_for("x", _external=True))
    client = app.test_client()
    assert client.get("/x", headers={"Host": "good.example:81"}).text == "http://good.example:81/x"
    assert client.get("/x", headers={"Host": "evil.com/path?"}).status_code == 400


def test_a_url_of_an_endpoint_below_a_mount_point_has_it_in_front(app: Vial) -> None:
    app.add_url_rule("/x/<name>", "x", lambda name: url_for("x", name="ü"))
    for root, expected in (("/app", "/app/x/%C3%BC"), ("/ä", "/ä/x/%C3%BC"), ("", "/x/%C3%BC")):
        answer = app.test_client().get("/x/y", base_url=f"http://localhost{root}")
        assert answer.text == expected


def test_url_for_tells_what_is_missing(app: Vial) -> None:
    app.add_url_rule("/x/<int:n>", "show", lambda n: "")
    with app.test_request_context("/"):
        with pytest.raises(vial.helpers.BuildError, match="Did you mean 'show'"):
            url_for("shw", n=1)
        with pytest.raises(vial.helpers.BuildError, match="Did you forget to specify values"):
            url_for("show")


# -- files -------------------------------------------------------------------------------------

OUTSIDE = [
    "../secret.txt",
    "..%2fsecret.txt",
    "..\\secret.txt",
    "sub/../../secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "....//secret.txt",
    "../files_evil/x",
    ".",
    "",
    "sub",
    "none.txt",
    "a.txt\x00",
]


@pytest.mark.parametrize("path", OUTSIDE, ids=repr)
def test_a_path_that_leads_out_of_the_directory_is_not_found(tmp_path: Any, path: str) -> None:
    (tmp_path / "files" / "sub").mkdir(parents=True)
    (tmp_path / "files_evil").mkdir()
    (tmp_path / "files_evil" / "x").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    app = Vial("app", static_folder=None)
    app.add_url_rule("/", "i", lambda: send_from_directory(tmp_path / "files", path))
    assert app.test_client().get("/").status_code == 404


def test_a_relative_path_of_send_file_starts_at_the_root_of_the_app(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_text("a")
    app = Vial("app", root_path=str(tmp_path))
    app.add_url_rule("/", "i", lambda: send_file("a.txt"))
    assert app.test_client().get("/", buffered=True).data == b"a"


def test_a_static_folder_that_was_taken_away_is_told(app: Vial) -> None:
    with app.test_request_context("/"), pytest.raises(RuntimeError, match="'static_folder' must"):
        app.send_static_file("a.txt")


def test_a_file_is_sent_from_disk_and_not_from_memory(tmp_path: Any) -> None:
    (tmp_path / "big").write_bytes(b"x" * 1_000_000)
    app = Vial("app", static_folder=str(tmp_path), static_url_path="/f")
    response = app.test_client().get("/f/big", buffered=False)
    assert response.is_streamed
    assert response.content_length == os.path.getsize(tmp_path / "big")
    response.close()


# -- small things ------------------------------------------------------------------------------


def test_make_response_takes_what_a_view_returns(app: Vial) -> None:
    with app.test_request_context("/"):
        assert make_response().get_data() == b""
        assert make_response("a", 201).status_code == 201
        assert make_response(("a", 202)).status_code == 202
        assert make_response({"a": 1}).get_json() == {"a": 1}


def test_abort_works_without_an_app() -> None:
    with pytest.raises(LookupError):
        abort(299)


def test_a_macro_is_taken_out_of_a_template(app: Vial, tmp_path: Any) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "m.html").write_text("{% macro hi(n) %}hi {{ n }}{% endmacro %}")
    app = Vial("app", root_path=str(tmp_path))
    with app.app_context():
        assert get_template_attribute("m.html", "hi")("<b>") == "hi &lt;b&gt;"
