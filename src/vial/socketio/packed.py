"""Socket.IO packets in MessagePack, as ``socket.io-msgpack-parser`` speaks it in pages.

One binary message is one packet, bytes in it need no attachments. Read as strictly as text.
"""

from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]
from socketio import packet  # type: ignore[import-untyped]


class MsgpackPacket(packet.Packet):  # type: ignore[misc]
    """A packet that is a map of ``type``, ``nsp``, ``data`` and ``id``."""

    uses_binary_events = False

    def encode(self) -> bytes:
        """
        :raises TypeError: for data that MessagePack has not.
        """
        fields: dict[str, Any] = {
            "type": self.packet_type,
            "data": self.data,
            "nsp": self.namespace or "/",
        }
        if self.id is not None:
            fields["id"] = self.id
        packed: Any = msgpack.packb(fields)
        return bytes(packed)

    def decode(self, encoded_packet: Any) -> int:
        """
        :raises ValueError: for what is no packet.
        """
        if not isinstance(encoded_packet, bytes):
            raise ValueError("text where MessagePack is spoken")
        fields = msgpack.unpackb(encoded_packet)
        if not isinstance(fields, dict) or not _is_whole(fields):
            raise ValueError("not a Socket.IO packet")
        self.packet_type = fields["type"]
        self.namespace = fields["nsp"].partition("?")[0]
        self.data, self.id = fields.get("data"), fields.get("id")
        return 0


def _is_whole(fields: dict[Any, Any]) -> bool:
    kind, namespace, id = fields.get("type"), fields.get("nsp"), fields.get("id")
    is_kind = type(kind) is int and packet.CONNECT <= kind <= packet.CONNECT_ERROR
    is_namespace = isinstance(namespace, str) and namespace.startswith("/")
    return is_kind and is_namespace and (id is None or (type(id) is int and id >= 0))
