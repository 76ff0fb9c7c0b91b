"""nfs-ganesha (Debian) as an NFSv4 server on the loopback interface, and libnfs as its client."""

import contextlib
import ctypes
import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

START_SECONDS = 20.0
_ERROR_LENGTH = 4096
_F_SETLK = 0
_numbers = itertools.count(1)


class _Stat(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blksize", "blocks"),
            *("atime", "mtime", "ctime", "atime_nsec", "mtime_nsec", "ctime_nsec", "used"),
        )
    )


class _Lock(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("whence", ctypes.c_int),
        ("pid", ctypes.c_uint32),
        ("start", ctypes.c_uint64),
        ("length", ctypes.c_uint64),
    )


class _Url(ctypes.Structure):
    _fields_ = (("server", ctypes.c_char_p), ("path", ctypes.c_char_p), ("file", ctypes.c_char_p))


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libnfs.so.13")
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    library.nfs_init_context.restype = pointer
    library.nfs_get_error.restype = ctypes.c_char_p
    library.nfs_parse_url_dir.restype = ctypes.POINTER(_Url)
    for name in ("nfs_pread", "nfs_pwrite"):
        getattr(library, name).argtypes = (pointer, pointer, number, number, pointer)
    library.nfs_fstat64.argtypes = (pointer, pointer, pointer)
    for name in ("nfs_close", "nfs_fsync"):
        getattr(library, name).argtypes = (pointer, pointer)
    library.nfs_fcntl.argtypes = (pointer, pointer, ctypes.c_int, pointer)
    return library


class Client:
    """An NFS client of its own; its calls wait, and are made one at a time. Raises OSError."""

    def __init__(self, port: int, export: str, uid: int = 0, gid: int = 0) -> None:
        self._nfs = library = _library()
        self._context = ctypes.c_void_p(library.nfs_init_context())
        # Clients of the same name and another verifier would be one that has started anew.
        library.nfs4_set_client_name(self._context, b"client %d of %d" % (next(_numbers), os.getpid()))
        url = f"nfs://127.0.0.1/{export}?version=4&nfsport={port}&uid={uid}&gid={gid}&dircache=0"
        parsed = library.nfs_parse_url_dir(self._context, url.encode())
        assert parsed, url
        place = parsed.contents
        try:
            self._check(library.nfs_mount(self._context, place.server, place.path), url)
        finally:
            library.nfs_destroy_url(parsed)

    def _check(self, result: int, what: str) -> int:
        if result < 0:
            said = self._nfs.nfs_get_error(self._context) or b""
            raise OSError(-result, f"{what}: {said.decode(errors='replace')}")
        return result

    def aclose(self) -> None:
        self._nfs.nfs_destroy_context(self._context)

    def open(self, path: str, flags: int, mode: int = 0o666) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        result = self._nfs.nfs_open2(self._context, path.encode(), flags, mode, ctypes.byref(handle))
        self._check(result, path)
        return handle

    def read(self, handle: ctypes.c_void_p, offset: int, size: int) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        count = self._check(self._nfs.nfs_pread(self._context, handle, offset, size, buffer), "read")
        return buffer.raw[:count]

    def write(self, handle: ctypes.c_void_p, offset: int, data: bytes) -> None:
        buffer = ctypes.create_string_buffer(data, len(data))
        self._check(self._nfs.nfs_pwrite(self._context, handle, offset, len(data), buffer), "write")

    def close(self, handle: ctypes.c_void_p) -> None:
        self._check(self._nfs.nfs_close(self._context, handle), "close")

    def lock(self, handle: ctypes.c_void_p, kind: int, start: int, length: int) -> bool:
        """F_RDLCK, F_WRLCK or F_UNLCK; whether it was granted."""
        lock = _Lock(kind, os.SEEK_SET, 0, start, length)
        result = self._nfs.nfs_fcntl(self._context, handle, _F_SETLK, ctypes.byref(lock))
        # The library has no error number for it.
        if result < 0 and b"NFS4ERR_DENIED" in self._nfs.nfs_get_error(self._context):
            return False
        self._check(result, "lock")
        return True

    def stat(self, path: str) -> _Stat:
        found = _Stat()
        self._check(self._nfs.nfs_stat64(self._context, path.encode(), ctypes.byref(found)), path)
        return found

    def stat_open(self, handle: ctypes.c_void_p) -> _Stat:
        """The same by the file handle of an open, which does not go by the state of the open."""
        found = _Stat()
        self._check(self._nfs.nfs_fstat64(self._context, handle, ctypes.byref(found)), "stat of an open file")
        return found

    def chmod(self, path: str, mode: int) -> None:
        self._check(self._nfs.nfs_chmod(self._context, path.encode(), mode), path)

    def mkdir(self, path: str) -> None:
        self._check(self._nfs.nfs_mkdir(self._context, path.encode()), path)

    def unlink(self, path: str) -> None:
        self._check(self._nfs.nfs_unlink(self._context, path.encode()), path)

    def rename(self, path: str, new_path: str) -> None:
        self._check(self._nfs.nfs_rename(self._context, path.encode(), new_path.encode()), path)


_CONFIGURATION = """
NFS_CORE_PARAM {{
  Protocols = 4; NFS_Port = {port}; Bind_addr = 127.0.0.1;
  Enable_NLM = false; Enable_RQUOTA = false;
  Plugins_Dir = {plugins};
}}
NFSv4 {{ RecoveryRoot = {state}; Graceless = true; Only_Numeric_Owners = true; Delegations = false; }}
MDCACHE {{ Dir_Chunk = 0; }}
EXPORT_DEFAULTS {{
  SecType = sys; Squash = none; Access_Type = RW; Protocols = 4; Transports = TCP; Attr_Expiration_Time = 0;
}}
LOG {{ Default_Log_Level = EVENT; }}
"""
_EXPORT = "EXPORT {{ Export_Id = {number}; Path = {path}; Pseudo = /{name}; FSAL {{ Name = VFS; }} }}\n"
_PLUGINS = "/usr/lib/{}-linux-gnu/ganesha"


@dataclass(frozen=True, slots=True)
class Ganesha:
    """An NFS server that runs."""

    port: int
    log: Path

    def client(self, export: str, uid: int = 0, gid: int = 0) -> Client:
        return Client(self.port, export, uid, gid)


@contextlib.contextmanager
def ganesha(directory: Path, exports: Mapping[str, Path], port: int = 0) -> Iterator[Ganesha]:
    """nfs-ganesha, which exports directories by FSAL_VFS under these names; what it needs is below `directory`."""
    directory.mkdir()
    port, log = port or free_port(), directory / "log"
    plugins = _PLUGINS.format(os.uname().machine)
    configuration = _CONFIGURATION.format(port=port, state=directory, plugins=plugins)
    for number, (name, path) in enumerate(exports.items(), 1):
        configuration += _EXPORT.format(number=number, path=path, name=name)
    (directory / "ganesha.conf").write_text(configuration)
    command = [
        "ganesha.nfsd",
        "-F",
        "-L",
        str(log),
        "-f",
        str(directory / "ganesha.conf"),
        "-p",
        str(directory / "pid"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while "NFS SERVER INITIALIZED" not in (log.read_text(errors="replace") if log.exists() else ""):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
        yield Ganesha(port, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
