from __future__ import annotations
from functools import partial
from typing import Any
import pytest
from cases.entrances import Asgi
from cases.gateways import SiteCases
from cases.site import make_site


@pytest.fixture(scope="module")
def ask() -> Any:
    return partial(Asgi().ask, make_site())


class TestSite(SiteCases):
    pass
