"""Requests that have not been sent, and what they are about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.crypto.keys import SessionKeys
from gateway.crypto.sealing import NonceSequence, Sealer
from gateway.crypto.signing import Signer
from gateway.nt.constants import FILE_OPEN_IF
from gateway.wire.change_notify import ChangeNotifyRequest
from gateway.wire.close import CloseRequest
from gateway.wire.create import CreateRequest, CreateResponse
from gateway.wire.flush import FlushRequest
from gateway.wire.header import (
    SMB2_FLAGS_RELATED_OPERATIONS,
    Opcode,
)
from gateway.wire.ioctl import IoctlRequest
from gateway.wire.lock import LockElement, LockRequest
from gateway.wire.query_directory import QueryDirectoryRequest
from gateway.wire.query_info import QueryInfoRequest
from gateway.wire.read import ReadRequest
from gateway.wire.set_info import SetInfoRequest
from gateway.wire.write import WriteRequest

RELATED = SMB2_FLAGS_RELATED_OPERATIONS
ANY = 0xFFFF_FFFF_FFFF_FFFF
ANY_FILE = (ANY, ANY)
ALL_ACCESS = 0x001F01FF
SHARE_ALL = 7
EXCLUSIVE, SHARED, UNLOCK, NOW = 2, 1, 4, 0x10


@dataclass
class ClientSession:
    """A log-on, with the keys that came of it."""

    session_id: int
    keys: SessionKeys | None = None
    signer: Signer | None = None
    sealer: Sealer | None = None
    opener: Sealer | None = None
    nonces: NonceSequence | None = None
    signs: bool = False
    seals: bool = False
    flags: int = 0


@dataclass
class File:
    """An open, as the client knows it."""

    tree: int
    file_id: tuple[int, int]
    response: CreateResponse = field(repr=False, default_factory=CreateResponse)

    @property
    def ids(self) -> dict[str, Any]:
        """As the fields of requests."""
        return {"persistent_file_id": self.file_id[0], "volatile_file_id": self.file_id[1]}


@dataclass
class Call:
    """A request that has not been sent: what `Client.send` takes."""

    command: int
    body: Any
    tree: int = 0
    session: ClientSession | int | None = None
    flags: int = 0
    charge: int = 1
    credits: int = 1
    message_id: int | None = None
    async_id: int = 0
    sign: bool | None = None
    sequence: int = 0
    """How often the client has lost its channels."""


class Calls:
    """What `Client.send` takes."""

    def create_call(
        self,
        tree: int,
        path: str = "",
        *,
        access: int = ALL_ACCESS,
        share: int = SHARE_ALL,
        disposition: int = FILE_OPEN_IF,
        options: int = 0,
        attributes: int = 0,
        contexts: Sequence[tuple[bytes, bytes]] = (),
        **more,
    ) -> Call:
        request = CreateRequest(
            impersonation_level=2,
            desired_access=access,
            share_access=share,
            create_disposition=disposition,
            create_options=options,
            file_attributes=attributes,
            name=path,
            contexts=tuple(contexts),  # type: ignore[arg-type]  # pairs do as well
        )
        return Call(Opcode.CREATE, request, tree, **more)

    def write_call(self, file: File, data: bytes, offset: int = 0, **more) -> Call:
        request = WriteRequest(offset=offset, **file.ids, data=memoryview(data))
        return Call(Opcode.WRITE, request, file.tree, **{"charge": max(1, -(-len(data) // 65536)), **more})

    def read_call(self, file: File, length: int, offset: int = 0, **more) -> Call:
        request = ReadRequest(length=length, offset=offset, **file.ids)
        return Call(Opcode.READ, request, file.tree, **{"charge": max(1, -(-length // 65536)), **more})

    def close_call(self, file: File, flags: int = 0, **more) -> Call:
        return Call(Opcode.CLOSE, CloseRequest(24, flags, 0, *file.file_id), file.tree, **more)

    def flush_call(self, file: File, **more) -> Call:
        request = FlushRequest(**file.ids)
        return Call(Opcode.FLUSH, request, file.tree, **more)

    def related_close(self) -> Call:
        """CLOSE of the file that the element before it means."""
        return Call(Opcode.CLOSE, CloseRequest(24, 0, 0, *ANY_FILE), 0xFFFFFFFF, flags=RELATED)

    def lock_call(self, file: File, *locks: tuple[int, int, int], **more) -> Call:
        request = LockRequest(**file.ids, locks=tuple(LockElement(*one) for one in locks))
        return Call(Opcode.LOCK, request, file.tree, **more)

    def notify_call(self, file: File, **more) -> Call:
        return Call(Opcode.CHANGE_NOTIFY, ChangeNotifyRequest(32, 0, 4096, *file.file_id, 0xFFF), file.tree, **more)

    def set_info_call(self, file: File, info_class: int, data: bytes, **more) -> Call:
        request = SetInfoRequest(
            info_type=1,
            file_info_class=info_class,
            **file.ids,
            buffer=memoryview(data),
        )
        return Call(Opcode.SET_INFO, request, file.tree, **more)

    def query_info_call(self, file: File, info_class: int, length: int = 4096, **more) -> Call:
        request = QueryInfoRequest(
            info_type=1,
            file_info_class=info_class,
            output_buffer_length=length,
            **file.ids,
        )
        return Call(Opcode.QUERY_INFO, request, file.tree, **more)

    def list_call(self, file: File, length: int = 65536, pattern: str = "*", flags: int = 0, **more) -> Call:
        request = QueryDirectoryRequest(
            file_information_class=37,
            flags=flags,
            **file.ids,
            output_buffer_length=length,
            pattern=pattern,
        )
        return Call(Opcode.QUERY_DIRECTORY, request, file.tree, **more)

    def ioctl_call(
        self, tree: int, code: int, data: bytes = b"", most: int = 4096, file: File | None = None, **more
    ) -> Call:
        request = IoctlRequest(
            ctl_code=code,
            **(file or File(tree, ANY_FILE)).ids,
            max_output_response=most,
            flags=1,
            input=memoryview(data),
        )
        return Call(Opcode.IOCTL, request, tree, **more)
