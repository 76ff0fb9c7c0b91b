"""What goes wrong in a remote procedure call ([MS-RPCE] 2.2.2.9, [C706] appendix E, [MS-ERREF] 2.2)."""

from enum import IntEnum


class RpcError(Exception):
    """A peer's bytes are no valid NDR or no valid PDU. Never leaves a pipe: it becomes a fault."""


class FaultStatus(IntEnum):
    """Status codes of fault PDUs ([C706] appendix E, [MS-RPCE] 2.2.2.9)."""

    ACCESS_DENIED = 0x00000005
    BAD_STUB_DATA = 0x000006F7
    OP_RNG_ERROR = 0x1C010002
    UNK_IF = 0x1C010003
    PROTO_ERROR = 0x1C01000B
    INVALID_TAG = 0x1C000006
    CONTEXT_MISMATCH = 0x1C00001A
    REMOTE_NO_MEMORY = 0x1C00001B


class RpcFault(Exception):
    """A call cannot be answered; the peer is sent a fault PDU with `status`."""

    def __init__(self, status: FaultStatus) -> None:
        super().__init__(status.name)
        self.status = status


class Win32Error(IntEnum):
    """Return values of the operations ([MS-ERREF] 2.2, LMERR codes of [MS-SRVS] 2.2.2)."""

    SUCCESS = 0
    ACCESS_DENIED = 5
    INVALID_PARAMETER = 87
    INVALID_NAME = 123
    INVALID_LEVEL = 124
    MORE_DATA = 234
    NET_NAME_NOT_FOUND = 2310
    DEVICE_NOT_SHARED = 2311
