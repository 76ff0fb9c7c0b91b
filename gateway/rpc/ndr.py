"""Reader and writer of Network Data Representation, the transfer syntax NDR 2.0 ([C706] chapter 14, [MS-RPCE] 2.2.4).

Alignment counts from the first byte of the stub data.
"""

from collections.abc import Callable
from typing import Literal
from uuid import UUID

from gateway.rpc.errors import RpcError

ByteOrder = Literal["little", "big"]

MAX_ELEMENTS = 65_536
FIRST_REFERENT = 0x0002_0000
NULL_REFERENT = 0


class NdrReader:
    """Reads NDR out of one stub. Every method raises `RpcError` on malformed data, and nothing else.

    `max_elements` bounds each conformance, in elements.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        order: ByteOrder = "little",
        *,
        max_elements: int = MAX_ELEMENTS,
    ) -> None:
        self._data = memoryview(data)
        self._order: ByteOrder = order
        self._offset = 0
        self._max_elements = max_elements

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._offset

    def align(self, boundary: int) -> None:
        """Skip padding up to a multiple of `boundary`, a power of two."""
        self._offset = min(-(-self._offset // boundary) * boundary, len(self._data))

    def take(self, length: int) -> memoryview:
        """The next `length` bytes, unaligned."""
        if length > self.remaining:
            raise RpcError(f"{length} bytes wanted, {self.remaining} there")
        start = self._offset
        self._offset += length
        return self._data[start : self._offset]

    def _integer(self, size: int) -> int:
        self.align(size)
        return int.from_bytes(self.take(size), self._order)

    def u8(self) -> int:
        """An unsigned small."""
        return self._integer(1)

    def u16(self) -> int:
        """An unsigned short, aligned to 2."""
        return self._integer(2)

    def u32(self) -> int:
        """An unsigned long, aligned to 4."""
        return self._integer(4)

    def u64(self) -> int:
        """An unsigned hyper, aligned to 8."""
        return self._integer(8)

    def uuid(self) -> UUID:
        """A UUID, aligned to 4; its first three fields follow the byte order ([MS-DTYP] 2.3.4)."""
        self.align(4)
        raw = bytes(self.take(16))
        return UUID(bytes_le=raw) if self._order == "little" else UUID(bytes=raw)

    def referent(self) -> bool:
        """A unique pointer's referent id: whether something is pointed at."""
        return self.u32() != NULL_REFERENT

    def conformance(self, element_size: int = 1) -> int:
        """A conformant array's maximum count, of elements of at least `element_size` bytes each."""
        return self._checked_count(self.u32(), element_size)

    def _checked_count(self, count: int, element_size: int) -> int:
        if count > self._max_elements or count * element_size > self.remaining:
            raise RpcError(f"an array of {count} elements of {element_size} bytes, {self.remaining} bytes there")
        return count

    def variance(self, element_size: int, maximum: int) -> int:
        """A varying array's actual count; its offset has to be 0 and it may not exceed `maximum`."""
        offset, actual = self.u32(), self.u32()
        if offset or actual > maximum:
            raise RpcError(f"elements {offset} to {offset + actual} of {maximum}")
        return self._checked_count(actual, element_size)

    def wide_string(self) -> str:
        """A conformant varying string of UTF-16 units, without its terminator. Lone surrogates are kept."""
        return self._text(self._units()).partition("\0")[0]

    def counted_string(self, length: int) -> str:
        """A conformant varying array of UTF-16 units, of which the first `length` bytes are a text."""
        raw = self._units()
        if length > len(raw) or length % 2:
            raise RpcError(f"a text of {length} bytes, of which {len(raw)} are there")
        return self._text(raw[:length])

    def _text(self, raw: bytes) -> str:
        return raw.decode("utf-16-le" if self._order == "little" else "utf-16-be", "surrogatepass")

    def _units(self) -> bytes:
        # The conformance is the size of the sender's buffer: nothing of that size need follow.
        maximum = self.u32()
        if maximum > self._max_elements:
            raise RpcError(f"a string of up to {maximum} characters")
        units = self.variance(2, maximum)
        return bytes(self.take(units * 2))

    def unique_wide_string(self) -> str | None:
        """A unique pointer to a `wide_string` as a parameter of its own (the string follows at once)."""
        return self.wide_string() if self.referent() else None

    def conformant_bytes(self) -> bytes:
        """A conformant array of bytes."""
        return bytes(self.take(self.conformance()))


class NdrWriter:
    """Writes NDR, little-endian. Referents embedded in a construct are written behind it by `flush`."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._next_referent = FIRST_REFERENT
        self._deferred: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._data)

    def to_bytes(self) -> bytes:
        """All that was written. Raises `ValueError` while a referent is still to be flushed."""
        if self._deferred:
            raise ValueError("deferred referents were not flushed")
        return bytes(self._data)

    def align(self, boundary: int) -> None:
        """Pad with zeros to a multiple of `boundary`."""
        self._data += bytes(-len(self._data) % boundary)

    def raw(self, data: bytes | memoryview) -> None:
        """Bytes as they are, unaligned."""
        self._data += data

    def _integer(self, value: int, size: int) -> None:
        self.align(size)
        self._data += value.to_bytes(size, "little")

    def u8(self, value: int) -> None:
        """An unsigned small."""
        self._integer(value, 1)

    def u16(self, value: int) -> None:
        """An unsigned short, aligned to 2."""
        self._integer(value, 2)

    def u32(self, value: int) -> None:
        """An unsigned long, aligned to 4."""
        self._integer(value, 4)

    def u64(self, value: int) -> None:
        """An unsigned hyper, aligned to 8."""
        self._integer(value, 8)

    def uuid(self, value: UUID) -> None:
        """A UUID, aligned to 4."""
        self.align(4)
        self._data += value.bytes_le

    def pointer(self, write: Callable[[], None] | None) -> None:
        """A unique pointer embedded in a construct; `write` writes what it points at when flushed, None is null."""
        if write is None:
            self.u32(NULL_REFERENT)
            return
        self.u32(self._next_referent)
        self._next_referent += 4
        self._deferred.append(write)

    def flush(self) -> None:
        """Write what the construct's pointers point at, depth first ([C706] 14.3.12.3)."""
        deferred, self._deferred = self._deferred, []
        for write in deferred:
            write()
            self.flush()

    def wide_string(self, value: str) -> None:
        """A conformant varying string of UTF-16 units, with its terminator."""
        raw = value.encode("utf-16-le", "surrogatepass") + b"\0\0"
        count = len(raw) // 2
        self.u32(count)
        self.u32(0)
        self.u32(count)
        self._data += raw

    def wide_string_pointer(self, value: str | None) -> None:
        """An embedded unique pointer to a `wide_string`."""
        self.pointer(None if value is None else lambda: self.wide_string(value))

    def conformant_bytes(self, value: bytes) -> None:
        """A conformant array of bytes."""
        self.u32(len(value))
        self._data += value
