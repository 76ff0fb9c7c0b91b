"""CLOSE ([MS-SMB2] 2.2.15, 2.2.16)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import Layout
from vfs_backends.native import mypyc_attr

__all__ = ["SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB", "CloseRequest", "CloseResponse"]

SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB: Final = 0x0001


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass
class CloseRequest:
    """[MS-SMB2] 2.2.15."""

    structure_size: int = 24
    flags: int = 0
    reserved: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0

    @staticmethod
    def parse(message: memoryview) -> "CloseRequest":
        """[MS-SMB2] 2.2.15; raises `WireError`."""
        self = CloseRequest.__new__(CloseRequest)
        values = _REQUEST.unpack(message)
        self.structure_size, self.flags, self.reserved, self.persistent_file_id, self.volatile_file_id = values
        return self

    def to_bytes(self) -> bytes:
        """The body."""
        return _REQUEST.pack(self)


@dataclass
class CloseResponse:
    """[MS-SMB2] 2.2.16; the times are FILETIMEs. All but the flags is zero unless attributes were asked for."""

    structure_size: int = 60
    flags: int = 0
    reserved: int = 0
    creation_time: int = 0
    last_access_time: int = 0
    last_write_time: int = 0
    change_time: int = 0
    allocation_size: int = 0
    end_of_file: int = 0
    file_attributes: int = 0

    @staticmethod
    def parse(message: memoryview) -> "CloseResponse":
        """[MS-SMB2] 2.2.16; raises `WireError`."""
        return CloseResponse(*_RESPONSE.unpack(message))

    def to_bytes(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(self)

    @staticmethod
    def body(
        creation_time: int,
        last_access_time: int,
        last_write_time: int,
        change_time: int,
        allocation_size: int,
        end_of_file: int,
        file_attributes: int,
    ) -> bytes:
        """The same of a response with attributes, that need not be made for it."""
        return _RESPONSE.packed(
            60, SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB, 0, creation_time, last_access_time, last_write_time, change_time,
            allocation_size, end_of_file, file_attributes,
        )  # fmt: skip


_REQUEST: Final = Layout(CloseRequest, "HHIQQ")
_RESPONSE: Final = Layout(CloseResponse, "HHIQQQQQQI")
