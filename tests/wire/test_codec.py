"""The `@wire` declaration and the bounds checks."""

import pytest

from gateway.wire import WireError
from gateway.wire.codec import (
    Body,
    Data,
    align8,
    b4,
    join_aligned,
    pad8,
    take,
    u8,
    u16,
    u32,
    u64,
    utf16,
    utf16_bytes,
    wire,
)


@wire
class Sample(Data):
    structure_size: u16 = 10
    small: u8 = 0
    tag: b4 = b"abcd"
    word: u16 = 0
    half: u32 = 0
    whole: u64 = 0
    text: str = "variable"


@wire
class Single(Body):
    only: u32 = 0


def test_layout() -> None:
    assert Sample.SIZE == 21
    sample = Sample(small=1, word=2, half=3, whole=4)
    assert sample.pack() == bytes.fromhex("0a00 01 61626364 0200 03000000 0400000000000000")
    assert Sample.unpack_from(memoryview(b"x" + sample.to_bytes()), 1) == sample


def test_slots() -> None:
    assert not hasattr(Sample(), "__dict__")
    assert not hasattr(Single(), "__dict__")


def test_single_field() -> None:
    assert Single(only=7).pack() == b"\7\0\0\0"
    assert Single.parse(memoryview(bytes(64) + b"\7\0\0\0")).only == 7
    assert Single.END == 68


def test_structure_size_is_checked() -> None:
    with pytest.raises(WireError, match="structure size 11, not 10"):
        Sample.parse(memoryview(b"\x0b" + bytes(20)))


def test_too_short() -> None:
    for length in range(21):
        with pytest.raises(WireError, match="needs 21 bytes"):
            Sample.parse(memoryview(b"\x0a\0" + bytes(30))[:length])


def test_take() -> None:
    view = memoryview(b"0123456789")
    assert bytes(take(view, 2, 3)) == b"234"
    assert bytes(take(view, 9, 1)) == b"9"
    assert bytes(take(view, 99, 0, at_least=5)) == b""
    assert bytes(take(view, 5, 5, at_least=5)) == b"56789"
    for offset, length in ((4, 1), (9, 2), (10, 1), (0xFFFFFFFF, 1), (5, 0xFFFFFFFF), (5, -1), (-1, 1)):
        with pytest.raises(WireError):
            take(view, offset, length, at_least=5)


@pytest.mark.parametrize("text", ["", "a", "\u00df\U0001f600", "\ud800", "\udc00x\ud83d"])
def test_utf16(text) -> None:
    assert utf16(memoryview(utf16_bytes(text))) == text


def test_utf16_of_odd_length() -> None:
    with pytest.raises(WireError):
        utf16(memoryview(b"a\0b"))


def test_alignment() -> None:
    assert [align8(n) for n in (0, 1, 7, 8, 9)] == [0, 8, 8, 8, 16]
    assert [len(pad8(n)) for n in (0, 1, 7, 8, 9)] == [0, 7, 1, 0, 7]
    assert join_aligned([b"abc", b"12345678", b"x"]) == b"abc\0\0\0\0\x0012345678x"
    assert join_aligned([]) == b""
