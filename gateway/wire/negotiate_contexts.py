"""What the contexts of a NEGOTIATE hold ([MS-SMB2] 2.2.3.1, 2.2.4.1). Each type knows its `TYPE`."""

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from gateway.wire.codec import take, utf16, utf16_bytes
from gateway.wire.contexts import TypedContext
from gateway.wire.errors import WireError

__all__ = [
    "AES_128_CCM",
    "AES_128_GCM",
    "AES_256_CCM",
    "AES_256_GCM",
    "COMPRESSION_LZ4",
    "COMPRESSION_LZ77",
    "COMPRESSION_LZ77_HUFFMAN",
    "COMPRESSION_LZNT1",
    "COMPRESSION_NONE",
    "COMPRESSION_PATTERN_V1",
    "POSIX_EXTENSIONS_GUID",
    "SHA_512",
    "SIGNING_AES_CMAC",
    "SIGNING_AES_GMAC",
    "SIGNING_HMAC_SHA256",
    "SMB2_ACCEPT_TRANSPORT_LEVEL_SECURITY",
    "SMB2_COMPRESSION_CAPABILITIES_FLAG_CHAINED",
    "SMB2_RDMA_TRANSFORM_ENCRYPTION",
    "SMB2_RDMA_TRANSFORM_NONE",
    "SMB2_RDMA_TRANSFORM_SIGNING",
    "Capability",
    "CompressionCapabilities",
    "EncryptionCapabilities",
    "NetnameNegotiateContextId",
    "PosixExtensionsAvailable",
    "PreauthIntegrityCapabilities",
    "RdmaTransformCapabilities",
    "SigningCapabilities",
    "TransportCapabilities",
]

SHA_512: Final = 0x0001

AES_128_CCM: Final = 0x0001
AES_128_GCM: Final = 0x0002
AES_256_CCM: Final = 0x0003
AES_256_GCM: Final = 0x0004

SIGNING_HMAC_SHA256: Final = 0x0000
SIGNING_AES_CMAC: Final = 0x0001
SIGNING_AES_GMAC: Final = 0x0002

COMPRESSION_NONE: Final = 0x0000
COMPRESSION_LZNT1: Final = 0x0001
COMPRESSION_LZ77: Final = 0x0002
COMPRESSION_LZ77_HUFFMAN: Final = 0x0003
COMPRESSION_PATTERN_V1: Final = 0x0004
COMPRESSION_LZ4: Final = 0x0005
SMB2_COMPRESSION_CAPABILITIES_FLAG_CHAINED: Final = 0x00000001

SMB2_ACCEPT_TRANSPORT_LEVEL_SECURITY: Final = 0x00000001

SMB2_RDMA_TRANSFORM_NONE: Final = 0x0000
SMB2_RDMA_TRANSFORM_ENCRYPTION: Final = 0x0001
SMB2_RDMA_TRANSFORM_SIGNING: Final = 0x0002

POSIX_EXTENSIONS_GUID: Final = bytes.fromhex("93ad25509cb411e7b42383de968bcd7c")
"""As it stands on the wire."""


def _head(layout: struct.Struct, data: memoryview | bytes) -> tuple[int, ...]:
    return layout.unpack(take(memoryview(data), 0, layout.size))


def _ids(data: memoryview | bytes, offset: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}H", take(memoryview(data), offset, 2 * count))


def _pack_ids(ids: tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(ids)}H", *ids)


class Capability(ABC):
    """What the data of a context means."""

    __slots__ = ()

    TYPE: ClassVar[int]

    @classmethod
    @abstractmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""

    @abstractmethod
    def to_bytes(self) -> bytes:
        """The data of the context."""

    def context(self) -> TypedContext:
        """The context with its data, for a list."""
        return TypedContext(self.TYPE, self.to_bytes())


@dataclass(slots=True)
class PreauthIntegrityCapabilities(Capability):
    """[MS-SMB2] 2.2.3.1.1."""

    TYPE: ClassVar[int] = 0x0001
    hash_algorithms: tuple[int, ...]
    salt: bytes = b""

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        count, salt_length = _head(_TWO, data)
        return cls(_ids(data, 4, count), bytes(take(memoryview(data), 4 + 2 * count, salt_length)))

    def to_bytes(self) -> bytes:
        """The data of the context."""
        return _TWO.pack(len(self.hash_algorithms), len(self.salt)) + _pack_ids(self.hash_algorithms) + self.salt


@dataclass(slots=True)
class EncryptionCapabilities(Capability):
    """[MS-SMB2] 2.2.3.1.2."""

    TYPE: ClassVar[int] = 0x0002
    ciphers: tuple[int, ...]

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        (count,) = _head(_ONE, data)
        return cls(_ids(data, 2, count))

    def to_bytes(self) -> bytes:
        """The data of the context."""
        return _ONE.pack(len(self.ciphers)) + _pack_ids(self.ciphers)


@dataclass(slots=True)
class CompressionCapabilities(Capability):
    """[MS-SMB2] 2.2.3.1.3."""

    TYPE: ClassVar[int] = 0x0003
    compression_algorithms: tuple[int, ...]
    flags: int = 0

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        count, _padding, flags = _head(_COUNT_AND_FLAGS, data)
        return cls(_ids(data, 8, count), flags)

    def to_bytes(self) -> bytes:
        """The data of the context."""
        algorithms = self.compression_algorithms
        return _COUNT_AND_FLAGS.pack(len(algorithms), 0, self.flags) + _pack_ids(algorithms)


@dataclass(slots=True)
class NetnameNegotiateContextId(Capability):
    """[MS-SMB2] 2.2.3.1.4: the server's name as the client knows it."""

    TYPE: ClassVar[int] = 0x0005
    net_name: str

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        return cls(utf16(memoryview(data)))

    def to_bytes(self) -> bytes:
        """The data of the context."""
        return utf16_bytes(self.net_name)


@dataclass(slots=True)
class TransportCapabilities(Capability):
    """[MS-SMB2] 2.2.3.1.5."""

    TYPE: ClassVar[int] = 0x0006
    flags: int = 0

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        (flags,) = _head(_FLAGS, data)
        return cls(flags)

    def to_bytes(self) -> bytes:
        """The data of the context."""
        return _FLAGS.pack(self.flags)


@dataclass(slots=True)
class RdmaTransformCapabilities(Capability):
    """[MS-SMB2] 2.2.3.1.6."""

    TYPE: ClassVar[int] = 0x0007
    rdma_transform_ids: tuple[int, ...]

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        count, _reserved, _reserved2 = _head(_COUNT_AND_FLAGS, data)
        return cls(_ids(data, 8, count))

    def to_bytes(self) -> bytes:
        """The data of the context."""
        return _COUNT_AND_FLAGS.pack(len(self.rdma_transform_ids), 0, 0) + _pack_ids(self.rdma_transform_ids)


@dataclass(slots=True)
class SigningCapabilities(Capability):
    """[MS-SMB2] 2.2.3.1.7."""

    TYPE: ClassVar[int] = 0x0008
    signing_algorithms: tuple[int, ...]

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        (count,) = _head(_ONE, data)
        return cls(_ids(data, 2, count))

    def to_bytes(self) -> bytes:
        """The data of the context."""
        return _ONE.pack(len(self.signing_algorithms)) + _pack_ids(self.signing_algorithms)


@dataclass(slots=True)
class PosixExtensionsAvailable(Capability):
    """SMB3 POSIX extensions: which versions of them, each 16 bytes as they stand on the wire."""

    TYPE: ClassVar[int] = 0x0100
    guids: tuple[bytes, ...] = (POSIX_EXTENSIONS_GUID,)

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        if len(data) % 16:
            raise WireError(f"a POSIX extensions context of {len(data)} bytes")
        return cls(tuple(bytes(data[start : start + 16]) for start in range(0, len(data), 16)))

    def to_bytes(self) -> bytes:
        """The data of the context."""
        return b"".join(self.guids)


_ONE = struct.Struct("<H")
_TWO = struct.Struct("<HH")
_COUNT_AND_FLAGS = struct.Struct("<HHI")
_FLAGS = struct.Struct("<I")
