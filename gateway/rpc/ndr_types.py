"""Types of [MS-DTYP] that several interfaces have in common, as NDR: RPC_SID, RPC_UNICODE_STRING (2.4.2.3, 2.3.10)."""

import struct

from acl.errors import AclError
from acl.sid import MAX_SUB_AUTHORITIES, Sid
from gateway.rpc.errors import RpcError
from gateway.rpc.ndr import NdrReader, NdrWriter


def read_sid(reader: NdrReader) -> Sid | None:
    """A SID; None for one without sub-authorities, which names nobody. Raises `RpcError`."""
    count = reader.conformance(4)
    revision, again, authority = reader.u8(), reader.u8(), int.from_bytes(reader.take(6), "big")
    if count > MAX_SUB_AUTHORITIES or again != count or revision != 1:
        raise RpcError("not a SID")
    sub_authorities = [reader.u32() for _ in range(count)]
    try:
        return Sid.of(authority, *sub_authorities) if count else None
    except AclError as error:
        raise RpcError(str(error)) from error


def write_sid(writer: NdrWriter, data: bytes) -> None:
    """A SID in binary form."""
    writer.u32(data[1])
    writer.raw(data[:8])
    for sub_authority in struct.unpack_from(f"<{data[1]}I", data, 8):
        writer.u32(sub_authority)


def read_strings(reader: NdrReader, count: int) -> list[str]:
    """An array of strings, without its conformance: first all heads, then what they point at. Raises `RpcError`."""
    heads = []
    for _ in range(count):
        reader.align(4)
        length, _maximum = reader.u16(), reader.u16()
        heads.append((length, reader.referent()))
    return [reader.counted_string(length) if there else "" for length, there in heads]


def write_string(writer: NdrWriter, text: str) -> None:
    """A string: its head; the text follows when referents are flushed, an empty one's too: clients want one."""
    raw = text.encode("utf-16-le", "surrogatepass")

    def body() -> None:
        writer.u32(len(raw) // 2)
        writer.u32(0)
        writer.u32(len(raw) // 2)
        writer.raw(raw)

    writer.align(4)
    writer.u16(len(raw))
    writer.u16(len(raw))
    writer.pointer(body)
