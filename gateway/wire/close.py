"""CLOSE ([MS-SMB2] 2.2.15, 2.2.16)."""

from typing import Final

from gateway.wire.codec import Body, u16, u32, u64, wire

__all__ = ["SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB", "CloseRequest", "CloseResponse"]

SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB: Final = 0x0001


@wire
class CloseRequest(Body):
    """[MS-SMB2] 2.2.15."""

    structure_size: u16 = 24
    flags: u16 = 0
    reserved: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0


@wire
class CloseResponse(Body):
    """[MS-SMB2] 2.2.16; the times are FILETIMEs. All but the flags is zero unless attributes were asked for."""

    structure_size: u16 = 60
    flags: u16 = 0
    reserved: u32 = 0
    creation_time: u64 = 0
    last_access_time: u64 = 0
    last_write_time: u64 = 0
    change_time: u64 = 0
    allocation_size: u64 = 0
    end_of_file: u64 = 0
    file_attributes: u32 = 0
