"""For every test: a context that it leaves behind is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("fast", max_examples=25)
pytest.register_assert_rewrite("cases", "asgi_validator")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.markexpr:  # CI's run has none
        settings.load_profile("fast")


@pytest.fixture(autouse=True)
def no_context_is_left() -> Iterator[None]:
    from vial.globals import _cv

    yield
    left = []
    while (ctx := _cv.get(None)) is not None:
        left.append(ctx)
        if not ctx._tokens:
            break  # a gateway's, whose token is lost
        _cv.reset(ctx._tokens.pop())
    assert left == [], "a context was pushed and not popped"
