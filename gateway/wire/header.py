"""The SMB2 packet header, synchronous and asynchronous ([MS-SMB2] 2.2.1)."""

import struct
from typing import Final

from gateway.wire.errors import WireError
from vfs_backends.native import mypyc_attr

__all__ = [
    "HEADER",
    "HEADER_SIZE",
    "NO_SIGNATURE",
    "SMB2_FLAGS_ASYNC_COMMAND",
    "SMB2_FLAGS_DFS_OPERATIONS",
    "SMB2_FLAGS_PRIORITY_MASK",
    "SMB2_FLAGS_RELATED_OPERATIONS",
    "SMB2_FLAGS_REPLAY_OPERATION",
    "SMB2_FLAGS_SERVER_TO_REDIR",
    "SMB2_FLAGS_SIGNED",
    "SMB2_MAGIC",
    "Header",
    "Opcode",
    "opcode_name",
]

SMB2_MAGIC: Final = b"\xfeSMB"
HEADER: Final = struct.Struct("<4sHHIHHIIQIIQ16s")
HEADER_SIZE: Final = 64
_unpack: Final = HEADER.unpack_from
NO_SIGNATURE: Final = bytes(16)

SMB2_FLAGS_SERVER_TO_REDIR: Final = 0x00000001
SMB2_FLAGS_ASYNC_COMMAND: Final = 0x00000002
SMB2_FLAGS_RELATED_OPERATIONS: Final = 0x00000004
SMB2_FLAGS_SIGNED: Final = 0x00000008
SMB2_FLAGS_PRIORITY_MASK: Final = 0x00000070
SMB2_FLAGS_DFS_OPERATIONS: Final = 0x10000000
SMB2_FLAGS_REPLAY_OPERATION: Final = 0x20000000


class Opcode:
    """The commands, as plain integers ([MS-SMB2] 2.2.1.2)."""

    NEGOTIATE: Final = 0x00
    SESSION_SETUP: Final = 0x01
    LOGOFF: Final = 0x02
    TREE_CONNECT: Final = 0x03
    TREE_DISCONNECT: Final = 0x04
    CREATE: Final = 0x05
    CLOSE: Final = 0x06
    FLUSH: Final = 0x07
    READ: Final = 0x08
    WRITE: Final = 0x09
    LOCK: Final = 0x0A
    IOCTL: Final = 0x0B
    CANCEL: Final = 0x0C
    ECHO: Final = 0x0D
    QUERY_DIRECTORY: Final = 0x0E
    CHANGE_NOTIFY: Final = 0x0F
    QUERY_INFO: Final = 0x10
    SET_INFO: Final = 0x11
    OPLOCK_BREAK: Final = 0x12
    SERVER_TO_CLIENT_NOTIFICATION: Final = 0x13


_NAMES: Final = {value: name for name, value in vars(Opcode).items() if not name.startswith("_")}


def opcode_name(command: int) -> str:
    """What [MS-SMB2] calls `command`, for logs."""
    return _NAMES.get(command, f"command {command:#06x}")


@mypyc_attr(free_list_len=1, acyclic=True)
class Header:
    """[MS-SMB2] 2.2.1.1 (async), 2.2.1.2 (sync).

    `async_id` counts if SMB2_FLAGS_ASYNC_COMMAND is set, `process_id` and `tree_id` otherwise; the other ones are zero.
    `status` of a request holds the channel sequence in its lower half (3.x). `credits` is requested or granted.
    """

    __slots__ = (
        "async_id",
        "command",
        "credit_charge",
        "credits",
        "flags",
        "message_id",
        "next_command",
        "process_id",
        "session_id",
        "signature",
        "status",
        "tree_id",
    )

    def __init__(
        self,
        credit_charge: int = 0,
        status: int = 0,
        command: int = 0,
        credits: int = 0,
        flags: int = 0,
        next_command: int = 0,
        message_id: int = 0,
        process_id: int = 0,
        tree_id: int = 0,
        async_id: int = 0,
        session_id: int = 0,
        signature: bytes = NO_SIGNATURE,
    ) -> None:
        self.credit_charge = credit_charge
        self.status = status
        self.command = command
        self.credits = credits
        self.flags = flags
        self.next_command = next_command
        self.message_id = message_id
        self.process_id = process_id
        self.tree_id = tree_id
        self.async_id = async_id
        self.session_id = session_id
        self.signature = signature

    @staticmethod
    def parse(message: memoryview) -> "Header":
        """Read the header that `message` begins with; raises `WireError` if it is short or not an SMB2 header."""
        try:
            magic, size, charge, status, command, credit, flags, following, mid, process, tree, session, signature = (
                _unpack(message)
            )
        except struct.error:
            raise WireError(f"{len(message)} bytes are no SMB2 header") from None
        if magic != SMB2_MAGIC or size != HEADER_SIZE:
            raise WireError(f"no SMB2 header: {magic.hex()}, structure size {size}")
        if flags & SMB2_FLAGS_ASYNC_COMMAND:
            async_id = tree << 32 | process
            return Header(charge, status, command, credit, flags, following, mid, 0, 0, async_id, session, signature)
        return Header(charge, status, command, credit, flags, following, mid, process, tree, 0, session, signature)

    @property
    def channel_sequence(self) -> int:
        """Of a request in 3.x: how often the client has lost its channels ([MS-SMB2] 2.2.1)."""
        return self.status & 0xFFFF

    def pack_into(self, buffer: bytearray | memoryview, offset: int = 0) -> None:
        """Write the 64 bytes of the header at `offset`."""
        if self.flags & SMB2_FLAGS_ASYNC_COMMAND:
            process, tree = self.async_id & 0xFFFFFFFF, self.async_id >> 32
        else:
            process, tree = self.process_id, self.tree_id
        HEADER.pack_into(
            buffer,
            offset,
            SMB2_MAGIC,
            HEADER_SIZE,
            self.credit_charge,
            self.status,
            self.command,
            self.credits,
            self.flags,
            self.next_command,
            self.message_id,
            process,
            tree,
            self.session_id,
            self.signature,
        )

    def to_bytes(self) -> bytes:
        """The 64 bytes of the header."""
        buffer = bytearray(HEADER_SIZE)
        self.pack_into(buffer)
        return bytes(buffer)
