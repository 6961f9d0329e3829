"""Autobahn's public test suite of RFC 6455, as kosoku has it, over what granian speaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .running import HERE
from .test_websockets import running

#: All but 9, which is about speed, and 12 and 13: granian does not compress.
SUITES = [f"{suite}.*" for suite in (1, 2, 3, 4, 5, 6, 7, 10)]
#: In a process of its own: kosoku brings a pkg_resources that is none. It raises where one fails,
#: and its library may abort while the process ends (seen once), which says nothing.
CLIENT = """
import asyncio, os, sys
from kosoku import run_fuzzingclient
print(len(asyncio.run(run_fuzzingclient(sys.argv[1], sys.argv[2:], concurrency=4))), flush=True)
os._exit(0)
"""


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.parametrize("name", ["granian-asgi", "granian-rsgi"])
def test_all_247_cases_pass(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as server:
        command = [sys.executable, "-c", CLIENT, f"{HERE}:{server.port}", *SUITES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["247"]), done.stderr[-2000:]
