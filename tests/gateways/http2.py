"""A small HTTP/2 client with prior knowledge, for what ``http.client`` cannot speak."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress

import h2.config
import h2.connection
import h2.events
from cases.entrances import Answer, Ask

from .running import HERE, OF_THE_SERVER, Server


class Http2:
    """One connection with one stream."""

    def __init__(self, server: Server, over: socket.socket | None = None) -> None:
        """``over`` is a connection that the client is to use, such as one with TLS."""
        self.server = server
        config = h2.config.H2Configuration(header_encoding="latin-1")
        self.connection = h2.connection.H2Connection(config)
        self.socket = over or socket.create_connection((HERE, server.port), timeout=10)
        self.connection.initiate_connection()
        self.answer = Answer(0, [], [], whole=False)
        self.ended = False
        #: Error code of a stream that the server reset.
        self.reset: int | None = None

    def __enter__(self) -> Http2:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def begin(self, ask: Ask, end: bool) -> None:
        head = [
            (":method", ask.method),
            (":scheme", "https" if isinstance(self.socket, ssl.SSLSocket) else "http"),
            (":authority", f"{HERE}:{self.server.port}"),
            (":path", ask.target),
            *((name.lower(), value.encode("latin-1")) for name, value in ask.headers),
        ]
        if ask.announced is not None or (ask.body and ask.chunks is None):
            head.append(("content-length", ask.announced or str(len(ask.body))))
        self.connection.send_headers(1, head, end_stream=end)
        self.flush()

    def send(self, data: bytes, end: bool = False) -> None:
        """Send a piece of the body, in frames that the server has room for."""
        while data:
            room = self.connection.local_flow_control_window(1)
            size = min(room, self.connection.max_outbound_frame_size, len(data))
            if size:
                self.connection.send_data(1, data[:size])
                data = data[size:]
                self.flush()
            elif self.ended:
                return
            else:
                self.take()
        if end:
            self.connection.end_stream(1)
            self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.connection.data_to_send())

    def take(self) -> None:
        """Read what the server sent next."""
        data = self.socket.recv(65536)
        if not data:
            self.ended = True
            return
        for event in self.connection.receive_data(data):
            self._note(event)
        self.flush()

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            status, *headers = [(str(k), str(v)) for k, v in event.headers or ()]
            self.answer.status = int(status[1])
            self.answer.headers = [h for h in headers if h[0] not in OF_THE_SERVER]
        elif isinstance(event, h2.events.DataReceived):
            self.answer.chunks.append(event.data or b"")
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended = self.answer.whole = True
        elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
            self.ended, self.reset = True, event.error_code

    def until(self, reached: Callable[[], bool]) -> None:
        while not (self.ended or reached()):
            self.take()


def ask_by_http2(
    server: Server, target: str = "/", method: str = "GET", **options: object
) -> Answer:
    """One request on a connection of its own."""
    ask = Ask(target, method, **options)  # type: ignore[arg-type]
    pieces: Sequence[bytes] = [piece for piece in ask.pieces() if piece]
    with Http2(server) as client:
        client.begin(ask, end=not pieces)
        with suppress(ConnectionError, h2.exceptions.StreamClosedError):
            for number, piece in enumerate(pieces, 1):
                client.send(piece, end=number == len(pieces) and not ask.cut)
        client.until(lambda: False)
        return client.answer
