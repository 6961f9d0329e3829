"""What every gateway must do alike, in process and under a real server.

A suite is a class whose ``ask`` fixture the subclass provides. :class:`SiteCases` asks the app of
``site.py``, wherever it runs; :class:`AppCases` makes an app per test, and so needs one in process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from .entrances import Answer
from .site import LANES, digest

#: Larger than a gateway keeps in memory.
LARGE = bytes(range(256)) * 8192  # 2 MiB
BOUNDARY = "----boundary"
MULTIPART = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
URLENCODED = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")

AskSite = Callable[..., Answer]


def multipart(*parts: tuple[str, str | None, bytes]) -> bytes:
    """The body of a form: (field name, file name or ``None``, content) each."""
    lines = []
    for name, filename, content in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        lines.append(head.encode() + content + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()


class SiteCases:
    """``ask(target, method, headers=…, body=…)`` asks the site."""

    @pytest.fixture(params=LANES)
    def lane(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_a_page_has_a_type_and_a_length(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/hello")
        assert (answer.status, answer.text) == (200, "Hello")
        assert answer["content-type"] == "text/html; charset=utf-8"
        assert answer["content-length"] == "5"

    def test_head_is_get_without_a_body(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/hello", "HEAD")
        assert (answer.status, answer.body, answer["content-length"]) == (200, b"", "5")

    def test_options_lists_the_methods(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/form", "OPTIONS")
        assert (answer.status, answer.body) == (200, b"")
        assert set(answer["allow"].split(", ")) == {"OPTIONS", "POST"}

    def test_an_unknown_path_is_404(self, ask: AskSite) -> None:
        answer = ask("/nowhere")
        assert answer.status == 404 and "Not Found" in answer.text

    def test_another_method_is_405_and_told_the_right_ones(self, ask: AskSite, lane: str) -> None:
        for method in ("POST", "DELETE", "TRACE"):
            answer = ask(f"{lane}/hello", method)
            assert answer.status == 405
            assert set(answer["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}

    def test_a_status_without_a_body_has_none(self, ask: AskSite, lane: str) -> None:
        for code in (204, 304):
            answer = ask(f"{lane}/status/{code}")
            assert (answer.status, answer.body) == (code, b"")
            assert answer.all("content-length") in ([], ["0"])
            assert answer.all("transfer-encoding") == []

    def test_an_abort_is_answered_with_its_page(self, ask: AskSite, lane: str) -> None:
        for code in (400, 418, 500):
            answer = ask(f"{lane}/abort/{code}")
            assert answer.status == code and str(code) in answer.text

    def test_a_crash_is_500_without_details(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/crash")
        assert answer.status == 500 and "the view failed" not in answer.text

    def test_response_headers_and_cookies_arrive(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/headers")
        assert answer.status == 202 and answer["x-latin"] == "é"
        assert ", ".join(answer.all("x-twice")) == "1, 2"
        first, second = answer.all("set-cookie")
        assert first == "a=1; Path=/" and second.endswith("; HttpOnly; Path=/")

    def test_every_answer_says_nosniff(self, ask: AskSite, lane: str) -> None:
        for page in ("/hello", "/headers", "/stream", "/json-list", "/crash", "/nowhere"):
            assert ask(lane + page)["x-content-type-options"] == "nosniff"

    def test_json_is_sent(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/json-list")
        assert (answer["content-type"], json.loads(answer.body)) == ("application/json", [1, "é"])

    def test_a_redirect_keeps_to_ascii(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/away")
        assert (answer.status, answer["location"]) == (302, "/sync/hello?%C3%A9=1")

    def test_a_large_page_arrives(self, ask: AskSite, lane: str) -> None:
        answer = ask(f"{lane}/large")
        assert len(answer.body) == 1_000_000 and answer["content-length"] == "1000000"

    # Streams.

    def test_a_stream_arrives_whole_and_has_no_length(self, ask: AskSite, lane: str) -> None:
        for page, text in (("/stream", "abé"), ("/stream-async", "aé")):
            answer = ask(lane + page)
            assert (answer.status, answer.text) == (200, text)
            assert answer.all("content-length") == []

    def test_a_stream_sees_its_request(self, ask: AskSite, lane: str) -> None:
        assert ask(f"{lane}/stream-context/n?q=v").text == "nv"

    def test_head_of_a_stream_has_no_body(self, ask: AskSite, lane: str) -> None:
        for page in ("/stream", "/stream-async", "/stream-context/n?q=v"):
            answer = ask(lane + page, "HEAD")
            assert (answer.status, answer.body) == (200, b"")

    def test_a_stream_may_read_the_body(self, ask: AskSite, lane: str) -> None:
        assert ask(f"{lane}/echo", "POST", body=LARGE).body == LARGE

    # Requests.

    def facts(self, ask: AskSite, target: str, method: str = "GET", **options: Any) -> Any:
        answer = ask(target, method, **options)
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    def test_the_request_line_is_seen(self, ask: AskSite, lane: str) -> None:
        facts = self.facts(ask, f"{lane}/facts/a/b?x=1&x=2&y=%C3%A9+%26", "PUT", body=b"abc")
        assert (facts["method"], facts["path"], facts["rest"]) == (
            "PUT",
            f"{lane}/facts/a/b",
            "a/b",
        )
        assert facts["args"] == {"x": ["1", "2"], "y": ["é &"]}
        assert facts["query"] == "x=1&x=2&y=%C3%A9+%26"
        assert (facts["root"], facts["scheme"], facts["length"]) == ("", "http", 3)

    def test_a_path_may_be_in_any_language(self, ask: AskSite, lane: str) -> None:
        facts = self.facts(ask, f"{lane}/facts/" + quote("日本 é"))
        assert facts["rest"] == "日本 é" and facts["path"] == f"{lane}/facts/日本 é"
        assert facts["link"] == "/sync/facts/%C3%A9%20b?q=%C3%BC"

    def test_a_path_that_is_not_utf8_is_answered(self, ask: AskSite, lane: str) -> None:
        facts = self.facts(ask, f"{lane}/facts/%FFx")
        assert facts["rest"] == "�x"

    def test_escaped_slashes_and_percent_signs_are_decoded_once(
        self, ask: AskSite, lane: str
    ) -> None:
        assert self.facts(ask, f"{lane}/facts/a%2Fb%2541")["rest"] == "a/b%41"

    def test_headers_are_latin_1(self, ask: AskSite, lane: str) -> None:
        assert self.facts(ask, f"{lane}/facts/x", headers=[("X-Test", "caf\xe9")])["x"] == "café"

    def test_cookies_are_read(self, ask: AskSite, lane: str) -> None:
        facts = self.facts(ask, f"{lane}/facts/x", headers=[("Cookie", 'a=1; b="x y"; a=2; =no')])
        assert facts["cookies"] == {"a": ["1", "2"], "b": ["x y"]}

    def test_the_session_lives_in_a_cookie(self, ask: AskSite, lane: str) -> None:
        cookies: list[tuple[str, str]] = []
        for count in ("1", "2", "3"):
            answer = ask(f"{lane}/count", headers=cookies)
            assert answer.text == count and "Cookie" in answer["vary"]
            cookies = [("Cookie", answer["set-cookie"].partition(";")[0])]

    # Bodies.

    def test_a_body_is_read_whole(self, ask: AskSite, lane: str) -> None:
        for size in (0, 1, 65_537, len(LARGE)):
            answer = ask(f"{lane}/data", "POST", body=LARGE[:size])
            assert json.loads(answer.body) == digest(LARGE[:size])

    def test_a_get_may_have_a_body(self, ask: AskSite, lane: str) -> None:
        assert json.loads(ask(f"{lane}/data", body=b"body").body) == digest(b"body")

    def test_a_get_without_a_body_reads_nothing(self, ask: AskSite, lane: str) -> None:
        assert json.loads(ask(f"{lane}/data").body) == digest(b"")

    def test_a_form_is_read(self, ask: AskSite, lane: str) -> None:
        body = b"a=1&a=2&b=%C3%A9+x&c="
        answer = ask(f"{lane}/form", "POST", headers=[URLENCODED], body=body)
        form = {"a": ["1", "2"], "b": ["é x"], "c": [""]}
        assert json.loads(answer.body) == {"form": form, "files": {}}

    def test_a_file_is_uploaded(self, ask: AskSite, lane: str) -> None:
        body = multipart(("note", None, "é".encode()), ("file", "é.bin", LARGE))
        answer = ask(f"{lane}/form", "POST", headers=[MULTIPART], body=body)
        expected = {"form": {"note": ["é"]}, "files": {"file": digest(LARGE)}}
        assert json.loads(answer.body) == expected

    def test_json_is_read(self, ask: AskSite, lane: str) -> None:
        body = json.dumps({"a": ["é", 1.5, None]}).encode()
        answer = ask(f"{lane}/json", "POST", headers=[JSON], body=body)
        assert json.loads(answer.body) == {"got": {"a": ["é", 1.5, None]}}

    def test_json_that_is_none_is_400(self, ask: AskSite, lane: str) -> None:
        for body in (b"", b"{", b'{"a":1}x', b"\xff"):
            assert ask(f"{lane}/json", "POST", headers=[JSON], body=body).status == 400

    def test_a_body_of_another_type_is_no_json(self, ask: AskSite, lane: str) -> None:
        for kind in ("text/plain", "text/plain; application/json"):
            headers = [("Content-Type", kind)]
            assert ask(f"{lane}/json", "POST", headers=headers, body=b"{}").status == 415

    def test_a_body_may_be_left_unread(self, ask: AskSite, lane: str) -> None:
        assert ask(f"{lane}/unread", "POST", body=b"x" * 100).text == "not read"

    def test_a_body_over_the_limit_is_413(self, ask: AskSite, lane: str) -> None:
        body = bytes(4 * 1024 * 1024 + 1)
        for page in ("/data", "/form", "/json"):
            headers = [JSON if page == "/json" else URLENCODED]
            assert ask(lane + page, "POST", headers=headers, body=body).status == 413
