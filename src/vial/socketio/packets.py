"""Socket.IO packets, read strictly: what a client may not send is an error, whatever it means."""

from __future__ import annotations

import re
from typing import Any

from socketio import packet  # type: ignore[import-untyped]

#: Binary parts of one event; the bound of socket.io-parser (CVE-2026-33151).
MAX_ATTACHMENTS = 10
#: Names that a client may not send as an event (socket.io-parser).
RESERVED = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)

#: <type>[<attachments>-][<namespace>,][<id>][<payload>]; a namespace that ends the packet needs
#: no comma. An id is as long as a number that JavaScript can count.
_FORM = re.compile(
    r"([0-6])(?:(?<=[56])([0-9]{1,10})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]{1,16})?(.*)", re.DOTALL
)


class Packet(packet.Packet):  # type: ignore[misc]
    """A Socket.IO packet in the form that every client speaks by default."""

    def decode(self, encoded_packet: Any) -> int:
        """
        :return: how many attachments follow.
        :raises ValueError: for what is no packet.
        """
        if not isinstance(encoded_packet, str):
            raise ValueError("binary data that belongs to no event")
        found = _FORM.fullmatch(encoded_packet)
        if found is None:
            raise ValueError("not a Socket.IO packet")
        kind, count, namespace, id, payload = found.groups()
        self.packet_type = int(kind)
        self.namespace = None if namespace is None else namespace.partition("?")[0]
        self.id = None if id is None else int(id)
        self.data = self.json.loads(payload) if payload else None
        return self._attachments(count)

    def _attachments(self, count: str | None) -> int:
        if self.packet_type not in (packet.BINARY_EVENT, packet.BINARY_ACK):
            return 0
        if count is None or int(count) > MAX_ATTACHMENTS:
            raise ValueError(f"not a number of attachments up to {MAX_ATTACHMENTS}")
        if int(count) == 0:  # nothing to wait for
            self.packet_type -= packet.BINARY_EVENT - packet.EVENT
        return int(count)

    @classmethod
    def _reconstruct_binary_internal(cls, data: Any, attachments: list[bytes]) -> Any:
        if isinstance(data, dict) and data.get("_placeholder") and "num" in data:
            number = data["num"]
            if type(number) is not int or not 0 <= number < len(attachments):
                raise ValueError("an attachment that was not sent")
            return attachments[number]
        return super()._reconstruct_binary_internal(data, attachments)


def is_event(data: Any) -> bool:
    """Whether it can be the payload of an EVENT."""
    return (
        isinstance(data, list)
        and bool(data)
        and isinstance(data[0], str)
        and data[0] not in RESERVED
    )
