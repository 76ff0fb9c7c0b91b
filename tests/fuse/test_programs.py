"""Real programs on the mount, on each kind of storage."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.interop.servers import Configuration
from tests.requirements import Need, needs

CONFIGURATION = Configuration(shares={"posix": {}, "memory": {"backend": "memory"}})


@pytest.fixture(params=["posix", "memory"])
def place(request, mount) -> Path:
    """An empty directory in a share."""
    directory: Path = mount.path / request.param / request.node.name.partition("[")[0]
    directory.mkdir()
    return directory


def run(*command: object, cwd: Path | None = None) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def tree(tmp_path) -> Path:
    """Some files, as programs make them."""
    root: Path = tmp_path / "tree"
    (root / "empty").mkdir(parents=True)
    (root / "deep/deeper/deepest").mkdir(parents=True)
    for number in range(300):
        (root / f"file {number:03}").write_bytes(os.urandom(number * 37))
    (root / "deep/deeper/large").write_bytes(os.urandom(3_000_001))
    (root / "deep/ünïcode ☃").write_text("x")
    (root / "deep/script").write_text("#!/bin/sh\necho it runs\n")
    (root / "deep/script").chmod(0o755)
    os.utime(root / "deep", ns=(1_000_000_001, 981_173_106_123_456_789))
    return root


def contents(root: Path) -> dict[str, bytes | None]:
    """All that is below, with what is in it (None for directories)."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def same(left: Path, right: Path) -> bool:
    return contents(left) == contents(right)


def test_cp_and_rm(place, tree):
    run("cp", "-a", tree, place)
    copy = place / "tree"
    assert same(tree, copy)
    assert (copy / "deep").stat().st_mtime_ns == 981_173_106_123_456_789
    assert (copy / "deep/script").stat().st_mode & 0o777 == 0o755
    assert run(copy / "deep/script") == "it runs\n"
    run("cp", "-a", copy, place / "again")
    assert same(tree, place / "again")
    run("rm", "-r", copy)
    assert os.listdir(place) == ["again"]


def test_tar(place, tree):
    run("tar", "cf", place / "tree.tar", "-C", tree, ".")
    (place / "out").mkdir()
    run("tar", "xf", place / "tree.tar", "-C", place / "out")
    assert same(tree, place / "out")


def test_rsync_like_replacement(place):
    """Write beside and rename over, while somebody reads the old one."""
    target = place / "target"
    target.write_text("old")
    with target.open() as reader:
        for number in range(20):
            (place / ".new").write_text(f"new {number}")
            os.replace(place / ".new", target)
        assert reader.read() == "old"
        assert os.fstat(reader.fileno()).st_nlink == 0
    assert target.read_text() == "new 19"


def test_sqlite(place):
    for mode in ("delete", "wal"):
        with sqlite3.connect(place / f"{mode}.db") as connection:
            connection.execute(f"pragma journal_mode = {mode}")
            connection.execute("create table numbers (n integer)")
            connection.executemany("insert into numbers values (?)", [(n,) for n in range(1000)])
        connection.close()
        with sqlite3.connect(place / f"{mode}.db") as connection:
            assert connection.execute("select sum(n) from numbers").fetchone() == (499_500,)
        connection.close()


@needs(Need.GIT)
def test_git(place):
    repository = place / "repository"
    run("git", "init", "-q", repository)
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for number in range(3):
        (repository / "file").write_text(f"{number}\n")
        run("git", "add", "file", cwd=repository)
        run("git", *identity, "commit", "-q", "-m", f"commit {number}", cwd=repository)
    run("git", "fsck", "--strict", cwd=repository)
    run("git", "clone", "-q", repository, place / "clone")
    assert (place / "clone/file").read_text() == "2\n"


def test_find_and_du(place, tree):
    run("cp", "-r", tree, place)
    found = run("find", place / "tree", "-type", "f").splitlines()
    assert len(found) == len([path for path in tree.rglob("*") if path.is_file()])
    assert run("find", place / "tree", "-name", "large", "-size", "+2M").strip().endswith("deep/deeper/large")
    assert run("du", "-s", "--apparent-size", place / "tree")
