"""A directory of the local machine as a file system (Linux)."""

from vfs_backends.posix.filesystem import PosixFileSystem

__all__ = ["PosixFileSystem"]
