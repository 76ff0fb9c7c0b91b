"""Who uses the files, each by its own way: programs, NFS clients, SMB clients (in `smb`)."""

import ctypes
import ctypes.util
import fcntl
import os
import select
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.fuse.programs import ERROR, NOBODY, as_user, let_all_get_to
from tests.matrix.nfs import Client, Ganesha

__all__ = ["Actor", "NfsClient", "Opened", "Program", "Refused"]

Refused = OSError
"""What an actor's calls raise if they are refused."""

_FLOCK = struct.Struct("hhqqi4x")
_READ_AND_WRITE = {False: os.O_RDONLY, True: os.O_RDWR}


class Opened(Protocol):
    """A file that an actor has open. All raise `Refused`."""

    def read(self, offset: int, size: int) -> bytes: ...

    def write(self, offset: int, data: bytes) -> None: ...

    def lock(self, offset: int, length: int) -> None:
        """Exclusively, and without waiting."""

    def close(self) -> None: ...


class Actor(Protocol):
    """Somebody, who does everything by one way. Paths are those in the share. All raise `Refused`."""

    name: str
    """As the tables have it."""

    def open(self, path: str, *, writes: bool = False) -> Opened: ...

    def create(self, path: str) -> None: ...

    def remove(self, path: str) -> None: ...

    def rename(self, path: str, new_path: str) -> None: ...

    def close_to_others(self, path: str) -> None:
        """Let nobody but the owner read a file."""

    def others_read(self, path: str) -> None:
        """The same way, as somebody else: read a file."""


class _Descriptor:
    """A file that a program has open."""

    def __init__(self, path: Path, flags: int) -> None:
        self._descriptor = os.open(path, flags)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def write(self, offset: int, data: bytes) -> None:
        os.pwrite(self._descriptor, data, offset)

    def lock(self, offset: int, length: int) -> None:
        # Of the open file and not of the process, in which all tests are.
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, offset, length, 0)
        fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, request)

    def close(self) -> None:
        os.close(self._descriptor)


class Program:
    """A program of this machine, in some directory."""

    def __init__(self, name: str, top: Path) -> None:
        self.name = name
        self._top = top

    def open(self, path: str, *, writes: bool = False) -> Opened:
        return _Descriptor(self._top / path, _READ_AND_WRITE[writes])

    def create(self, path: str) -> None:
        (self._top / path).touch()

    def remove(self, path: str) -> None:
        (self._top / path).unlink()

    def rename(self, path: str, new_path: str) -> None:
        (self._top / path).rename(self._top / new_path)

    def close_to_others(self, path: str) -> None:
        (self._top / path).chmod(0o600)

    def others_read(self, path: str) -> None:
        let_all_get_to(self._top)
        said = as_user(ERROR.format("open(args[0]).read()"), self._top / path)
        if said != "done":
            raise Refused(said)

    @contextmanager
    def watch(self, path: str) -> Iterator[Callable[[float], bool]]:
        """A directory, by inotify(7). Gives what tells if something was made in it within so many seconds."""
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert descriptor >= 0
        try:
            in_create, in_moved_to = 0x100, 0x80
            assert libc.inotify_add_watch(descriptor, bytes(self._top / path), in_create | in_moved_to) >= 0
            yield lambda seconds: bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)


class _NfsOpened:
    """A file that an NFS client has open, which is a client of its own."""

    def __init__(self, client: Client, path: str, flags: int) -> None:
        self._client = client
        self._has_locked = False
        self._handle = client.open(path, flags)

    def read(self, offset: int, size: int) -> bytes:
        return self._client.read(self._handle, offset, size)

    def write(self, offset: int, data: bytes) -> None:
        self._client.write(self._handle, offset, data)

    def lock(self, offset: int, length: int) -> None:
        self._has_locked = True
        if not self._client.lock(self._handle, fcntl.F_WRLCK, offset, length):
            raise Refused("NFS4ERR_DENIED")

    def close(self) -> None:
        try:
            self._client.close(self._handle)
        except Refused as error:
            # After a lock, libnfs counts otherwise than the server. The file is closed when the client's lease ends.
            if not (self._has_locked and "BAD_SEQID" in str(error)):
                raise
        finally:
            self._client.aclose()


class NfsClient:
    """An NFS client of an export."""

    def __init__(self, name: str, server: Ganesha, export: str) -> None:
        self.name = name
        self._server = server
        self._export = export

    @contextmanager
    def _client(self, uid: int = 0) -> Iterator[Client]:
        client = self._server.client(self._export, uid, uid)
        try:
            yield client
        finally:
            client.aclose()

    def open(self, path: str, *, writes: bool = False) -> Opened:
        client = self._server.client(self._export)
        try:
            return _NfsOpened(client, f"/{path}", _READ_AND_WRITE[writes])
        except Refused:
            client.aclose()
            raise

    def create(self, path: str) -> None:
        with self._client() as client:
            client.close(client.open(f"/{path}", os.O_CREAT | os.O_RDWR))

    def remove(self, path: str) -> None:
        with self._client() as client:
            client.unlink(f"/{path}")

    def rename(self, path: str, new_path: str) -> None:
        with self._client() as client:
            client.rename(f"/{path}", f"/{new_path}")

    def close_to_others(self, path: str) -> None:
        with self._client() as client:
            client.chmod(f"/{path}", 0o600)

    def others_read(self, path: str) -> None:
        with self._client(NOBODY) as client:
            client.close(client.open(f"/{path}", os.O_RDONLY))
