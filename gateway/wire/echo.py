"""ECHO ([MS-SMB2] 2.2.28, 2.2.29)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import Layout
from vfs_backends.native import mypyc_attr

__all__ = ["EchoRequest", "EchoResponse"]


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass
class EchoRequest:
    """[MS-SMB2] 2.2.28."""

    structure_size: int = 4
    reserved: int = 0

    @staticmethod
    def parse(message: memoryview) -> "EchoRequest":
        """[MS-SMB2] 2.2.28; raises `WireError`."""
        self = EchoRequest.__new__(EchoRequest)
        self.structure_size, self.reserved = _REQUEST.unpack(message)
        return self

    def to_bytes(self) -> bytes:
        """The body."""
        return _REQUEST.pack(self)


@dataclass
class EchoResponse:
    """[MS-SMB2] 2.2.29."""

    structure_size: int = 4
    reserved: int = 0

    @staticmethod
    def parse(message: memoryview) -> "EchoResponse":
        """[MS-SMB2] 2.2.29; raises `WireError`."""
        return EchoResponse(*_RESPONSE.unpack(message))

    def to_bytes(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(self)


_REQUEST: Final = Layout(EchoRequest, "HH")
_RESPONSE: Final = Layout(EchoResponse, "HH")
