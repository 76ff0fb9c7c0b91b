"""Information classes of named pipes ([MS-FSCC] 2.4.37 to 2.4.39)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final

from gateway.nt import constants as nt
from gateway.nt.status import STATUS_INVALID_PARAMETER, StatusError
from gateway.smb.info.buffers import check_minimum, cut
from gateway.smb.info.file import FILE_CLASSES

__all__ = ["PipeInfo", "pack_pipe_info"]

_INFORMATION: Final = Struct("<II")
_LOCAL: Final = Struct("<IIIIIIIIII")
_REMOTE: Final = Struct("<QI4x")

_MESSAGE_TYPE: Final = 1
_FULL_DUPLEX: Final = 2
_CONNECTED_STATE: Final = 3
_UNLIMITED: Final = 0xFFFFFFFF


@dataclass(slots=True)
class PipeInfo:
    """The client's end of an open pipe in message mode. Sizes in bytes."""

    read_mode: int = 1
    """FILE_PIPE_BYTE_STREAM_MODE (0) or FILE_PIPE_MESSAGE_MODE (1)."""
    completion_mode: int = 0
    """FILE_PIPE_QUEUE_OPERATION (0) or FILE_PIPE_COMPLETE_OPERATION (1)."""
    quota: int = 65536
    available: int = 0
    """What can be read now."""
    instances: int = 1


def pack_pipe_info(info_class: int, pipe: PipeInfo, limit: int) -> tuple[int, bytes]:
    """The answer for one of the three classes of pipes, and its status.

    Raises StatusError: INVALID_PARAMETER for another class, INFO_LENGTH_MISMATCH for too little room.
    """
    pack = _PACKERS.get(info_class)
    if pack is None:
        raise StatusError(STATUS_INVALID_PARAMETER)
    check_minimum(limit, FILE_CLASSES[info_class].minimum)
    return cut(pack(pipe), limit)


def _information(pipe: PipeInfo) -> bytes:
    return _INFORMATION.pack(pipe.read_mode, pipe.completion_mode)


def _local(pipe: PipeInfo) -> bytes:
    return _LOCAL.pack(
        _MESSAGE_TYPE,
        _FULL_DUPLEX,
        _UNLIMITED,
        pipe.instances,
        pipe.quota,
        pipe.available,
        pipe.quota,
        pipe.quota,
        _CONNECTED_STATE,
        0,
    )


def _remote(pipe: PipeInfo) -> bytes:
    return _REMOTE.pack(0, 0)


_PACKERS: Final[Mapping[int, Callable[[PipeInfo], bytes]]] = {
    nt.FILE_PIPE_INFORMATION: _information,
    nt.FILE_PIPE_LOCAL_INFORMATION: _local,
    nt.FILE_PIPE_REMOTE_INFORMATION: _remote,
}
