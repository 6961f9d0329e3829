"""What handlers say that they take, compared with what clients send.

Looked at are the number of arguments and, where it is wanted, the annotations: ``str``, ``int``,
``float``, ``bool``, ``bytes``, ``None``, ``list[…]``, ``tuple[…]``, ``dict[str, …]``, unions,
``Literal``, enumerations, ``TypedDict`` and dataclasses, which are made of objects. Any other
annotation says nothing about a payload and is not looked at.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, get_type_hints

from .shapes import Mismatch, Shape, shape_of

_logger = logging.getLogger("vial.socketio")
#: Of those that one event has, told to the client.
MOST_PROBLEMS = 10
_EMPTY = inspect.Parameter.empty
_BY_POSITION = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


class InvalidArguments(TypeError):
    """A client sent what a handler does not take.

    An error handler gets it like any other exception. Without one the client is told
    :attr:`answer`: as the acknowledgement, if it asked for one, else as the event ``"error"``.
    """

    def __init__(self, problems: list[Mismatch]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = [problem.as_dict() for problem in problems]

    @property
    def answer(self) -> dict[str, Any]:
        """``{"error": "invalid arguments", "problems": [{"argument", "expected", "got"}, …]}``."""
        return {"error": "invalid arguments", "problems": self.problems}


class Refused(dict[str, Any]):
    """:attr:`InvalidArguments.answer`, on its way to the client."""


class Arguments:
    """What one handler takes; found out at its first event, when names in annotations exist."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._named: list[inspect.Parameter] | None = None
        self._rest: inspect.Parameter | None = None
        self._least = 0
        self._most: int | None = None
        self._shapes: list[Shape | None] | None = None
        self._rest_shape: Shape | None = None

    def of(self, sent: tuple[Any, ...], typed: bool) -> tuple[Any, ...]:
        """The arguments for the handler.

        :param typed: whether annotations are looked at.
        :raises InvalidArguments: for what does not fit.
        """
        named = self._find_parameters() if self._named is None else self._named
        if typed and self._shapes is None:
            self._rest_shape = None if self._rest is None else self._shape(self._rest)
            self._shapes = [self._shape(parameter) for parameter in named]
        if len(sent) < self._least or (self._most is not None and len(sent) > self._most):
            raise InvalidArguments(list(self._miscounted(named, sent)))
        return self._checked(named, sent) if typed else sent

    def _find_parameters(self) -> list[inspect.Parameter]:
        try:
            # Not of what a decorator wraps: it may pass on other arguments than it gets.
            signature = inspect.signature(self._function, follow_wrapped=False)
        except (TypeError, ValueError):  # something made in C
            self._named = []
            return []
        parameters = signature.parameters.values()
        named = [p for p in parameters if p.kind in _BY_POSITION]
        rest = [p for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL]
        self._rest = rest[0] if rest else None
        self._least = sum(p.default is _EMPTY for p in named)
        self._most = None if rest else len(named)
        self._named = named
        return named

    def _shape(self, parameter: inspect.Parameter) -> Shape | None:
        if parameter.annotation is _EMPTY:
            return None
        hint = _resolved(self._function, parameter)
        return shape_of(hint, optional=parameter.default is None)

    def _miscounted(
        self, named: list[inspect.Parameter], sent: tuple[Any, ...]
    ) -> Iterator[Mismatch]:
        for position in range(len(sent), self._least):
            shape = self._shapes[position] if self._shapes else None
            yield Mismatch(named[position].name, shape.name if shape else "a value", "nothing")
        if len(sent) >= self._least:
            most = len(named)
            arguments = "no arguments" if not most else f"at most {most} argument{'s'[: most != 1]}"
            yield Mismatch(str(most + 1), arguments, str(len(sent)))

    def _checked(self, named: list[inspect.Parameter], sent: tuple[Any, ...]) -> tuple[Any, ...]:
        values, problems = [], []
        for position, value in enumerate(sent):
            name, shape = self._at(named, position)
            try:
                values.append(value if shape is None else shape.take(value, name))
            except Mismatch as problem:
                problems.append(problem)
            except RecursionError:
                problems.append(Mismatch(name, "less nesting", "more"))
            if len(problems) == MOST_PROBLEMS:
                break
        if problems:
            raise InvalidArguments(problems)
        return tuple(values)

    def _at(self, named: list[inspect.Parameter], position: int) -> tuple[str, Shape | None]:
        if position < len(named):
            return named[position].name, self._shapes[position] if self._shapes else None
        rest = "" if self._rest is None else self._rest.name
        return f"{rest}[{position - len(named)}]", self._rest_shape


def _resolved(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """An annotation whose names are looked up; ``Any`` where one cannot be found."""
    inner = inspect.unwrap(function)
    inner = getattr(inner, "__func__", inner)
    names = getattr(inner, "__globals__", {})
    cells = zip(
        getattr(getattr(inner, "__code__", None), "co_freevars", ()),
        getattr(inner, "__closure__", None) or (),
        strict=False,
    )
    closed: dict[str, Any] = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    holder: Any = SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        return get_type_hints(holder, names, closed)["it"]
    except Exception as e:  # whatever comes out of evaluating a text
        _logger.error(
            "What clients send as %r of the handler %s is not checked, because its annotation is"
            " not known there at run time: %s",
            parameter.name,
            getattr(function, "__qualname__", function),
            e,
        )
        return Any


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - raises while the variable has no value
    except ValueError:
        return False
    return True
