"""A program as users write it: both what passes the type checker and what it must refuse.

Checked by mypy in ``scripts/lint``, never run: an ``ignore`` that nothing needs is an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from vial import (
    Blueprint,
    EventStream,
    Response,
    ServerSentEvent,
    Vial,
    jsonify,
    redirect,
    request,
    session,
    url_for,
)
from vial.typing import ResponseReturnValue

app = Vial(__name__)
bp = Blueprint("bp", __name__)


@app.get("/")
def text() -> str:
    return request.args.get("name", "") + str(session["name"])


@app.route("/pair", methods=["POST"])
async def pair() -> tuple[dict[str, int], int]:
    return {"a": 1}, 201


@bp.get("/any")
def anything() -> ResponseReturnValue:
    return (jsonify(1), {"X-A": "b"}) if request.is_json else redirect(url_for("text"))


@bp.get("/stream")
def stream() -> Iterator[str]:
    yield "part"


@bp.get("/async")
async def async_stream() -> AsyncIterator[bytes]:
    async def parts() -> AsyncIterator[bytes]:
        yield b"part"

    return parts()


@bp.get("/events")
async def events() -> EventStream:
    async def ticks() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent("tick", id=1)

    return EventStream(ticks, retry=1000)


@bp.get("/some-events")
def some_events() -> tuple[EventStream, dict[str, str]]:
    return EventStream(["tick"], heartbeat=None), {"X-A": EventStream.last_event_id() or ""}


@app.before_request
def nothing() -> None: ...


@bp.after_app_request
async def header(response: Response) -> Response:
    response.headers["X-A"] = "b"
    return response


@app.errorhandler(ZeroDivisionError)
def division(e: ZeroDivisionError) -> tuple[str, int]:
    return str(e), 500


@app.template_filter("shout")
def shout(text: str) -> str:
    return text.upper()


@app.get("/number")  # type: ignore[type-var]
def number() -> int:
    return 5


@app.after_request  # type: ignore[type-var]
def forgets() -> None: ...


@app.teardown_request  # type: ignore[type-var]
def takes_nothing() -> None: ...
