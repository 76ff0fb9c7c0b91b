"""SMB clients: smbprotocol, with leases, and Samba's programs where these do what it cannot."""

import queue
import secrets
import struct
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from smbprotocol.change_notify import CompletionFilter, FileSystemWatcher
from smbprotocol.create_contexts import SMB2CreateContextRequest, SMB2CreateRequestLeaseV2
from smbprotocol.exceptions import SMBResponseException
from smbprotocol.file_info import FileAttributes
from smbprotocol.header import Commands
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    DirectoryAccessMask,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    LockFlags,
    Open,
    RequestedOplockLevel,
    SMB2LockElement,
)
from smbprotocol.structure import BytesField, IntField, Structure
from smbprotocol.tree import TreeConnect

from tests.interop.port_445 import on_port_445
from tests.interop.servers import Server
from tests.interop.smbprotocol_peer import HOST, Peer, smbprotocol_peer
from tests.matrix.actors import Refused

__all__ = ["SHARE_ALL", "SHARE_NONE", "SHARE_READ", "Break", "SmbClient", "smb_client"]

READ, HANDLE, WRITE = 1, 2, 4
SHARE_NONE, SHARE_READ, SHARE_ALL = 0, 1, 7
_LETTERS = {"R": READ, "H": HANDLE, "W": WRITE}
_UNSOLICITED = 0xFFFFFFFFFFFFFFFF
_BREAK = struct.Struct("<HHI16sII")
_MASK = FilePipePrinterAccessMask


class Break(NamedTuple):
    """A lease that has to be given up, down to `state`."""

    key: bytes
    state: int
    must_be_acknowledged: bool


class _Acknowledgment(Structure):  # type: ignore[misc]  # smbprotocol has no types
    """[MS-SMB2] 2.2.24.2, which smbprotocol does not have."""

    COMMAND = Commands.SMB2_OPLOCK_BREAK

    def __init__(self) -> None:
        self.fields = OrderedDict(
            [
                ("structure_size", IntField(size=2, default=36)),
                ("reserved", IntField(size=2)),
                ("flags", IntField(size=4)),
                ("lease_key", BytesField(size=16)),
                ("lease_state", IntField(size=4)),
                ("lease_duration", IntField(size=8)),
            ]
        )
        super().__init__()


class _Breaks:
    """Stands among the requests of a connection for what the server sends without being asked."""

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id
        self.async_id = None
        self.response_event_lock = threading.Lock()
        self.response_event = threading.Event()
        self.message = {"reserved": IntField(size=4, default=0)}
        self.told: queue.SimpleQueue[Break] = queue.SimpleQueue()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "response":
            _, _, flags, key, _, state = _BREAK.unpack_from(value["data"].get_value())
            self.told.put(Break(key, state, bool(flags & 1)))
        object.__setattr__(self, name, value)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except SMBResponseException as error:
        raise Refused(str(error)) from error


class _SmbOpened:
    """A file that is open, with a lease or without."""

    def __init__(self, client: "SmbClient", path: str, *, writes: bool, share: int, lease: str) -> None:
        self.client = client
        self._open = Open(client.tree, path.replace("/", "\\"))
        self.key = secrets.token_bytes(16)
        self.lease = ""
        """What was granted."""
        contexts, level = [], RequestedOplockLevel.SMB2_OPLOCK_LEVEL_NONE
        if lease:
            wanted = SMB2CreateRequestLeaseV2()
            wanted["lease_key"] = self.key
            wanted["lease_state"] = sum(_LETTERS[letter] for letter in lease)
            wanted["parent_lease_key"], wanted["epoch"] = bytes(16), bytes(2)
            context = SMB2CreateContextRequest()
            context["buffer_name"] = b"RqLs"
            context["buffer_data"] = wanted
            contexts, level = [context], RequestedOplockLevel.SMB2_OPLOCK_LEVEL_LEASE
        access = _MASK.FILE_READ_DATA | _MASK.FILE_READ_ATTRIBUTES
        if writes:
            access |= _MASK.FILE_WRITE_DATA | _MASK.FILE_APPEND_DATA
        with _refusals():
            answers = self._open.create(
                ImpersonationLevel.Impersonation,
                access,
                FileAttributes.FILE_ATTRIBUTE_NORMAL,
                share,
                CreateDisposition.FILE_OPEN,
                CreateOptions.FILE_NON_DIRECTORY_FILE,
                create_contexts=contexts or None,
                oplock_level=level,
            )
        for answer in answers or ():
            if "lease_state" in answer.fields:
                self.lease = letters(answer["lease_state"].get_value())

    def read(self, offset: int, size: int) -> bytes:
        with _refusals():
            return bytes(self._open.read(offset, size))

    def write(self, offset: int, data: bytes) -> None:
        with _refusals():
            self._open.write(data, offset)

    def lock(self, offset: int, length: int) -> None:
        element = SMB2LockElement()
        element["offset"], element["length"] = offset, length
        element["flags"] = LockFlags.SMB2_LOCKFLAG_EXCLUSIVE_LOCK | LockFlags.SMB2_LOCKFLAG_FAIL_IMMEDIATELY
        with _refusals():
            self._open.lock([element])

    def close(self) -> None:
        with _refusals():
            self._open.close()


def letters(state: int) -> str:
    """`RH`, `RWH` and the like; `nothing`."""
    return "".join(letter for letter in "RWH" if state & _LETTERS[letter]) or "nothing"


class SmbClient:
    """smbprotocol, logged on and in the share `share`."""

    def __init__(self, name: str, server: Server, peer: Peer, stranger: tuple[str, str]) -> None:
        self.name = name
        self._server = server
        self._stranger = stranger
        self._peer = peer
        self.tree = TreeConnect(peer.session, rf"\\{HOST}\share")
        self.tree.connect()
        self._breaks = _Breaks(peer.session.session_id)
        peer.connection.outstanding_requests[_UNSOLICITED] = self._breaks

    def open(self, path: str, *, writes: bool = False, share: int = SHARE_ALL, lease: str = "") -> _SmbOpened:
        return _SmbOpened(self, path, writes=writes, share=share, lease=lease)

    def told(self, seconds: float) -> Break | None:
        """The next break of a lease, if there is one within so many seconds."""
        try:
            return self._breaks.told.get(timeout=seconds)
        except queue.Empty:
            return None

    def acknowledge(self, told: Break) -> None:
        answer = _Acknowledgment()
        answer["lease_key"], answer["lease_state"] = told.key, told.state
        connection = self._peer.connection
        request = connection.send(answer, self._peer.session.session_id, self.tree.tree_connect_id)
        connection.receive(request, timeout=20)

    def create(self, path: str) -> None:
        self._call("open_file", path, mode="xb").close()

    def remove(self, path: str) -> None:
        self._call("remove", path)

    def rename(self, path: str, new_path: str) -> None:
        with _refusals():
            self._peer.call("rename", self._peer.path(path), self._peer.path(new_path))

    def _call(self, function: str, path: str, **keywords: Any) -> Any:
        with _refusals():
            return self._peer.call(function, self._peer.path(path), **keywords)

    def close_to_others(self, path: str) -> None:
        entry = "ACL:S-1-22-1-0:0/0/0x001f01ff"
        words = ["smbcacls", f"//{HOST}/share", path, "-s", "/dev/null", "-S", entry]
        with on_port_445(self._server.port) as run:
            done = run([*words, "-U", f"{self._server.user}%{self._server.password}"])
        assert done.returncode == 0, done.stdout + done.stderr

    def others_read(self, path: str) -> None:
        user, password = self._stranger
        words = [f"//{HOST}/share", "-p", str(self._server.port), "-U", f"{user}%{password}", "-c", f'get "{path}" -']
        done = subprocess.run(["smbclient", *words], check=False, capture_output=True, timeout=30, text=True)
        if done.returncode:
            assert "NT_STATUS_ACCESS_DENIED" in done.stdout + done.stderr
            raise Refused(done.stdout)

    @contextmanager
    def watch(self, path: str) -> Iterator[Callable[[float], bool]]:
        """A directory. Gives what tells if something was made in it within so many seconds."""
        directory = Open(self.tree, path.replace("/", "\\"))
        directory.create(
            ImpersonationLevel.Impersonation,
            DirectoryAccessMask.FILE_LIST_DIRECTORY,
            FileAttributes.FILE_ATTRIBUTE_DIRECTORY,
            SHARE_ALL,
            CreateDisposition.FILE_OPEN,
            CreateOptions.FILE_DIRECTORY_FILE,
        )
        watcher = FileSystemWatcher(directory)
        watcher.start(CompletionFilter.FILE_NOTIFY_CHANGE_FILE_NAME)
        try:
            yield watcher.response_event.wait
        finally:
            directory.close()


@contextmanager
def smb_client(name: str, server: Server, stranger: tuple[str, str]) -> Iterator[SmbClient]:
    """`stranger`: the account and the password of somebody else."""
    with smbprotocol_peer(server) as peer:
        yield SmbClient(name, server, peer, stranger)
