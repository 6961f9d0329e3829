"""How much memory a process has."""

from __future__ import annotations

from functools import cache
from typing import Any

from granian._granian import ProcInfoCollector


@cache
def _collector() -> Any:
    return ProcInfoCollector()


def megabytes(pid: int) -> float:
    """The resident memory of a process in MiB; 0 where it has ended."""
    found: dict[int, int] = _collector().memory([pid])
    return found.get(pid, 0) / 2**20
