"""DOS attributes and creation time as Samba stores them: the extended attribute `user.DOSATTRIB`.

The value starts with the attributes as text, ended by a zero byte and padded to two; a 16-bit version, given twice,
padded to four; then what that version holds. Little-endian; times are FILETIME ([MS-DTYP] 2.3.3). The oldest form is
the text alone. Versions 1 to 5 are understood; version 4 is written, which Samba and KSMBD of any age can read.

Version 3 has room for a time of change, and is written if a client has set one. No kernel lets that time be set, so it
is true only until the file is changed: until its status change time is later than what stands in the field of the
allocated size, which nobody else uses (its flag is never set).
"""

import struct
from dataclasses import dataclass
from typing import Final

from vfs_backends.native import mypyc_attr

__all__ = ["XATTR", "DosAttributes", "filetime_to_ns", "ns_to_filetime"]

XATTR: Final = b"user.DOSATTRIB"

_EPOCH: Final = 116_444_736_000_000_000
"""1970-01-01 as FILETIME, in units of 100 ns."""

_VALID_ATTRIBUTES: Final = 0x01
_VALID_CREATION_TIME: Final = 0x10
_VALID_CHANGE_TIME: Final = 0x20

_HEADER: Final = struct.Struct("<HH")
_VERSION_1: Final = struct.Struct("<IIQQQQ")  # attributes, ea size, size, allocated, creation, change time
_VERSION_2: Final = struct.Struct("<IIIQQQQQ")  # as 3, and the time of the last write
_VERSION_3: Final = struct.Struct("<IIIQQQQ")  # flags, attributes, ea size, size, allocated, creation, change time
_VERSION_4: Final = struct.Struct("<IIQQ")  # flags, attributes, file id time, creation time
_VERSION_5: Final = struct.Struct("<IIQ")  # flags, attributes, creation time
_WRITTEN: Final = struct.Struct("<2x HH 2x IIQQ")
_WRITTEN_CHANGED: Final = struct.Struct("<2x HH 2x IIIQQQQ")

_Raw = tuple[int, int, int, int, int]
"""Flags, attributes, creation time, change time, and until when that holds."""


def filetime_to_ns(filetime: int) -> int:
    """Nanoseconds since 1970 (negative before) of units of 100 ns since 1601."""
    return (filetime - _EPOCH) * 100


def ns_to_filetime(ns: int) -> int:
    """Units of 100 ns since 1601, rounded down; never negative, and never what stands for "not set"."""
    return min(max(ns // 100 + _EPOCH, 1), 2**63 - 1)


@mypyc_attr(acyclic=True)
@dataclass(init=False)
class DosAttributes:
    """What is stored with a file; None for what is not. Never changes."""

    attributes: int | None
    """FILE_ATTRIBUTE_* ([MS-FSCC] 2.6)."""
    birthtime_ns: int | None
    """Creation time, in nanoseconds since 1970."""
    changed_ns: int | None
    """Change time, in nanoseconds since 1970."""
    changed_until_ns: int
    """It holds as long as the kernel's is not later than this."""

    def __init__(
        self,
        attributes: int | None,
        birthtime_ns: int | None,
        changed_ns: int | None = None,
        changed_until_ns: int = 0,
    ) -> None:
        self.attributes = attributes
        self.birthtime_ns = birthtime_ns
        self.changed_ns = changed_ns
        self.changed_until_ns = changed_until_ns

    @staticmethod
    def parse(value: bytes) -> "DosAttributes | None":
        """None if `value` is none of the known forms."""
        try:
            raw = _parse(value)
        except (struct.error, ValueError):
            return None
        if raw is None:
            return None
        flags, attributes, created, changed, until = raw
        has_time = flags & _VALID_CREATION_TIME and 0 < created < 2**63 - 1
        has_changed = flags & _VALID_CHANGE_TIME and until
        return DosAttributes(
            attributes if flags & _VALID_ATTRIBUTES else None,
            filetime_to_ns(created) if has_time else None,
            filetime_to_ns(changed) if has_changed else None,
            filetime_to_ns(until) if has_changed else 0,
        )

    def to_bytes(self) -> bytes:
        """The value in version 4, or in version 3 if there is a change time."""
        flags = created = 0
        if self.attributes is not None:
            flags |= _VALID_ATTRIBUTES
        if self.birthtime_ns is not None:
            flags |= _VALID_CREATION_TIME
            created = ns_to_filetime(self.birthtime_ns)
        if self.changed_ns is not None:
            changed, until = ns_to_filetime(self.changed_ns), ns_to_filetime(self.changed_until_ns)
            flags |= _VALID_CHANGE_TIME
            return _WRITTEN_CHANGED.pack(3, 3, flags, self.attributes or 0, 0, 0, until, created, changed)
        # The file id time is left unset: without its flag nobody takes it for an id.
        return _WRITTEN.pack(4, 4, flags, self.attributes or 0, 0, created)


def _parse(value: bytes) -> _Raw | None:
    """Raises ValueError or struct.error for what is malformed."""
    if len(value) == 32 and value[0] == 0 and value[2] == 4 == value[4]:  # what we write, and most of what there is
        _, _, flags, attributes, _, created = _WRITTEN.unpack(value)
        return flags, attributes, created, 0, 0
    end = value.index(0) if 0 in value else len(value)
    text = value[:end]
    offset = end + 1 + ((end + 1) & 1)
    if offset + _HEADER.size > len(value):
        return _VALID_ATTRIBUTES, int(text, 16) & 0xFFFFFFFF, 0, 0, 0
    version, again = _HEADER.unpack_from(value, offset)
    if version != again:
        return None
    offset += _HEADER.size
    return _parse_version(version, text, value, offset + (-offset & 3))


def _parse_version(version: int, text: bytes, value: bytes, offset: int) -> _Raw | None:
    if version == 0xFFFF:
        return _VALID_ATTRIBUTES, int(text, 16) & 0xFFFFFFFF, 0, 0, 0
    if version == 1:
        attributes, _, _, _, created, _ = _VERSION_1.unpack_from(value, offset)
        return _VALID_ATTRIBUTES | _VALID_CREATION_TIME, attributes, created, 0, 0
    if version == 2:
        flags, attributes, _, _, _, created, _, _ = _VERSION_2.unpack_from(value, offset)
    elif version == 3:
        flags, attributes, _, _, until, created, changed = _VERSION_3.unpack_from(value, offset)
        return flags, attributes, created, changed, until
    elif version == 4:
        flags, attributes, _, created = _VERSION_4.unpack_from(value, offset)
    elif version == 5:
        flags, attributes, created = _VERSION_5.unpack_from(value, offset)
    else:
        return None
    return flags, attributes, created, 0, 0
