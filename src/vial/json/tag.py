"""JSON that keeps tuples, bytes, dates and more: what a session cookie holds.

A value that JSON has no type for becomes an object of one key, its tag: ``(1, 2)`` is
``{" t": [1, 2]}``. The format is Flask's, byte for byte, so cookies survive a move in both
directions. More types are added by :meth:`TaggedJSONSerializer.register`, on
``app.session_interface.serializer`` for sessions::

    class TagSet(JSONTag):
        key = " s"

        def check(self, value):
            return isinstance(value, set)

        def to_json(self, value):
            return [self.serializer.tag(item) for item in value]

        def to_python(self, value):
            return set(value)
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

from markupsafe import Markup
from werkzeug.http import http_date, parse_date

from . import dumps, loads


class JSONTag:
    """How one type is written; a subclass of it is registered with the serializer."""

    __slots__ = ("serializer",)

    #: The only key of the object that stands for a value. Begins with a space, which keys of
    #: programs hardly do. Empty for a type that JSON has but whose items must be tagged.
    key: str = ""

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: Any) -> bool:
        """Tell whether this tag is the one for ``value``."""
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        """Turn the value into one that JSON has a type for, without the tag."""
        raise NotImplementedError

    def to_python(self, value: Any) -> Any:
        """Turn what :meth:`to_json` gave back into the value."""
        raise NotImplementedError

    def tag(self, value: Any) -> Any:
        """Turn the value into what is written, tag and all."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """A dict whose only key looks like a tag; ``__`` is put behind the key to tell them apart."""

    __slots__ = ()
    key = " di"

    def check(self, value: Any) -> bool:
        if not isinstance(value, dict) or len(value) != 1:
            return False
        return next(iter(value)) in self.serializer.tags

    def to_json(self, value: Any) -> Any:
        ((key, item),) = value.items()
        return {f"{key}__": self.serializer.tag(item)}

    def to_python(self, value: Any) -> Any:
        ((key, item),) = value.items()
        return {key[:-2]: item}


class PassDict(JSONTag):
    """Any other dict: its values are tagged, its keys become strings as JSON has no others."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, dict)

    def to_json(self, value: Any) -> Any:
        tag = self.serializer.tag
        return {key: tag(item) for key, item in value.items()}

    tag = to_json


class TagTuple(JSONTag):
    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(item) for item in value]

    def to_python(self, value: Any) -> Any:
        return tuple(value)


class PassList(JSONTag):
    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, list)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(item) for item in value]

    tag = to_json


class TagBytes(JSONTag):
    __slots__ = ()
    key = " b"

    def check(self, value: Any) -> bool:
        return isinstance(value, bytes)

    def to_json(self, value: Any) -> Any:
        return b64encode(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        return b64decode(value)


class TagMarkup(JSONTag):
    """Anything with a method ``__html__``; comes back as :class:`markupsafe.Markup`."""

    __slots__ = ()
    key = " m"

    def check(self, value: Any) -> bool:
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: Any) -> Any:
        return str(value.__html__())

    def to_python(self, value: Any) -> Any:
        return Markup(value)  # noqa: S704 - the cookie is signed: it was Markup when we wrote it


class TagUUID(JSONTag):
    __slots__ = ()
    key = " u"

    def check(self, value: Any) -> bool:
        return isinstance(value, UUID)

    def to_json(self, value: Any) -> Any:
        return value.hex

    def to_python(self, value: Any) -> Any:
        return UUID(value)


class TagDateTime(JSONTag):
    """A datetime to the second; without a zone it is taken for UTC, and it comes back in UTC."""

    __slots__ = ()
    key = " d"

    def check(self, value: Any) -> bool:
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> Any:
        return http_date(value)

    def to_python(self, value: Any) -> Any:
        return parse_date(value)


_DEFAULT_TAGS: list[type[JSONTag]] = [
    TagDict,
    PassDict,
    TagTuple,
    PassList,
    TagBytes,
    TagMarkup,
    TagUUID,
    TagDateTime,
]
# Types that no default tag takes; a registered one might.
_UNTAGGED = frozenset({str, int, bool, float, type(None)})


class TaggedJSONSerializer:
    """Writes and reads values with tags, through the JSON of the current app.

    Beside JSON's own types: ``tuple``, ``bytes``, ``Markup``, ``UUID``, ``datetime``.
    """

    __slots__ = ("_plain_types", "order", "tags")

    #: What a new serializer registers.
    default_tags: list[type[JSONTag]] = _DEFAULT_TAGS.copy()

    def __init__(self) -> None:
        self.tags: dict[str, JSONTag] = {}
        self.order: list[JSONTag] = []
        self._plain_types = _UNTAGGED
        for tag_class in self.default_tags:
            self.register(tag_class)

    def register(
        self, tag_class: type[JSONTag], force: bool = False, index: int | None = None
    ) -> None:
        """Add a tag, asked after those that are there, or at ``index`` before them.

        A tag for a subclass goes before that of its base class (``index=0`` for a kind of dict).
        A key in use raises :exc:`KeyError` unless ``force`` is set.
        """
        tag = tag_class(self)
        if tag.key:
            if not force and tag.key in self.tags:
                raise KeyError(f"Tag '{tag.key}' is already registered.")
            self.tags[tag.key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)
        if tag_class not in _DEFAULT_TAGS:
            self._plain_types = frozenset()

    def tag(self, value: Any) -> Any:
        """Turn a value into what is written: itself, or an object with its tag."""
        if type(value) in self._plain_types:
            return value
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, Any]) -> Any:
        """Turn one object that was read into the value it stands for; itself if it has no tag."""
        if len(value) == 1:
            ((key, item),) = value.items()
            if key in self.tags:
                return self.tags[key].to_python(item)
        return value

    def _untag_scan(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self.untag({key: self._untag_scan(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self._untag_scan(item) for item in value]
        return value

    def dumps(self, value: Any) -> str:
        """Write a value as compact JSON."""
        return dumps(self.tag(value), separators=(",", ":"))

    def loads(self, value: str | bytes) -> Any:
        """Read what :meth:`dumps` wrote."""
        data = loads(value)
        # PERF: most sessions hold no tag, and every default one begins with a space
        # (benchmarks/dispatch.py, session).
        if self._plain_types and isinstance(value, str) and '" ' not in value:
            return data
        return self._untag_scan(data)
