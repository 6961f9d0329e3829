"""What the first line of a program costs: a process with the import beside one without.

    .venv/bin/python benchmarks/imports.py [--rounds N] [--json FILE]

Whole processes are timed, since that is what a developer waits for at each reload. They take turns
(bare, Vial, Flask, bare, ...), so noise of the machine falls on all alike. `python -I` leaves out
the user's own start-up files; bytecode is compiled before the first round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

NAMES = "request, session, url_for, render_template"
LINES = {
    "bare": "pass",
    "vial": f"from vial import Vial, {NAMES}",
    "flask": f"from flask import Flask, {NAMES}",
}


def process_ms(line: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-I", "-c", line], check=True)
    return (perf_counter() - start) * 1000


def measure(rounds: int) -> dict[str, float]:
    """Median milliseconds of one process, by name of the line."""
    for line in LINES.values():
        process_ms(line)
    spent: dict[str, list[float]] = {name: [] for name in LINES}
    for _ in range(rounds):
        for name, line in LINES.items():
            spent[name].append(process_ms(line))
    return {name: median(values) for name, values in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args()
    medians = measure(options.rounds)
    over = {name: medians[name] - medians["bare"] for name in ("vial", "flask")}
    ratio = over["vial"] / over["flask"]
    print(f"Whole process, median of {options.rounds} rounds; the bare interpreter: ", end="")
    print(f"{medians['bare']:.0f} ms")
    for name, extra in over.items():
        print(f"  {LINES[name]:<68} +{extra:.0f} ms")
    print(f"  Vial takes {ratio:.2f} of Flask's time")
    if options.json:
        report = {"unit": "ms", "rounds": options.rounds, "median": medians, "ratio": ratio}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
