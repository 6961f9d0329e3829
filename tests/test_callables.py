"""What kind of function somebody handed us."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from vial import Vial
from vial.callables import is_async


async def later() -> str:
    return "answer"


def now() -> str:
    return "answer"


class Later:
    async def __call__(self) -> str:
        return "answer"

    async def method(self) -> str:
        return "answer"


class Now:
    def __call__(self) -> str:
        return "answer"

    def method(self) -> str:
        return "answer"


@pytest.mark.parametrize("function", [later, partial(later), Later(), Later().method])
def test_what_gives_a_coroutine_is_async_and_awaited(function: Any) -> None:
    assert is_async(function)
    assert Vial(__name__).ensure_sync(function)() == "answer"


@pytest.mark.parametrize("function", [now, partial(now), Now(), Now().method, len, Now, lambda: 1])
def test_everything_else_is_called_as_it_is(function: Any) -> None:
    assert not is_async(function)
    assert Vial(__name__).ensure_sync(function) is function
