"""Types as descriptions of JSON (and bytes): whether a value has one, and where it differs."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from math import isfinite
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

_LONGEST_KEY = 40


class Mismatch(Exception):
    """A value that is not what was expected. Says where, never which: it may be a secret."""

    def __init__(self, argument: str, expected: str, got: str) -> None:
        super().__init__(f"{argument}: expected {expected}, got {got}")
        self.argument = argument
        self.expected = expected
        self.got = got

    def as_dict(self) -> dict[str, str]:
        return {"argument": self.argument, "expected": self.expected, "got": self.got}


class Shape:
    """One type; ``name`` is how a client is told of it."""

    name = "a value"

    def take(self, value: Any, at: str) -> Any:
        """The value for the handler.

        :param at: where it is, as ``order.items[2]``.
        :raises Mismatch: when it has not this shape.
        """
        raise NotImplementedError

    def _refuse(self, value: Any, at: str) -> Mismatch:
        return Mismatch(at, self.name, kind_of(value))


def kind_of(value: Any) -> str:
    """What a value is in JSON."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
    return "bytes"


def _inside(at: str, key: Any) -> str:
    """The place of a key that a client has chosen; it goes to a log."""
    if isinstance(key, str) and key.isidentifier() and len(key) <= _LONGEST_KEY:
        return f"{at}.{key}"
    return f"{at}[{key[:_LONGEST_KEY]!a}]"


class _Exactly(Shape):
    def __init__(self, kind: type, name: str) -> None:
        self.kind = kind
        self.name = name

    def take(self, value: Any, at: str) -> Any:
        if type(value) is not self.kind:  # True is no integer in JSON
            raise self._refuse(value, at)
        return value


class _Number(Shape):
    name = "a number"

    def take(self, value: Any, at: str) -> Any:
        if type(value) not in (int, float):
            raise self._refuse(value, at)
        if not isfinite(value):
            raise Mismatch(at, self.name, "one that JSON has not")
        return value


class _Literal(Shape):
    def __init__(self, values: tuple[Any, ...]) -> None:
        self._values = values
        self.name = " or ".join(map(repr, values))

    def take(self, value: Any, at: str) -> Any:
        if not any(type(value) is type(v) and value == v for v in self._values):
            same_kind = any(type(value) is type(v) for v in self._values)
            raise Mismatch(at, self.name, "another" if same_kind else kind_of(value))
        return value


class _Enum(Shape):
    def __init__(self, kind: type[Enum]) -> None:
        self._kind = kind
        self._literal = _Literal(tuple(member.value for member in kind))
        self.name = self._literal.name

    def take(self, value: Any, at: str) -> Any:
        return self._kind(self._literal.take(value, at))


class _List(Shape):
    name = "a list"

    def __init__(self, item: Any, as_tuple: bool = False) -> None:
        self._item = shape_of(item)
        self._as_tuple = as_tuple

    def take(self, value: Any, at: str) -> Any:
        if not isinstance(value, list | tuple):
            raise self._refuse(value, at)
        item = self._item
        if item is not None:
            value = [item.take(v, f"{at}[{number}]") for number, v in enumerate(value)]
        return tuple(value) if self._as_tuple else value


class _Tuple(Shape):
    def __init__(self, items: tuple[Any, ...]) -> None:
        self._items = [shape_of(item) for item in items]
        self.name = f"a list of {len(items)}"

    def take(self, value: Any, at: str) -> Any:
        if not isinstance(value, list | tuple):
            raise self._refuse(value, at)
        if len(value) != len(self._items):
            raise Mismatch(at, self.name, f"a list of {len(value)}")
        pairs = enumerate(zip(self._items, value, strict=True))
        return tuple(v if s is None else s.take(v, f"{at}[{number}]") for number, (s, v) in pairs)


class _Dict(Shape):
    name = "an object"

    def __init__(self, item: Any) -> None:
        self._item = shape_of(item)

    def take(self, value: Any, at: str) -> Any:
        if not isinstance(value, dict):
            raise self._refuse(value, at)
        item = self._item
        if item is None:
            return value
        return {key: item.take(v, _inside(at, key)) for key, v in value.items()}


class _Union(Shape):
    def __init__(self, members: list[Shape]) -> None:
        self._members = members
        self.name = " or ".join(dict.fromkeys(member.name for member in members))

    def take(self, value: Any, at: str) -> Any:
        inner = None
        for member in self._members:
            try:
                return member.take(value, at)
            except Mismatch as problem:
                if problem.argument != at:  # it is the one, but for something inside
                    inner = problem
        raise inner or self._refuse(value, at)


class _Fields(Shape):
    """An object with known fields. Their shapes are found at the first use: a type may have
    itself inside."""

    name = "an object"

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._fields: dict[str, Shape | None] | None = None
        self._must: list[str] = []

    def take(self, value: Any, at: str) -> Any:
        if not isinstance(value, dict):
            raise self._refuse(value, at)
        if self._fields is None:
            hints = get_type_hints(self._kind)
            self._must = self._needed()
            self._fields = {name: shape_of(hints[name]) for name in self._names()}
        for name in self._must:
            if name not in value:
                shape = self._fields[name]
                raise Mismatch(f"{at}.{name}", shape.name if shape else "a value", "nothing")
        return self._made({name: self._field(name, v, at) for name, v in value.items()}, at)

    def _field(self, name: str, value: Any, at: str) -> Any:
        assert self._fields is not None
        shape = self._fields.get(name)
        return value if shape is None else shape.take(value, _inside(at, name))

    def _names(self) -> list[str]:
        raise NotImplementedError

    def _needed(self) -> list[str]:
        raise NotImplementedError

    def _made(self, values: dict[str, Any], at: str) -> Any:
        raise NotImplementedError


class _TypedDict(_Fields):
    def _names(self) -> list[str]:
        return list(get_type_hints(self._kind))

    def _needed(self) -> list[str]:
        # Where annotations are text, a class has not looked into them (python/cpython#97727).
        hints = get_type_hints(self._kind, include_extras=True)
        required = self._kind.__required_keys__
        origins = {name: get_origin(hint) for name, hint in hints.items()}
        by_default = [name for name in hints if name in required or origins[name] is Required]
        return [name for name in by_default if origins[name] is not NotRequired]

    def _made(self, values: dict[str, Any], at: str) -> Any:
        return values


class _Dataclass(_Fields):
    def _names(self) -> list[str]:
        return [field.name for field in fields(self._kind) if field.init]

    def _needed(self) -> list[str]:
        return [
            field.name
            for field in fields(self._kind)
            if field.init and field.default is MISSING and field.default_factory is MISSING
        ]

    def _made(self, values: dict[str, Any], at: str) -> Any:
        assert self._fields is not None
        for name in values:
            if name not in self._fields:
                raise Mismatch(_inside(at, name), "no such field", "one")
        try:
            return self._kind(**values)
        except ValueError as e:  # __post_init__ has looked closer
            raise Mismatch(at, str(e), "an object") from e


_PLAIN: dict[Any, Shape] = {
    str: _Exactly(str, "a string"),
    int: _Exactly(int, "an integer"),
    float: _Number(),
    bool: _Exactly(bool, "a boolean"),
    bytes: _Exactly(bytes, "bytes"),
    type(None): _Exactly(type(None), "null"),
}
_LISTS = (list, Sequence)
_DICTS = (dict, Mapping)


def shape_of(hint: Any, optional: bool = False) -> Shape | None:
    """What a type asks of a value; None for one that says nothing about JSON.

    :param optional: whether null is taken as well, as by ``text: str = None``.
    """
    shape = _shape_of(hint)
    if shape is None or not optional:
        return shape
    return _Union([shape, _PLAIN[type(None)]])


@cache
def _of_class(kind: Any) -> Shape | None:
    # Kept, so that a type that has itself inside ends.
    if is_typeddict(kind):
        return _TypedDict(kind)
    if is_dataclass(kind):
        return _Dataclass(kind)
    return _Enum(kind) if isinstance(kind, type) and issubclass(kind, Enum) else None


def _shape_of(hint: Any) -> Shape | None:
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(hint, NewType):
        return _shape_of(hint.__supertype__)
    if origin in (Annotated, NotRequired, Required):
        return _shape_of(args[0])
    if origin in (Union, types.UnionType):
        members = [_shape_of(arg) for arg in args]
        known = [member for member in members if member is not None]
        return _Union(known) if len(known) == len(members) else None
    if origin is Literal:
        return _Literal(args)
    return _of_container(type(None) if hint is None else origin or hint, args)


def _of_container(kind: Any, args: tuple[Any, ...]) -> Shape | None:
    if kind in _LISTS:
        return _List(args[0] if args else Any)
    if kind is tuple:
        if args[1:] == (...,) or not args:
            return _List(args[0] if args else Any, as_tuple=True)
        return _Tuple(args)
    if kind in _DICTS:
        return _Dict(args[1] if args else Any)
    return _PLAIN.get(kind) or _of_class(kind) if isinstance(kind, typing.Hashable) else None
