"""What applications from the registry do that no chapter of the documentation is about."""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import Headers

from .harness import Web, same


@same
def test_headers_replaced_by_a_plain_dict_or_list(web: Web) -> None:
    # httpbin's 402, 406 and 418 answer so.
    app = web.app(SECRET_KEY="k")

    @app.route("/<kind>/<step>")
    def answer(kind: str, step: str) -> Any:
        response = web.make_response("text")
        given: dict[str, Any] = {
            "dict": {"X-More": "1", "Location": "/ü"} if step == "location" else {"X-More": "1"},
            "many": {"X-More": ["1", "2"]},
            "list": [("X-More", "1")],
            "headers": Headers([("X-More", "1")]),
        }
        response.headers = given[kind]
        web.note(response.headers is given[kind])
        if step == "data":
            response.data = b"longer text"
        if step == "item":
            response.headers["X-Item"] = "1"
        if step == "session":
            web.session.get("a")
        if step == "cookie":
            response.set_cookie("a", "b")
        if step == "stream":
            response.response = iter([b"st", b"ream"])
        if step == "empty":
            response.status = "204 NO CONTENT"
        return response

    steps = ("none", "data", "item", "session", "cookie", "stream", "empty", "location")
    for kind in ("dict", "many", "list", "headers"):
        web.every(*(f"/{kind}/{step}" for step in steps))
