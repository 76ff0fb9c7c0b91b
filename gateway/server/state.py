"""What the server keeps from run to run, beside the accounts. All of it is for its owner's eyes only."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from acl.errors import AclError
from acl.idmap import IdMap, dump_foreign, dump_machine_sid, load_foreign, load_machine_sid, machine_sid
from acl.sid import Sid
from gateway.config.server_parameters import GlobalConfig
from gateway.files import locked_directory, replace_file
from gateway.server.errors import ServerError
from gateway.server.idmap import Foreign, ForeignTable, LiveIdMap

__all__ = ["StateDirectory"]

_GUID_SIZE = 16


class StateDirectory:
    """The directory `state directory` names; made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        """Make the directory. Raises `ServerError`."""
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ServerError(
                f"cannot make the state directory {self._path}: {error.strerror}; name another with `state directory`"
            ) from error

    def machine_sid(self) -> Sid:
        """The machine's SID: made once, of random numbers, and the same ever after. Raises `ServerError`."""
        path = self._path / "machine.sid"
        text = self.read(path)
        if text is None:
            sid = machine_sid(os.urandom(12))
            self.write(path, dump_machine_sid(sid))
            return sid
        try:
            return load_machine_sid(text)
        except AclError as error:
            raise ServerError(f"{path}: {error}; restore it, or remove it to get a new one") from error

    def idmap(self, config: GlobalConfig) -> LiveIdMap:
        """The SIDs of users and groups; those of other domains are in the file `idmap`. Raises `ServerError`."""
        table = self.foreign()
        first, _, last = config.idmap_range.partition("-")
        idmap = IdMap(self.machine_sid(), config.idmap_scheme, table.changed() or {})
        return LiveIdMap(idmap, table, int(first), int(last))

    def foreign(self) -> ForeignTable:
        """The file `idmap`."""
        return _IdMapFile(self, self._path / "idmap")

    def guid(self) -> bytes:
        """The server's GUID: made once, and the same ever after. Raises `ServerError`."""
        path = self._path / "server.guid"
        text = self.read(path)
        if text is None:
            guid = os.urandom(_GUID_SIZE)
            self.write(path, guid.hex() + "\n")
            return guid
        try:
            guid = bytes.fromhex(text.strip())
        except ValueError as error:
            raise ServerError(f"{path}: {error}; restore it, or remove it to get a new one") from error
        if len(guid) != _GUID_SIZE:
            raise ServerError(f"{path}: not {_GUID_SIZE} bytes; restore it, or remove it to get a new one")
        return guid

    def read(self, path: Path) -> str | None:
        """What stands in a file, None if there is none. Raises `ServerError`."""
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ServerError(f"cannot read {path}: {error}") from error

    def write(self, path: Path, text: str) -> None:
        """Write a file that is either there as a whole or not at all. Raises `ServerError`."""
        self.prepare()
        try:
            replace_file(path, text)
        except OSError as error:
            raise ServerError(f"cannot write {path}: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While this lasts no other process is here. Raises `ServerError`."""
        self.prepare()
        try:
            with locked_directory(self._path):
                yield
        except OSError as error:
            raise ServerError(f"cannot lock {self._path}: {error.strerror}") from error


class _IdMapFile:
    """A table of foreign SIDs in a file, which administrators may edit."""

    def __init__(self, state: StateDirectory, path: Path) -> None:
        self._state = state
        self._path = path
        self._stamp: tuple[int, int, int] | None = None

    def changed(self) -> Foreign | None:
        stamp = self._find_stamp()
        if stamp == self._stamp:
            return None
        foreign = self._load()
        self._stamp = stamp
        return foreign

    def update(self, change: Callable[[Foreign], Foreign]) -> Foreign:
        with self._state.locked():
            before = self._load()
            after = change(before)
            if after != before:
                self._state.write(self._path, dump_foreign(after))
            self._stamp = self._find_stamp()
        return after

    def _load(self) -> Foreign:
        try:
            return load_foreign(self._state.read(self._path) or "")
        except AclError as error:
            raise ServerError(f"{self._path}: {error}") from error

    def _find_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:  # whether it can be read is found out by reading it
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
