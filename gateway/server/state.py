"""What the server keeps from run to run, beside the accounts. All of it is for its owner's eyes only."""

import os
import tempfile
from functools import partial
from pathlib import Path

from acl.errors import AclError
from acl.idmap import IdMap, dump_machine_sid, load_foreign, load_machine_sid, machine_sid
from acl.sid import Sid
from gateway.config.server_parameters import GlobalConfig
from gateway.server.errors import ServerError
from gateway.server.idmap import LiveIdMap

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
        text = self._read(path)
        if text is None:
            sid = machine_sid(os.urandom(12))
            self._write(path, dump_machine_sid(sid))
            return sid
        try:
            return load_machine_sid(text)
        except AclError as error:
            raise ServerError(f"{path}: {error}; restore it, or remove it to get a new one") from error

    def idmap(self, config: GlobalConfig) -> LiveIdMap:
        """The SIDs of users and groups; those of other domains are in the file `idmap`. Raises `ServerError`."""
        path = self._path / "idmap"
        try:
            foreign = load_foreign(self._read(path) or "")
        except AclError as error:
            raise ServerError(f"{path}: {error}") from error
        first, _, last = config.idmap_range.partition("-")
        idmap = IdMap(self.machine_sid(), config.idmap_scheme, foreign)
        return LiveIdMap(idmap, partial(self._write, path), int(first), int(last))

    def guid(self) -> bytes:
        """The server's GUID: made once, and the same ever after. Raises `ServerError`."""
        path = self._path / "server.guid"
        text = self._read(path)
        if text is None:
            guid = os.urandom(_GUID_SIZE)
            self._write(path, guid.hex() + "\n")
            return guid
        try:
            guid = bytes.fromhex(text.strip())
        except ValueError as error:
            raise ServerError(f"{path}: {error}; restore it, or remove it to get a new one") from error
        if len(guid) != _GUID_SIZE:
            raise ServerError(f"{path}: not {_GUID_SIZE} bytes; restore it, or remove it to get a new one")
        return guid

    def _read(self, path: Path) -> str | None:
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ServerError(f"cannot read {path}: {error}") from error

    def _write(self, path: Path, text: str) -> None:
        """Write a file that is either there as a whole or not at all."""
        self.prepare()
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=self._path)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        except OSError as error:
            raise ServerError(f"cannot write {path}: {error.strerror}") from error
