"""Lets a test ask a Python process whose Flask it runs on: on the path of what ``running`` starts.

A process leaves a file in the folder of the reports; on SIGRTMIN, which no application uses, it
writes into it what ``flask`` is there. Forked workers do as well.
"""

from __future__ import annotations

import gc
import importlib.machinery
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

FOLDER = Path(os.environ["VIAL_REPORTS"])


def report_file() -> Path:
    return FOLDER / f"{os.getpid()}.json"


def report(number: int, frame: FrameType | None) -> None:
    app_class = getattr(sys.modules.get("flask"), "Flask", None)
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    found = {
        "argv": sys.argv,
        "app_class": getattr(app_class, "__module__", None),
        "apps": sum(app_class in type(thing).__mro__ for thing in gc.get_objects()),
        "flask_on_path": importlib.machinery.PathFinder.find_spec("flask") is not None,
        "flask_files": [file for file in files if Path(file).parent.name == "flask"],
    }
    unfinished = report_file().with_suffix(".part")
    unfinished.write_text(json.dumps(found))
    unfinished.rename(report_file())


signal.signal(signal.SIGRTMIN, report)
report_file().touch()
os.register_at_fork(after_in_child=lambda: report_file().touch())
