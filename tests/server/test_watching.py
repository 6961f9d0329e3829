"""Which files are looked at, and that their changes are told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from serving import wait_for

from vial.server import watching
from vial.server.own_code import is_own
from vial.server.watching import Watch, Watched, stamps


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def seen(folder: Path, watched: Watched) -> set[str]:
    return {str(Path(path).relative_to(folder)) for path in watched.look().files}


def test_a_tree_is_looked_at_without_what_is_not_written_by_hand(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b/c.py", "b/c.txt", ".git/x.py", ".hidden.py", "#a.py", "a.py~")
    make(tmp_path, "venv/pyvenv.cfg", "venv/x.py", "node_modules/x.py", "b/__pycache__/x.py")
    make(tmp_path, "tests/x.py", ".env", "data/prices")
    watched = Watched(
        [str(tmp_path)],
        files=[str(tmp_path / name) for name in (".env", "data/prices", "missing")],
        suffix=".py",
        exclude=["*/tests/*"],
    )
    assert seen(tmp_path, watched) == {"a.py", "b/c.py", ".env", "data/prices"}


def test_a_folder_alone_and_a_file_alone(tmp_path: Path) -> None:
    make(tmp_path, "a/x.py", "a/b/y.py", "c/one", "c/two")
    watched = Watched(folders=[str(tmp_path / "a")], files=[str(tmp_path / "c/one")], suffix=".py")
    assert seen(tmp_path, watched) == {"a/x.py", "c/one"}


def test_a_large_tree_is_watched_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MAX_FOLDERS", 3)
    make(tmp_path, "x", "a/x", "b/x", "a/deep/x")
    assert seen(tmp_path, Watched([str(tmp_path)])) == {"x", "a/x", "b/x"}


@pytest.mark.slow
@pytest.mark.parametrize("every", [None, 0.05])
def test_changes_are_told(tmp_path: Path, every: float | None) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    make(project, "a.py", "b.py")
    make(other, "x.py", "y.py")
    told: set[str] = set()
    over = threading.Event()
    lock = threading.Lock()

    def on_change(paths: set[str]) -> None:
        with lock:
            told.update(str(Path(path).relative_to(tmp_path)) for path in paths)

    watch = Watch(Watched([str(project)], suffix=".py"), on_change, every)
    make(project, "a.py", "new.py")  # between the first look and the start
    watch.start()
    try:
        wait_for("what was before the start", lambda: told == {"project/a.py", "project/new.py"})
        (project / "b.py").unlink()
        wait_for("what was removed", lambda: "project/b.py" in told)
        make(project, "deep/er/c.py")
        wait_for("what is in a new folder", lambda: "project/deep/er/c.py" in told)
        # Something else is written to all the time, such as a log.
        busy = threading.Thread(target=write_until, args=(project / "log.txt", over))
        busy.start()
        known = stamps([str(other / "x.py"), str(other / "y.py")])
        make(other, "x.py")
        (other / "x.py").write_text("changed before it is watched")
        watch.add(known)
        wait_for("what was added", lambda: "other/x.py" in told)
        assert "other/y.py" not in told
    finally:
        over.set()
        watch.stop()
        watch.join(30)
    assert not watch.is_alive()


def write_until(path: Path, over: threading.Event) -> None:
    while not over.wait(0.005):
        path.write_text("line")


def test_a_lost_watch_becomes_a_look_every_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = Watch(Watched([str(tmp_path)]), lambda paths: None)
    watch._lost(OSError("OS file watch limit reached"))
    assert watch._every == 1.0
    assert "Files are looked at every second: OS file watch limit" in capsys.readouterr().err


def test_code_of_others_is_not_the_programs_own(tmp_path: Path) -> None:
    assert is_own(__file__) and is_own(str(tmp_path / "x.py"))
    for file in (threading.__file__, pytest.__file__, watching.__file__, "<string>"):
        assert not is_own(file)
