"""What the variable parts of structures are made of: ranges of bytes, strings, padding ([MS-SMB2] 2.2)."""

from codecs import utf_16_le_decode, utf_16_le_encode
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from gateway.wire.errors import WireError

__all__ = ["NOTHING", "View", "align8", "join_aligned", "pad8", "take", "utf16", "utf16_bytes"]

View: TypeAlias = memoryview
"""Bytes of a message, not copied. As a name of the module, for mypyc looks for the types of fields there."""
NOTHING: Final = memoryview(b"")
"""What a structure has whose variable part is empty."""
_utf16_decode: Final = utf_16_le_decode
_utf16_encode: Final = utf_16_le_encode


def take(message: memoryview, offset: int, length: int, *, at_least: int = 0) -> memoryview:
    """The `length` bytes at `offset`, not copied; raises `WireError` unless they lie between `at_least` and the end.

    For a length of zero the offset is not looked at: clients send anything there.
    """
    if not length:
        return message[:0]
    end = offset + length
    if offset < at_least or length < 0 or end > len(message):
        raise WireError(f"{length} bytes at {offset} are not within {at_least}..{len(message)}")
    return message[offset:end]


def utf16(view: memoryview) -> str:
    """Decode a UTF-16LE string, lone surrogates included; raises `WireError` for an odd number of bytes."""
    try:
        return _utf16_decode(view, "surrogatepass", True)[0]
    except UnicodeDecodeError:
        raise WireError(f"a string of {len(view)} bytes is not UTF-16") from None


def utf16_bytes(text: str) -> bytes:
    """Encode as UTF-16LE, lone surrogates included."""
    return _utf16_encode(text, "surrogatepass")[0]


def align8(length: int) -> int:
    """The next multiple of eight."""
    return (length + 7) & ~7


def pad8(length: int) -> bytes:
    """The zero bytes that lead from `length` to the next multiple of eight."""
    return bytes(-length & 7)


def join_aligned(items: Iterable[bytes]) -> bytes:
    """Join what begins at multiples of eight; nothing follows the last one."""
    return b"".join(_aligned(items))


def _aligned(items: Iterable[bytes]) -> Iterator[bytes]:
    padding = b""
    for item in items:
        yield padding
        yield item
        padding = pad8(len(item))
