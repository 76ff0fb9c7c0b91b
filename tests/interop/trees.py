"""Trees of files with known contents, and their checksums."""

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZES = (0, 1, 17, 4 * KIB, 4 * KIB + 1, 60_000)
UNICODE_NAMES = (
    "Grüße aus Köln.txt",
    "日本語のファイル名.txt",
    "Ελληνικά και Кириллица",
    "emoji 😀🎉.bin",
    "e\N{COMBINING ACUTE ACCENT} decomposed",
    "ß and ſ",
    "many.dots.in.it..x",
    "it's (quoted) & [bracketed] {too} #1 $HOME ~ ^ @ ! =+,",
    "n" * 200 + ".txt",
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a tree is: files in all, and the largest one's size in bytes."""

    name: str
    files: int
    largest: int


QUICK = Scale("quick", 200, 64 * MIB)
PYTHON_CLIENTS = Scale("python", 200, 8 * MIB)
SLOW_CLIENTS = Scale("slow", 200, 2 * MIB)
"""For impacket, which signs at 1 MB/s at 3.x."""
FULL = Scale("full", 2_000, GIB)
FULL_PYTHON_CLIENTS = Scale("full-python", 2_000, 64 * MIB)


def write_file(path: Path, size: int, seed: int) -> None:
    """A file of `size` bytes, of which no two mebibytes are alike."""
    block = random.Random(seed).randbytes(min(size, MIB))
    with path.open("wb") as file:
        for number in range(0, size, MIB):
            part = block[: size - number]
            file.write(part if len(part) < 8 else number.to_bytes(8, "little") + part[8:])


def make_tree(root: Path, scale: Scale) -> Path:
    """A tree of `scale` below `root`: nested directories, an empty one, names of all kinds, sizes from 0 on."""
    (root / "empty directory").mkdir(parents=True)
    unicode = root / "Verzeichnis mit Ünïcödé" / "ネスト"
    unicode.mkdir(parents=True)
    for seed, name in enumerate(UNICODE_NAMES):
        write_file(unicode / name, 100 + seed, seed)
    write_file(root / "1 MiB", MIB, 1001)
    write_file(root / "largest", scale.largest, 1002)
    for number in range(scale.files - len(UNICODE_NAMES) - 2):
        directory = root / f"dir{number % 7}" / f"sub{number % 3}"
        directory.mkdir(parents=True, exist_ok=True)
        write_file(directory / f"file {number:04}.dat", SIZES[number % len(SIZES)], number)
    return root


def tree_fixture(quick: Scale, full: Scale) -> Any:
    """A fixture: a tree of files and its checksums, of the one size, and in slow tests of the other as well."""

    @pytest.fixture(
        scope="session",
        params=[
            pytest.param(quick, id="quick"),
            pytest.param(full, id="full", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
        ],
    )
    def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
        root = make_tree(tmp_path_factory.mktemp("tree") / "tree", request.param)
        return root, checksums(root)

    return tree


def checksums(root: Path) -> dict[str, str]:
    """By relative path, the SHA-256 of each file, and "directory" for each directory."""
    found = {}
    for parent, directories, files in os.walk(root):
        for name in directories:
            found[str((Path(parent) / name).relative_to(root))] = "directory"
        for name in files:
            path = Path(parent) / name
            with path.open("rb") as file:
                found[str(path.relative_to(root))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


@contextmanager
def emptied(directory: Path) -> Iterator[Path]:
    """`directory`, made if need be, with nothing in it before and after."""
    directory.mkdir(parents=True, exist_ok=True)
    _empty(directory)
    try:
        yield directory
    finally:
        _empty(directory)


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
