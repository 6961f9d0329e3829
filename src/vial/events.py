"""Server-sent events: a view returns an :class:`EventStream`, a page reads it by ``EventSource``.

The format is that of the HTML Standard, section "Server-sent events" (``text/event-stream``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .ctx import _request_ctx_for
from .globals import request
from .signals import got_request_exception
from .streaming import _AsyncStream, _SyncSteps

if TYPE_CHECKING:
    from .app import Vial
    from .wrappers import Response

#: Seconds of silence after which a comment is sent; proxies usually close after 60.
HEARTBEAT = 15.0
#: Sync generators of event streams that may run at once in one process, each in a thread of its
#: own; more streams are answered 503 (config ``EVENT_THREADS``).
EVENT_THREADS = 500

# str.splitlines() would split at eight more characters, which are text here.
_lines = re.compile("\r\n|\r|\n").split

Events = Iterable[Any] | AsyncIterable[Any] | Callable[[], Iterable[Any] | AsyncIterable[Any]]


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event, for what text alone does not say.

    :param data: text, UTF-8 bytes, or anything that ``app.json`` knows; ``None`` tells the browser
        only the id, retry or comment.
    :param event: the type that the page listens to, ``message`` by default.
    :param id: what a browser that lost the connection sends as ``Last-Event-ID``. ASCII passes
        every server.
    :param retry: milliseconds that the browser waits before it connects again.
    :param comment: text that no page sees.
    :raises ValueError: for what the format cannot carry.
    """

    data: Any = None
    event: str | None = None
    id: str | int | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        _check_line("event", self.event, "\r\n")
        _check_line("id", self.id, "\r\n\0")
        if self.retry is not None:
            _check_retry(self.retry)
        if self.data is None and self.event is not None:
            raise ValueError(
                f"The event {self.event!r} has no data: browsers drop such an event. Pass data='',"
                " if there is nothing to say."
            )

    def encode(self, dumps: Callable[[Any], str]) -> bytes:
        """The event as it is sent; ``dumps`` makes JSON."""
        parts = [] if self.comment is None else _fields("", self.comment)
        for name in ("event", "id", "retry"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name}: {value}\n")
        if self.data is not None:
            parts += _fields("data", _text(self.data, dumps))
        return ("".join(parts) + "\n").encode()


def _check_line(name: str, value: Any, refused: str) -> None:
    if value is None or (name == "id" and type(value) is int):
        return
    if not isinstance(value, str):
        raise ValueError(f"The {name} of an event is text, not {value!r}.")
    if any(character in value for character in refused):
        raise ValueError(
            f"The {name} of an event takes one line"
            f"{', without NUL characters' if name == 'id' else ''}: {value!r} has more."
        )


def _check_retry(retry: Any) -> None:
    if type(retry) is not int or retry < 0:
        raise ValueError(f"retry is a whole number of milliseconds, not {retry!r}.")


def _text(data: Any, dumps: Callable[[Any], str]) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, (bytes, bytearray)):
        return data.decode()
    return dumps(data)


def _fields(name: str, text: str) -> list[str]:
    return [f"{name}: {line}\n" for line in _lines(text)]


def encoded(item: Any, dumps: Callable[[Any], str]) -> bytes:
    """What is sent for an item of a stream; nothing for ``None``."""
    if item is None:
        return b""
    if isinstance(item, ServerSentEvent):
        return item.encode(dumps)
    return ("".join(_fields("data", _text(item, dumps))) + "\n").encode()


class EventStream:
    """What a view returns to send events for as long as its client stays.

    :param events: a generator, sync or async, or another iterable, or a function that returns
        one. Each item is text, bytes or what ``app.json`` knows, or a :class:`ServerSentEvent`;
        ``None`` sends nothing. The request stays the current one in it, and it is closed when the
        client leaves.
    :param retry: milliseconds that the browser waits before it connects again.
    :param heartbeat: seconds of silence after which a comment is sent, so that nobody on the way
        takes the connection for dead, and a client that is gone is noticed; ``None`` sends none.
    """

    def __init__(
        self, events: Events, *, retry: int | None = None, heartbeat: float | None = HEARTBEAT
    ) -> None:
        self.events = _checked(events() if callable(events) else events)
        if retry is not None:
            _check_retry(retry)
        if heartbeat is not None and not heartbeat > 0:
            raise ValueError(f"heartbeat is a number of seconds or None, not {heartbeat!r}.")
        self.retry = retry
        self.heartbeat = heartbeat

    @staticmethod
    def last_event_id() -> str | None:
        """The id of the last event that the browser got before it lost the connection, if it got
        one. Like everything that a client sends it may be anything."""
        value = request.headers.get("Last-Event-ID")
        return value.encode("latin-1").decode("utf-8", "replace") if value else None

    def _response(self, app: Vial) -> Response:
        from . import event_bodies

        _request_ctx_for("EventStream")
        is_async = hasattr(self.events, "__aiter__")
        if not is_async and event_bodies.running_threads() >= _limit(app):
            app.logger.warning("There are as many event streams as EVENT_THREADS allows.")
            return app.response_class("Busy\n", 503, {"Retry-After": "5"}, "text/plain")
        if app._life is not None and event_bodies.end_all not in app._life.endings:
            app._life.endings.append(event_bodies.end_all)
        # The first bytes take the headers along: the page's ``open`` does not wait for an event.
        start = event_bodies.BEAT if self.retry is None else b"retry: %d\n\n" % self.retry
        make: Any = event_bodies.AsyncBody if is_async else event_bodies.ThreadBody
        return _response(app, make(_Source(app, self.events), start, self.heartbeat))


def _checked(events: Any) -> Any:
    if not isinstance(events, (str, bytes, bytearray, dict)):
        if hasattr(events, "__iter__") or hasattr(events, "__aiter__"):
            return events
        if hasattr(events, "__await__") and hasattr(events, "close"):
            events.close()  # or Python warns that it was never awaited
    raise TypeError(
        "EventStream takes a generator, or a function that makes one, which yields an event at a"
        f" time; not {type(events).__name__}."
    )


def _limit(app: Vial) -> int:
    return app.config.get("EVENT_THREADS", EVENT_THREADS)  # type: ignore[no-any-return]


def _response(app: Vial, body: Any) -> Response:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    response = app.response_class(body, headers=headers, mimetype="text/event-stream")
    response.implicit_sequence_conversion = False  # get_data() would never return
    return response


class _Source:
    """The events of one stream as chunks, within their request."""

    def __init__(self, app: Vial, events: Any) -> None:
        in_thread = not hasattr(events, "__aiter__")
        steps = _SyncSteps(iter(events)) if in_thread else aiter(events)
        self._app = app
        self._chunks = _Chunks(app, steps)
        self._stream = _AsyncStream(self._chunks, in_thread)

    async def next(self) -> Any:
        """The next chunk, ``None`` at the end, or an error that is to be raised to the gateway."""
        try:
            return await anext(self._stream, None)
        except (Exception, SystemExit) as e:
            return self.failed(e)

    async def close(self) -> None:
        """End the generator and the request."""
        try:
            await self._stream.aclose()
        except Exception as e:
            self.failed(e)

    def failed(self, e: BaseException) -> BaseException | None:
        """Log an error, unless it was reported; return it where the config wants it raised."""
        reported, self._chunks.reported = self._chunks.reported, None
        if _propagates(self._app):
            return e
        if e is not reported:
            self._app.logger.exception("An event stream did not end properly")
        return None


class _Chunks:
    """Encodes events; an error is reported as one of a view, while the request is there."""

    reported: Exception | None = None

    def __init__(self, app: Vial, steps: Any) -> None:
        self._app = app
        self._steps = steps

    async def __anext__(self) -> bytes:
        try:
            return encoded(await self._steps.__anext__(), self._app.json.dumps)
        except StopAsyncIteration:
            raise
        except Exception as e:
            self._report(e)
            raise

    def __aiter__(self) -> _Chunks:
        return self

    def _report(self, e: Exception) -> None:
        app = self._app
        got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=e)
        if not _propagates(app):
            app.log_exception(sys.exc_info())
            self.reported = e

    async def aclose(self) -> None:
        end = getattr(self._steps, "aclose", None)
        if end is not None:
            await end()


def _propagates(app: Vial) -> bool:
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    return bool(app.testing if propagate is None else propagate)
