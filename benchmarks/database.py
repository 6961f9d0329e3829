"""Cost of a page that reads 20 rows of a table and renders them, for Vial beside others.

    .venv/bin/python benchmarks/database.py [--quick] [--json FILE] [--only A,B] [--sqlite-only]

The rows come through each framework's ORM from SQLite (a file) and from PostgreSQL. Checked, timed
and read like benchmarks/dispatch.py; the last column is the same page without any framework.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import database_peers as peers
from dispatch import Case, Wsgi, about, chosen, measure_case, table

TITLES = {
    "vial": "Vial",
    "flask": "Flask + Flask-SQLAlchemy",
    "django": "Django",
    "floor": "SQLAlchemy alone",
}
BUILDERS: dict[str, Callable[[dict[str, str]], dict[str, Callable[..., Any]]]] = {
    "vial": peers.vial,
    "flask": peers.flask,
    "django": peers.django,
    "floor": peers.floor,
}
VERSIONS = {
    "vial": "vial-web",
    "flask": "flask",
    "django": "django",
    "sqlalchemy": "sqlalchemy",
    "psycopg": "psycopg",
}


def measure(
    urls: dict[str, str], names: list[str], rounds: int, block_ms: float
) -> dict[str, dict[str, float]]:
    built = {name: BUILDERS[name](urls) for name in names}
    return {
        database: measure_case(
            database,
            Case(f"/{database}", 200, peers.page(), "text/html"),
            {name: Wsgi(applications[database]) for name, applications in built.items()},
            rounds,
            block_ms,
        )
        for database in urls
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a second or two, for a first look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the medians there")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--postgresql",
        metavar="URL",
        default="postgresql+psycopg://postgres@127.0.0.1:5432/test",
        help="a database in which a table is made; by default %(default)s",
    )
    where.add_argument("--sqlite-only", action="store_true", help="without PostgreSQL")
    parser.add_argument(
        "--only", default=",".join(BUILDERS), metavar="A,B", help=f"of {', '.join(BUILDERS)}"
    )
    options = parser.parse_args()
    names = chosen(parser, options.only, BUILDERS)
    rounds, block_ms = (7, 10.0) if options.quick else (41, 40.0)

    with TemporaryDirectory() as folder:
        urls = {"sqlite": f"sqlite:///{folder}/notes.db"}
        if not options.sqlite_only:
            urls["postgresql"] = options.postgresql
        with peers.filled(urls.values()):
            results = measure(urls, names, rounds, block_ms)
    facts = about({n: v for n, v in VERSIONS.items() if n in names or n not in BUILDERS})
    print(
        f"A page of {peers.SHOWN} rows in process, median of {rounds} rounds in µs (times Vial's)"
    )
    print(", ".join([facts["python"], *(f"{n} {v}" for n, v in facts["versions"].items())]))
    print(f"\n{table(results, {name: TITLES[name] for name in names})}")
    if options.json:
        report = {**facts, "rounds": rounds, "unit": "us", "median": results}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
