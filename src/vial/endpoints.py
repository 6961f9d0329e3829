"""Endpoint names: ``"shop.cart.show"`` is view ``show`` of blueprint ``cart`` inside ``shop``."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1024)
def blueprint_names(endpoint: str) -> tuple[str, ...]:
    """The blueprints of an endpoint, innermost first: ``("shop.cart", "shop")``."""
    names = []
    name, dot, _ = endpoint.rpartition(".")
    while dot:
        names.append(name)
        name, dot, _ = name.rpartition(".")
    return tuple(names)
