"""Information classes of files that can be set ([MS-FSCC] 2.4, [MS-SMB2] 3.3.5.21.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from acl.mask import DELETE, FILE_WRITE_ATTRIBUTES, FILE_WRITE_DATA, FILE_WRITE_EA
from gateway.nt import constants as nt
from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    StatusError,
)
from gateway.smb.info.ea import parse_full_ea
from gateway.wire.errors import WireError
from gateway.wire.pieces import take, utf16
from vfs_backends.native import mypyc_attr

__all__ = [
    "LEAVE_TIME",
    "RESUME_TIME",
    "SETTABLE_MODE",
    "SET_CLASSES",
    "SUSPEND_TIME",
    "BasicChange",
    "Disposition",
    "EaChange",
    "LinkTarget",
    "ModeChange",
    "PipeChange",
    "PositionChange",
    "RenameTarget",
    "SetClass",
    "SetRequest",
    "ShortNameChange",
    "SizeChange",
    "check_attributes",
    "parse_set_info",
    "set_class",
]

LEAVE_TIME: Final = 0
"""A time that is not to be changed."""
SUSPEND_TIME: Final = -1
"""A time that operations on this open shall not update from now on."""
RESUME_TIME: Final = -2
"""A time that operations on this open shall update again."""

_BASIC: Final = Struct("<qqqqI4x")
_RENAME: Final = Struct("<B7xQI")
_RENAME_EX: Final = Struct("<I4xQI")
_BYTE: Final = Struct("<B")
_LONG: Final = Struct("<I")
_SIGNED: Final = Struct("<q")
_PIPE: Final = Struct("<II")

SETTABLE_MODE: Final = (
    nt.FILE_WRITE_THROUGH | nt.FILE_SEQUENTIAL_ONLY | nt.FILE_SYNCHRONOUS_IO_ALERT | nt.FILE_SYNCHRONOUS_IO_NONALERT
)
"""The create options that FileModeInformation may change."""


@dataclass(slots=True)
class BasicChange:
    """Times are FILETIMEs, or LEAVE_TIME, SUSPEND_TIME, RESUME_TIME."""

    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    file_attributes: int
    """Zero leaves them as they are."""


@dataclass(slots=True)
class _Target:
    """A further flag of the Ex forms, of POSIX semantics, is for volumes with FILE_SUPPORTS_POSIX_UNLINK_RENAME."""

    name: str
    replace_if_exists: bool
    ignore_readonly: bool = False


class RenameTarget(_Target):
    """FileRenameInformation and its Ex form: relative to the share, or, from a colon on, a stream of the same file."""

    __slots__ = ()


class LinkTarget(_Target):
    """FileLinkInformation and its Ex form: relative to the share."""

    __slots__ = ()


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass(init=False)
class Disposition:
    """FileDispositionInformation and its Ex form."""

    delete: bool
    posix_semantics: bool
    on_close: bool
    """`delete` sets or clears FILE_DELETE_ON_CLOSE of the open instead."""
    ignore_readonly: bool

    def __init__(
        self, delete: bool, posix_semantics: bool = False, on_close: bool = False, ignore_readonly: bool = False
    ) -> None:
        self.delete = delete
        self.posix_semantics = posix_semantics
        self.on_close = on_close
        self.ignore_readonly = ignore_readonly


@dataclass(slots=True)
class PositionChange:
    """The current byte offset."""

    position: int


@dataclass(slots=True)
class ModeChange:
    """The create options that may still be changed."""

    mode: int


@dataclass(slots=True)
class SizeChange:
    """FileAllocation-, FileEndOfFile- or FileValidDataLengthInformation: which of them the class tells. In bytes."""

    size: int


@dataclass(slots=True)
class EaChange:
    """Extended attributes to set, in this order; one without a value is to be removed."""

    attributes: list[ExtendedAttribute]


@dataclass(slots=True)
class ShortNameChange:
    """The 8.3 name to be given to the file; empty removes it."""

    name: str


@dataclass(slots=True)
class PipeChange:
    """Modes of the client's end of a pipe."""

    read_mode: int
    completion_mode: int


SetRequest: TypeAlias = (
    BasicChange
    | RenameTarget
    | LinkTarget
    | Disposition
    | PositionChange
    | ModeChange
    | SizeChange
    | EaChange
    | ShortNameChange
    | PipeChange
)


class SetClass(NamedTuple):
    """An information class that can be set."""

    parse: Callable[[memoryview], SetRequest]
    minimum: int
    """The least that a client must send, in bytes."""
    access: int = 0
    """What the open must have been granted."""


def set_class(info_class: int) -> SetClass:
    """The class of that number. Raises StatusError: NOT_SUPPORTED, INVALID_INFO_CLASS."""
    found = SET_CLASSES.get(info_class)
    if found is None:
        raise StatusError(STATUS_NOT_SUPPORTED if info_class in _NOT_SET else STATUS_INVALID_INFO_CLASS)
    return found


def parse_set_info(entry: SetClass, data: memoryview) -> SetRequest:
    """What a client wants to be set.

    Raises `WireError` for lengths that lead outside; StatusError: INFO_LENGTH_MISMATCH for too few bytes,
    INVALID_PARAMETER for values that cannot be, and what `parse_full_ea` raises.
    """
    if len(data) < entry.minimum:
        raise StatusError(STATUS_INFO_LENGTH_MISMATCH)
    return entry.parse(data)


def check_attributes(attributes: int, *, is_directory: bool) -> None:
    """Raises StatusError (INVALID_PARAMETER) if a file of this kind cannot have them ([MS-FSA] 2.1.5.15.2)."""
    misplaced = nt.FILE_ATTRIBUTE_TEMPORARY if is_directory else nt.FILE_ATTRIBUTE_DIRECTORY
    if attributes & misplaced:
        raise StatusError(STATUS_INVALID_PARAMETER)


def _basic(data: memoryview) -> BasicChange:
    change = BasicChange(*_BASIC.unpack_from(data))
    earliest = min(change.creation_time, change.last_access_time, change.last_write_time, change.change_time)
    if earliest < RESUME_TIME:
        raise StatusError(STATUS_INVALID_PARAMETER)
    return change


def _target_name(data: memoryview, root_directory: int, length: int) -> str:
    """A root directory is for local callers only ([MS-SMB2] 3.3.5.21.1)."""
    if root_directory or not length:
        raise StatusError(STATUS_INVALID_PARAMETER)
    return utf16(take(data, _RENAME.size, length))


def _target(kind: type[RenameTarget | LinkTarget], data: memoryview) -> RenameTarget | LinkTarget:
    replace, root_directory, length = _RENAME.unpack_from(data)
    return kind(_target_name(data, root_directory, length), replace != 0)


def _target_ex(kind: type[RenameTarget | LinkTarget], data: memoryview) -> RenameTarget | LinkTarget:
    flags, root_directory, length = _RENAME_EX.unpack_from(data)
    replace = flags & nt.FILE_RENAME_REPLACE_IF_EXISTS != 0
    ignore_readonly = flags & nt.FILE_RENAME_IGNORE_READONLY_ATTRIBUTE != 0
    return kind(_target_name(data, root_directory, length), replace, ignore_readonly)


def _disposition(data: memoryview) -> Disposition:
    return Disposition(data[0] != 0)


def _disposition_ex(data: memoryview) -> Disposition:
    (flags,) = _LONG.unpack_from(data)
    return Disposition(
        flags & nt.FILE_DISPOSITION_DELETE != 0,
        flags & nt.FILE_DISPOSITION_POSIX_SEMANTICS != 0,
        flags & nt.FILE_DISPOSITION_ON_CLOSE != 0,
        flags & nt.FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE != 0,
    )


def _not_negative(data: memoryview) -> int:
    value: int = _SIGNED.unpack_from(data)[0]
    if value < 0:
        raise StatusError(STATUS_INVALID_PARAMETER)
    return value


def _mode(data: memoryview) -> ModeChange:
    mode: int = _LONG.unpack_from(data)[0]
    if mode & ~SETTABLE_MODE:
        raise StatusError(STATUS_INVALID_PARAMETER)
    return ModeChange(mode)


def _full_ea(data: memoryview) -> EaChange:
    return EaChange(parse_full_ea(data))


def _short_name(data: memoryview) -> ShortNameChange:
    (length,) = _LONG.unpack_from(data)
    return ShortNameChange(utf16(take(data, _LONG.size, length)))


def _pipe(data: memoryview) -> PipeChange:
    read_mode, completion_mode = _PIPE.unpack_from(data)
    if read_mode > 1 or completion_mode > 1:
        raise WireError(f"pipe modes {read_mode}, {completion_mode}")
    return PipeChange(read_mode, completion_mode)


def _size(data: memoryview) -> SizeChange:
    return SizeChange(_not_negative(data))


SET_CLASSES: Final[Mapping[int, SetClass]] = {
    nt.FILE_BASIC_INFORMATION: SetClass(_basic, _BASIC.size, FILE_WRITE_ATTRIBUTES),
    nt.FILE_RENAME_INFORMATION: SetClass(partial(_target, RenameTarget), _RENAME.size, DELETE),
    nt.FILE_LINK_INFORMATION: SetClass(partial(_target, LinkTarget), _RENAME.size),
    nt.FILE_DISPOSITION_INFORMATION: SetClass(_disposition, _BYTE.size, DELETE),
    nt.FILE_POSITION_INFORMATION: SetClass(lambda data: PositionChange(_not_negative(data)), _SIGNED.size),
    nt.FILE_FULL_EA_INFORMATION: SetClass(_full_ea, 0, FILE_WRITE_EA),
    nt.FILE_MODE_INFORMATION: SetClass(_mode, _LONG.size),
    nt.FILE_ALLOCATION_INFORMATION: SetClass(_size, _SIGNED.size, FILE_WRITE_DATA),
    nt.FILE_END_OF_FILE_INFORMATION: SetClass(_size, _SIGNED.size, FILE_WRITE_DATA),
    nt.FILE_PIPE_INFORMATION: SetClass(_pipe, _PIPE.size, FILE_WRITE_ATTRIBUTES),
    nt.FILE_VALID_DATA_LENGTH_INFORMATION: SetClass(_size, _SIGNED.size, FILE_WRITE_DATA),
    nt.FILE_SHORT_NAME_INFORMATION: SetClass(_short_name, _LONG.size, DELETE),
    nt.FILE_DISPOSITION_INFORMATION_EX: SetClass(_disposition_ex, _LONG.size, DELETE),
    nt.FILE_RENAME_INFORMATION_EX: SetClass(partial(_target_ex, RenameTarget), _RENAME_EX.size, DELETE),
    nt.FILE_LINK_INFORMATION_EX: SetClass(partial(_target_ex, LinkTarget), _RENAME_EX.size),
}

_NOT_SET: Final = frozenset({nt.FILE_QUOTA_INFORMATION})
"""Documented as settable, but not among those that [MS-SMB2] 2.2.39 lists."""
