"""Where an app lives: its root, its instance folder, and the files it opens there."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from .harness import Web, same

HERE = "HERE = __name__\n"


@contextmanager
def importable(web: Web, files: dict[str, str], *paths: str) -> Iterator[Callable[[Any], str]]:
    """Put these folders of the run first on the path; gives a function that shortens paths."""
    root = os.path.realpath(web.folder)
    for name, content in files.items():
        if not (web.folder / name).exists():
            web.file(name, content)
    before, modules = list(sys.path), set(sys.modules)
    sys.path[:0] = [os.path.join(root, path) for path in paths]
    importlib.invalidate_caches()
    cwd = os.getcwd()
    try:
        yield lambda path: str(path).replace(root, "ROOT").replace(cwd, "CWD")
    finally:
        os.chdir(cwd)
        sys.path[:] = before
        for name in set(sys.modules) - modules:
            if root in repr(sys.modules[name].__spec__) or sys.modules[name].__spec__ is None:
                del sys.modules[name]


def places(web: Web, shown: Callable[[Any], str], name: str, **options: Any) -> None:
    """Note where an app of this import name is, or why there cannot be one."""
    try:
        app = web.Flask(name, **options)
    except Exception as e:
        web.note(name, sorted(options), type(e).__name__, [w for w in (name,) if w in str(e)])
        return
    web.note(name, sorted(options), app.name, shown(app.root_path), shown(app.instance_path))
    web.note(shown(app.static_folder), app.template_folder, shown(app.config.root_path))


TREE = {
    "project/module.py": HERE,
    "project/pkg/__init__.py": HERE,
    "project/pkg/sub/__init__.py": HERE,
    "project/pkg/sub/mod.py": HERE,
    "project/space/mod.py": HERE,
    "project/space/inner/__init__.py": HERE,
    "other/space/second.py": HERE,
    "other/space/part/__init__.py": HERE,
    "other/space/part/mod.py": HERE,
    "other/space/nested/mod.py": HERE,
    "venv/lib/python3.11/site-packages/installed.py": HERE,
    "venv/lib/python3.11/site-packages/inpkg/__init__.py": HERE,
    "venv/lib/python3.11/site-packages/inpkg/mod.py": HERE,
    "venv/lib/python3.11/site-packages/inspace/mod.py": HERE,
    "win/Lib/site-packages/winmod.py": HERE,
    "win/Lib/site-packages/winpkg/__init__.py": HERE,
    "odd/site-packages/oddmod.py": HERE,
    "odd/Site-Packages/oddpkg/__init__.py": HERE,
    "user/.local/lib/python3.11/dist-packages/distmod.py": HERE,
    "own/src/srcpkg/__init__.py": HERE,
    "own/src/srcmod.py": HERE,
    "eggs/own-1.0-py3.11.egg/eggmod.py": HERE,
}
PATHS = (
    "project",
    "other",
    "venv/lib/python3.11/site-packages",
    "win/Lib/site-packages",
    "odd/site-packages",
    "odd/Site-Packages",
    "user/.local/lib/python3.11/dist-packages",
    "own/src",
    "eggs/own-1.0-py3.11.egg",
)
NAMES = (
    "module", "pkg", "pkg.sub", "pkg.sub.mod", "space.mod", "space.inner",
    "space.second", "space.part", "space.part.mod", "space.nested", "space.nested.mod", "installed",
    "inpkg", "inpkg.mod", "inspace", "inspace.mod", "winmod", "winpkg", "oddmod", "oddpkg",
    "distmod", "srcpkg", "srcmod", "eggmod", "missing", "pkg.missing", "missing.deep", "__main__",
    "", "json", "json.decoder", "sys", "math", "click", "werkzeug.utils", "pkg.", ".pkg", "a b",
)  # fmt: skip


@pytest.mark.parametrize("imported", [False, True])
@pytest.mark.slow
@same
def test_an_app_finds_its_root_and_its_instance_folder(web: Web, imported: bool) -> None:
    scaffold = web.sansio.scaffold
    find_package = getattr(scaffold, "find_package", None) or web.packages.find_package
    with importable(web, TREE, *PATHS) as shown:
        for name in NAMES:
            if imported:
                try:
                    importlib.import_module(name)
                except (ImportError, ValueError, TypeError):
                    continue
            places(web, shown, name)
            web.attempt(lambda name=name: shown(web.helpers.get_root_path(name)))
            web.attempt(lambda name=name: [*map(shown, find_package(name))])


@pytest.mark.slow
@same
def test_folders_that_a_program_names(web: Web) -> None:
    with importable(web, TREE, *PATHS) as shown:
        for options in (
            {"root_path": "/own"},
            {"root_path": "relative"},
            {"root_path": str(web.folder / "project")},
            {"instance_path": "/own/instance"},
            {"instance_path": "relative"},
            {"instance_path": ""},
            {"instance_path": str(web.folder / "none")},
            {"instance_relative_config": True},
            {"instance_relative_config": True, "instance_path": "/own/instance"},
            {"instance_relative_config": True, "root_path": "/own"},
            {"static_folder": "/abs/static"},
            {"static_folder": "st/", "template_folder": "te"},
            {"static_folder": web.folder / "st", "template_folder": web.folder / "te"},
            {"static_folder": None, "template_folder": None},
            {"static_folder": "../up"},
        ):
            for name in ("pkg.sub", "installed", "space.mod", "__main__"):
                web.note({k: shown(v) for k, v in options.items()})
                places(web, shown, name, **options)
        importlib.import_module("space")
        for name in ("pkg.sub", "installed", "space", "missing"):
            try:
                blueprint = web.Blueprint("b", name, static_folder="s", template_folder="t")
            except Exception as e:
                web.note(name, type(e).__name__)
            else:
                web.note(name, shown(blueprint.root_path), shown(blueprint.static_folder))

    class Own(web.Flask):  # type: ignore[misc, name-defined]
        def auto_find_instance_path(self) -> str:
            web.note("asked", self.import_name, hasattr(self, "config"))
            return "/found"

    web.note(
        Own("x", root_path="/").instance_path, Own("x", root_path="/", instance_path="/i").name
    )


@pytest.mark.slow
@same
def test_modules_that_are_no_files(web: Web) -> None:
    web.folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(web.folder / "zipped.zip", "w") as zipped:
        zipped.writestr("zipmod.py", HERE)
        zipped.writestr("zippkg/__init__.py", HERE)
        zipped.writestr("zippkg/mod.py", HERE)
    os.utime(web.folder / "zipped.zip", (0, 0))

    class Loader:
        def __init__(self, **answers: Any) -> None:
            vars(self).update(answers)

    def module(name: str, **names: Any) -> ModuleType:
        made = sys.modules[name] = ModuleType(name)
        vars(made).update(names)
        return made

    with importable(web, TREE, "zipped.zip", "project") as shown:
        for name in ("zipmod", "zippkg", "zippkg.mod"):
            places(web, shown, name)
            importlib.import_module(name)
            places(web, shown, name)
        spec = importlib.machinery.ModuleSpec
        module("bare")
        module("filed", __file__=str(web.folder / "a" / "b.py"))
        module("relative", __file__="some/file.py")
        module("nothing", __file__=None)
        module("origin", __spec__=spec("origin", None, origin="/o/origin.py"))
        module("main", __name__="__main__")
        for name in ("bare", "filed", "relative", "nothing", "origin"):
            places(web, shown, name)
            places(web, shown, f"{name}.sub")
            del sys.modules[name]
        del sys.modules["main"]
        main = sys.modules["__main__"]
        try:
            for names in (
                {"__file__": str(web.folder / "project" / "run.py")},
                {"__file__": "run.py"},
                {},
                {
                    "__file__": str(web.folder / "project" / "pkg" / "__main__.py"),
                    "__package__": "pkg",
                },
            ):
                module("__main__", **names)
                places(web, shown, "__main__")
                web.note(web.Flask("__main__", root_path="/").name)
        finally:
            sys.modules["__main__"] = main


@same
def test_files_beside_the_app_and_in_its_instance_folder(web: Web) -> None:
    web.file("text.txt", "ü\r\n")
    web.file("latin.txt", "ü\n".encode("latin-1"))
    web.file("deep/text.txt", "deep")
    web.file("instance/text.txt", "own ü")
    app = web.app(instance_path=str(web.folder / "instance"))
    blueprint = web.Blueprint("b", "b", root_path=str(web.folder / "deep"))

    def read(opener: Any, name: Any, *args: Any, **options: Any) -> None:
        web.note(name, args, options)
        try:
            with opener(name, *args, **options) as file:
                web.note(
                    file.mode, getattr(file, "encoding", None), type(file).__name__, file.read()
                )
        except Exception as e:
            web.note(type(e).__name__)

    for opener in (app.open_resource, blueprint.open_resource, app.open_instance_resource):
        for name, args, options in (
            ("text.txt", (), {}),
            ("text.txt", ("r",), {}),
            ("text.txt", ("rt",), {}),
            ("text.txt", (), {"mode": "rb"}),
            ("text.txt", ("r",), {"encoding": "latin-1"}),
            ("text.txt", ("r", "utf-16"), {}),
            ("text.txt", ("rb",), {"encoding": "utf-8"}),
            ("text.txt", ("r",), {"encoding": None}),
            ("latin.txt", ("r",), {}),
            ("latin.txt", ("r", "latin-1"), {}),
            ("none.txt", (), {}),
            ("deep", (), {}),
            ("deep/text.txt", (), {}),
            ("../deep/text.txt", (), {}),
            (str(web.folder / "text.txt"), ("rb",), {}),
            (web.folder / "text.txt", ("rb",), {}),
            ("text.txt", ("br",), {}),
            ("text.txt", ("r+",), {}),
            ("text.txt", ("rU",), {}),
        ):
            read(opener, str(name) if name is not str else name, *args, **options)
    for opener in (app.open_resource, blueprint.open_resource):
        for mode in ("w", "a", "x", "wb", "r+b", "", "rw"):
            web.attempt(opener, "text.txt", mode)
    for mode, text in (
        ("w", "ü1"),
        ("a", "2"),
        ("wb", b"3"),
        ("ab", b"4"),
        ("r+", "5"),
        ("x", "6"),
    ):
        try:
            with app.open_instance_resource(f"new{mode == 'x'}.txt", mode) as file:
                web.note(mode, file.write(text), file.encoding if "b" not in mode else None)
        except Exception as e:
            web.note(mode, type(e).__name__)
        read(app.open_instance_resource, "newFalse.txt")
    (web.folder / "instance" / "newTrue.txt").unlink(missing_ok=True)
    (web.folder / "instance" / "newFalse.txt").unlink()
    with app.open_instance_resource("u.txt", "w", encoding="utf-16") as file:
        file.write("ü")
    read(app.open_instance_resource, "u.txt")
    (web.folder / "instance" / "u.txt").unlink()
    without = web.app(instance_path=str(web.folder / "nowhere"))
    web.attempt(without.open_instance_resource, "x.txt", "w")


@pytest.mark.slow
@same
def test_programs_that_are_started_as_files_and_modules(web: Web) -> None:
    name = web.package.__name__
    first = "from flask import Flask\n"
    if name == "vial":
        first = f"import vial\nvial.install_as_flask()\n{first}"
    source = (
        f"{first}app = Flask(__name__)\nimport os\ncwd = os.path.realpath(os.getcwd())\n"
        "print(app.name, app.import_name, *(os.path.relpath(p, cwd) for p in"
        " (app.root_path, app.instance_path, app.static_folder)))\n"
    )
    folder = f"by_{name}"
    for file in ("run.py", "pkg/__main__.py", "pkg/tool.py", "deep/er/run.py"):
        web.file(f"{folder}/{file}", source)
    web.file(f"{folder}/pkg/__init__.py", "")
    for args in (
        ["run.py"],
        ["-m", "run"],
        ["-m", "pkg"],
        ["-m", "pkg.tool"],
        ["pkg/tool.py"],
        ["pkg"],
        ["deep/er/run.py"],
        ["-c", source],
    ):
        done = subprocess.run(
            [sys.executable, *args], cwd=web.folder / folder, capture_output=True, text=True
        )
        web.note(
            args[:1] if args[0] == "-c" else args, done.returncode, done.stdout, done.stderr[-200:]
        )


@pytest.mark.slow
@same
def test_what_lies_below_the_prefix_of_python_is_installed(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = os.path.realpath(web.folder)
    find_package = getattr(web.sansio.scaffold, "find_package", None) or web.packages.find_package
    for prefix in ("project", "", "venv", "venv/lib", "proj", "other", "project/pkg"):
        for name in ("prefix", "base_prefix"):
            with monkeypatch.context() as patch, importable(web, TREE, *PATHS) as shown:
                patch.setattr(sys, name, os.path.join(root, prefix).rstrip("/"))
                for module in ("module", "pkg.sub", "installed", "space.part", "srcpkg", "missing"):
                    web.note(prefix, name, module, [*map(shown, find_package(module))])
