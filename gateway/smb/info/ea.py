"""Lists of extended attributes, in CREATE contexts, QUERY_INFO and SET_INFO ([MS-FSCC] 2.4.16, 2.4.16.1).

Names are bytes of an 8-bit character set on the wire; here they are UTF-8, and what is not survives as surrogates.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

from gateway.nt.constants import FILE_NEED_EA
from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_EA_LIST_INCONSISTENT,
    STATUS_EA_TOO_LARGE,
    STATUS_INVALID_EA_NAME,
    STATUS_NO_EAS_ON_FILE,
    STATUS_SUCCESS,
    StatusError,
)

__all__ = ["MAX_LIST", "ea_size", "pack_full_ea", "parse_full_ea", "parse_get_ea"]

MAX_LIST: Final = 65536
"""The longest list that is looked at, in bytes: NTFS holds 64 KiB of attributes for a file."""

_FULL: Final = Struct("<IBBH")
_GET: Final = Struct("<IB")
_OFFSET: Final = Struct("<I")

_RESERVED: Final = frozenset(b'"*+,/:;<=>?[\\]|') | frozenset(range(0x20))


def parse_full_ea(data: memoryview) -> list[ExtendedAttribute]:
    """A list of FILE_FULL_EA_INFORMATION; an empty one has no bytes.

    Raises StatusError: EA_LIST_INCONSISTENT, INVALID_EA_NAME, EA_TOO_LARGE.
    """
    attributes = []
    for entry in _chain(data, _FULL.size):
        _, flags, name_length, value_length = _FULL.unpack_from(entry)
        value_at = _FULL.size + name_length + 1
        if value_at + value_length > len(entry):
            raise StatusError(STATUS_EA_LIST_INCONSISTENT)
        name = _name(entry[_FULL.size : value_at])
        if flags & ~FILE_NEED_EA:
            raise StatusError(STATUS_INVALID_EA_NAME)
        attributes.append(ExtendedAttribute(name, bytes(entry[value_at : value_at + value_length]), flags))
    return attributes


def parse_get_ea(data: memoryview) -> list[str]:
    """A list of FILE_GET_EA_INFORMATION: the names that are asked for. Raises as `parse_full_ea`."""
    names = []
    for entry in _chain(data, _GET.size):
        _, name_length = _GET.unpack_from(entry)
        end = _GET.size + name_length + 1
        if end > len(entry):
            raise StatusError(STATUS_EA_LIST_INCONSISTENT)
        names.append(_name(entry[_GET.size : end]))
    return names


def _chain(data: memoryview, fixed: int) -> Iterator[memoryview]:
    """Each entry with all that belongs to it; an entry begins at a multiple of four."""
    if len(data) > MAX_LIST:
        raise StatusError(STATUS_EA_TOO_LARGE)
    while data:
        if len(data) < fixed:
            raise StatusError(STATUS_EA_LIST_INCONSISTENT)
        (following,) = _OFFSET.unpack_from(data)
        if not following:
            yield data
            return
        if following % 4 or following < fixed or following >= len(data):
            raise StatusError(STATUS_EA_LIST_INCONSISTENT)
        yield data[:following]
        data = data[following:]


def _name(terminated: memoryview) -> str:
    """The name that ends in the only zero byte of `terminated`."""
    raw = bytes(terminated)
    if raw[-1]:
        raise StatusError(STATUS_EA_LIST_INCONSISTENT)
    name = raw[:-1]
    if not name or not _RESERVED.isdisjoint(name):
        raise StatusError(STATUS_INVALID_EA_NAME)
    return name.decode("utf-8", "surrogateescape")


def pack_full_ea(attributes: Sequence[ExtendedAttribute], limit: int) -> tuple[int, bytes, int]:
    """As many attributes as fit into `limit` bytes: status, bytes, how many. The status is SUCCESS for all of them.

    Raises StatusError: NO_EAS_ON_FILE if there are none, BUFFER_TOO_SMALL if not even the first one fits.
    """
    if not attributes:
        raise StatusError(STATUS_NO_EAS_ON_FILE)
    data = bytearray()
    previous = 0
    for count, attribute in enumerate(attributes):
        entry = _entry(attribute)
        start = (len(data) + 3) & ~3
        if start + len(entry) > limit:
            if not count:
                raise StatusError(STATUS_BUFFER_TOO_SMALL)
            return STATUS_BUFFER_OVERFLOW, bytes(data), count
        if count:
            data += bytes(start - len(data))
            _OFFSET.pack_into(data, previous, start - previous)
        data += entry
        previous = start
    return STATUS_SUCCESS, bytes(data), len(attributes)


def _entry(attribute: ExtendedAttribute) -> bytes:
    name = attribute.name.encode("utf-8", "surrogateescape")
    if len(name) > 0xFF or len(attribute.value) > 0xFFFF:
        raise StatusError(STATUS_EA_TOO_LARGE)
    return _FULL.pack(0, attribute.flags, len(name), len(attribute.value)) + name + b"\0" + attribute.value


def ea_size(length: int) -> int:
    """What FileEaInformation says of attributes of that `ea_length`: the size of the list that OS/2 would be given."""
    return length + 4 if length else 0
