"""Small files that the server keeps for itself: written as a whole, and by one process at a time."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["locked_directory", "replace_file"]


def replace_file(path: Path, text: str) -> None:
    """Replace a file, mode 0600, as a whole: a crash leaves the old one or the new one. Raises OSError."""
    path = path.resolve()
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # also if it is interrupted: secrets must not lie about in a file that nobody knows
        os.unlink(temporary)
        raise
    with _directory(path.parent) as directory:
        os.fsync(directory)


@contextlib.contextmanager
def locked_directory(path: Path) -> Iterator[None]:
    """While this lasts, no other process that asks for it has the directory; waits for that. Raises OSError."""
    with _directory(path) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
