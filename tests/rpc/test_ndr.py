from uuid import UUID

import pytest

from gateway.rpc.errors import RpcError
from gateway.rpc.ndr import MAX_ELEMENTS, NdrReader, NdrWriter

UUID_1 = UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")


def written(write) -> bytes:
    writer = NdrWriter()
    write(writer)
    writer.flush()
    return writer.to_bytes()


def test_integers_align_to_their_size_from_the_first_byte() -> None:
    def write(writer: NdrWriter) -> None:
        writer.u8(1)
        writer.u16(2)
        writer.u8(3)
        writer.u32(4)
        writer.u8(5)
        writer.u64(6)
        writer.u8(7)
        writer.uuid(UUID_1)

    data = written(write)
    assert data == bytes.fromhex(
        "01 00 0200 03 000000 04000000 05 000000 0600000000000000 07 000000 03020100 0504 0706 08090a0b0c0d0e0f"
    )
    reader = NdrReader(data)
    assert [reader.u8(), reader.u16(), reader.u8(), reader.u32(), reader.u8(), reader.u64(), reader.u8()] == [
        *range(1, 8)
    ]
    assert reader.uuid() == UUID_1
    assert reader.remaining == 0


def test_big_endian_is_read() -> None:
    reader = NdrReader(bytes.fromhex("0102 0000 01020304 0102030405060708") + UUID_1.bytes, "big")
    assert [reader.u16(), reader.u32(), reader.u64()] == [0x0102, 0x01020304, 0x0102030405060708]
    assert reader.uuid() == UUID_1
    reader = NdrReader(bytes.fromhex("00000002 00000000 00000002 0041 0000"), "big")
    assert reader.wide_string() == "A"


@pytest.mark.parametrize("text", ["", "a", "Büro", "😀", "\ud800x", "x\udfff"])
def test_wide_strings_survive(text) -> None:
    data = written(lambda writer: writer.wide_string(text))
    assert int.from_bytes(data[:4], "little") == len(text.encode("utf-16-le", "surrogatepass")) // 2 + 1
    assert NdrReader(data).wide_string() == text


def test_a_string_ends_at_its_terminator_or_without_one() -> None:
    assert NdrReader(bytes.fromhex("04000000 00000000 03000000 4100 0000 4200")).wide_string() == "A"
    assert NdrReader(bytes.fromhex("01000000 00000000 01000000 4100")).wide_string() == "A"
    assert NdrReader(bytes.fromhex("00000000 00000000 00000000")).wide_string() == ""


@pytest.mark.parametrize(
    "data",
    [
        "",
        "01000000 00000000 02000000 41004200",  # more than the maximum
        "02000000 01000000 01000000 4100",  # an offset
        "ffffffff 00000000 01000000 4100",  # above the limit
        "02000000 00000000 02000000 4100",  # truncated
    ],
)
def test_bad_strings_are_refused(data) -> None:
    with pytest.raises(RpcError):
        NdrReader(bytes.fromhex(data)).wide_string()


def test_unique_strings() -> None:
    writer = NdrWriter()
    writer.wide_string_pointer("x")
    writer.wide_string_pointer(None)
    writer.flush()
    reader = NdrReader(writer.to_bytes())
    assert reader.referent()
    assert not reader.referent()
    assert reader.wide_string() == "x"
    assert NdrReader(bytes(4)).unique_wide_string() is None
    assert NdrReader(bytes.fromhex("01000000 01000000 00000000 01000000 4100")).unique_wide_string() == "A"


def test_conformance_is_bounded_by_what_is_there_and_by_the_limit() -> None:
    assert NdrReader(bytes.fromhex("02000000 4142")).conformant_bytes() == b"AB"
    assert written(lambda writer: writer.conformant_bytes(b"AB")) == bytes.fromhex("02000000 4142")
    for data in (bytes.fromhex("03000000 4142"), (MAX_ELEMENTS + 1).to_bytes(4, "little") + bytes(MAX_ELEMENTS + 1)):
        with pytest.raises(RpcError):
            NdrReader(data).conformant_bytes()
    with pytest.raises(RpcError):
        NdrReader(bytes.fromhex("02000000 00000000 0000")).conformance(4)
    with pytest.raises(RpcError):
        NdrReader(bytes.fromhex("00000000 03000000") + bytes(64)).variance(1, 2)


def test_referents_are_written_depth_first_behind_their_construct() -> None:
    writer = NdrWriter()

    def inner() -> None:
        writer.u32(0x11)
        writer.pointer(lambda: writer.u32(0x22))

    writer.pointer(inner)
    writer.pointer(lambda: writer.u32(0x33))
    with pytest.raises(ValueError, match="flushed"):
        writer.to_bytes()
    writer.flush()
    values = memoryview(writer.to_bytes()).cast("I").tolist()
    assert values == [0x20000, 0x20004, 0x11, 0x20008, 0x22, 0x33]
    assert len(writer) == 24


def test_alignment_past_the_end_is_no_read() -> None:
    reader = NdrReader(b"\1")
    assert reader.u8() == 1
    reader.align(8)
    assert reader.remaining == 0
    with pytest.raises(RpcError):
        reader.u8()
