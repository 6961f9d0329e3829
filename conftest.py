"""Runs the Python snippets of README.md and docs/ as tests, each page from top to bottom.

A page runs in an empty folder. A snippet whose first line is a comment with the name of a file is
written to that file; Python runs besides, and can import these files. Checks hide in comments:
`<!--- invisible-code-block: python`.
"""

from __future__ import annotations

import gc
import importlib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser, SkipParser


def pytest_collection_finish() -> None:
    # Many tests look for garbage: not among the thousands of tests, which are here to stay.
    gc.freeze()


settings.register_profile("vial", deadline=None)  # a busy machine is no mistake of the code
settings.load_profile("vial")


def enter_folder(namespace: dict[str, Any]) -> None:
    namespace["__name__"] = (
        "hello"  # not a module that can be found, so the app's root is the folder
    )
    namespace["_folder"] = tempfile.TemporaryDirectory(prefix="vial-docs-")
    namespace["_back"] = os.getcwd()
    os.chdir(namespace["_folder"].name)
    sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()


def leave_folder(namespace: dict[str, Any]) -> None:
    sys.path.remove(here := os.getcwd())
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(here):
            del sys.modules[name]
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


FILE = re.compile(r"(?:#|\{#|/\*|<!--) (\S+\.\w+)(?: #\}| \*/| -->)?\n")
EVALUATE = PythonEvaluator()


def write_file(example: Example) -> None:
    if first := FILE.match(example.parsed):
        path = Path(first[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(example.parsed[first.end() :])


def write_template(example: Example) -> None:
    assert FILE.match(example.parsed), (
        "the first line of a template must name its file: {# templates/name.html #}"
    )
    write_file(example)


def run_python(example: Example) -> None:
    write_file(example)
    EVALUATE(example)


pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser("python", run_python),
        CodeBlockParser("html+jinja", write_template),
        CodeBlockParser("css", write_file),
        CodeBlockParser("xml", write_file),
        SkipParser(),
    ],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=enter_folder,
    teardown=leave_folder,
).pytest()
