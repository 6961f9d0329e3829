"""Runs the Python snippets of README.md and docs/ as tests, each page from top to bottom.

A page runs in an empty folder, where its `html+jinja` snippets are written to the file that their
first line names. Checks hide in comments: `<!--- invisible-code-block: python`.
"""

from __future__ import annotations

import gc
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser


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


def leave_folder(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


def write_template(example: Example) -> None:
    first = re.match(r"\{# (\S+) #\}\n", example.parsed)
    assert first, "the first line of a template must name its file: {# templates/name.html #}"
    path = Path(first[1])
    path.parent.mkdir(exist_ok=True)
    path.write_text(example.parsed[first.end() :])


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("html+jinja", write_template),
        SkipParser(),
    ],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=enter_folder,
    teardown=leave_folder,
).pytest()
