from __future__ import annotations
from functools import partial
from typing import Any
import pytest
from cases.entrances import Wsgi
from cases.gateways import SiteCases
from cases.site import make_site


@pytest.fixture(scope="module")
def ask() -> Any:
    return partial(Wsgi().ask, make_site())


class TestSite(SiteCases):
    pass
