"""The same structure built by smbprotocol and here."""

import enum
import struct
import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

from smbprotocol import create_contexts
from smbprotocol.structure import Structure

GUID = b"0123456789abcdef"
UUID = uuid.UUID(bytes=GUID)
FILE = {"persistent_file_id": 0x1122334455667788, "volatile_file_id": 0x99AABBCCDDEEFF00}
FILE_ID = struct.pack("<QQ", *FILE.values())
TIME = datetime(2020, 2, 29, 12, 30, 45, 123456, tzinfo=UTC)
FILETIME = 132274530451234560
TIMES = ("creation_time", "last_access_time", "last_write_time", "change_time")


class Case(NamedTuple):
    """The same structure twice."""

    ours: Any
    theirs: type[Structure]
    values: dict[str, Any]
    """Of their fields."""


def plain(value: Any) -> Any:
    """Their value without its enumeration or list of fields; create contexts as their bytes."""
    if isinstance(value, list) and value and isinstance(value[0], create_contexts.SMB2CreateContextRequest):
        return b"".join(item.pack() for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value


def built(case: Case) -> bytes:
    theirs = case.theirs()
    for name, value in case.values.items():
        theirs[name] = value
    packed: bytes = theirs.pack()
    return packed


def check_theirs(case: Case) -> None:
    theirs = case.theirs()
    rest = theirs.unpack(case.ours.to_bytes())
    assert rest.strip(b"\0") == b""
    for name, value in case.values.items():
        assert plain(theirs[name].get_value()) == value, name


def case_id(case: Case) -> str:
    return type(case.ours).__name__
