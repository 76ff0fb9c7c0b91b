"""Frames out of a stream that is cut anywhere."""

import ctypes

import pytest

from gateway.protocol.errors import ProtocolError
from gateway.protocol.framing import MEDIUM_BUFFER, PREFIX_SIZE, SMALL_BUFFER, BufferPool, FrameBuffer

MESSAGES = [b"", b"a", b"bc", b"\0" * 9, b"d" * 300]


def framed(*messages: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in messages)


def feed(frames: FrameBuffer, data: bytes) -> None:
    """Receive all of `data` at once."""
    room = frames.room()
    assert len(room) >= len(data)
    room[: len(data)] = data
    frames.received(len(data))


def run(frames: FrameBuffer, data: bytes) -> list[bytes]:
    """Receive all of `data` in as many steps as the room asks for, and take the messages after each, as a reader."""
    found = []
    while data:
        room = frames.room()
        assert len(room)
        count = min(len(room), len(data))
        room[:count] = data[:count]
        frames.received(count)
        data = data[count:]
        found += take(frames)
    return found


def take(frames: FrameBuffer) -> list[bytes]:
    found = []
    while (message := frames.next_message()) is not None:
        found.append(bytes(message))
    return found


@pytest.mark.parametrize("size", [4, 5, 8, 64, 512])
def test_cut_at_every_byte(size) -> None:
    """Whatever the size of the storage and wherever the stream is cut, the messages come out whole and in order."""
    stream = framed(*MESSAGES)
    for cut in range(len(stream) + 1):
        frames = FrameBuffer(BufferPool(size, keep=2), 1000)
        found = run(frames, stream[:cut])
        frames.rest()
        found += run(frames, stream[cut:])
        assert found == MESSAGES
        assert frames.pending == 0


def test_byte_by_byte() -> None:
    frames = FrameBuffer(BufferPool(16), 1000)
    found = []
    for byte in framed(*MESSAGES):
        found += run(frames, bytes([byte]))
        frames.rest()
    assert found == MESSAGES


def test_an_oversize_message_is_refused_as_soon_as_its_length_is_there() -> None:
    frames = FrameBuffer(BufferPool(), 100)
    feed(frames, framed(b"x" * 100))
    assert len(take(frames)[0]) == 100
    feed(frames, (101).to_bytes(4, "big"))
    with pytest.raises(ProtocolError):
        frames.next_message()
    with pytest.raises(ProtocolError):
        frames.room()


@pytest.mark.parametrize("first", [0x01, 0x81, 0x85, 0xFF])
def test_a_first_byte_that_is_not_zero(first) -> None:
    """NetBIOS session packets and other protocols."""
    frames = FrameBuffer(BufferPool(), 0xFFFFFF)
    feed(frames, bytes([first, 0, 0, 4]))
    with pytest.raises(ProtocolError):
        frames.next_message()


def test_the_limit_can_be_raised() -> None:
    frames = FrameBuffer(BufferPool(), 10)
    feed(frames, framed(b"x" * 10))
    assert take(frames) == [b"x" * 10]
    frames.max_message = 200_000
    assert run(frames, framed(b"y" * 200_000)) == [b"y" * 200_000]


def test_wanted() -> None:
    frames = FrameBuffer(BufferPool(), 1000)
    assert frames.wanted == 0
    feed(frames, b"\0\0\0")
    assert frames.wanted == 0
    feed(frames, b"\x07ab")
    assert (frames.wanted, frames.pending) == (11, 6)


def test_storage_grows_with_what_has_come() -> None:
    """A prefix alone makes us hold no more than any connection does."""
    frames = FrameBuffer(BufferPool(), 8 << 20)
    message = bytes(range(256)) * (8 << 12)
    stream = framed(message)
    sizes: dict[int, int] = {}
    done: list[bytes] = []
    for start in range(0, len(stream), 50_000):
        done += run(frames, stream[start : start + 50_000])
        sizes.setdefault(len(frames._view), frames.pending)
        assert frames.wanted <= max(SMALL_BUFFER, 32 * frames.pending)
    assert done == [message]
    small, medium, large = [size for size in sizes if size]
    assert small == SMALL_BUFFER
    assert MEDIUM_BUFFER <= medium < MEDIUM_BUFFER + 64
    assert len(stream) <= large < len(stream) + 64


def test_an_idle_buffer_holds_nothing() -> None:
    pool = BufferPool(64, keep=4)
    frames = FrameBuffer(pool, 1000)
    feed(frames, framed(b"abc"))
    assert take(frames) == [b"abc"]
    frames.rest()
    assert len(pool._free) == 1
    assert len(frames._view) == 0
    frames.rest()
    assert len(pool._free) == 1


def test_a_small_beginning_is_kept_in_little() -> None:
    pool = BufferPool(SMALL_BUFFER, keep=4)
    frames = FrameBuffer(pool, 100_000)
    stream = framed(b"abc" * 20_000)
    feed(frames, stream[:10])
    frames.rest()
    assert len(frames._view) == 10
    assert len(pool._free) == 1
    assert run(frames, stream[10:]) == [b"abc" * 20_000]


def test_a_large_beginning_stays_where_it_is() -> None:
    pool = BufferPool(SMALL_BUFFER, keep=4)
    frames = FrameBuffer(pool, 1_000_000)
    stream = framed(b"abc" * 100_000)
    assert run(frames, stream[:200_000]) == []
    before = frames._view
    frames.rest()
    assert frames._view is before
    assert run(frames, stream[200_000:]) == [b"abc" * 100_000]


def test_detached_messages_stay_as_they_were() -> None:
    """What was given out before is not overwritten by what comes after."""
    frames = FrameBuffer(BufferPool(32, keep=4), 1000)
    feed(frames, framed(b"first", b"second")[:-2])
    first = frames.next_message()
    frames.detach()
    assert frames.pending == len(framed(b"second")) - 2
    assert run(frames, b"nd" + framed(b"x" * 10, b"y" * 500)) == [b"second", b"x" * 10, b"y" * 500]
    assert first is not None
    assert bytes(first) == b"first"


def test_detached_storage_does_not_come_back_to_the_pool() -> None:
    pool = BufferPool(32, keep=4)
    frames = FrameBuffer(pool, 1000)
    feed(frames, framed(b"abc"))
    frames.next_message()
    frames.detach()
    frames.rest()
    assert pool._free == []
    frames.detach()
    assert frames.pending == 0


def test_detach_with_more_behind_it_than_a_piece_of_the_pool_holds() -> None:
    whole, more = framed(b"a" * 5), framed(b"z" * 60)
    pool = BufferPool(48, keep=4)
    frames = FrameBuffer(pool, 1000)
    feed(frames, whole + more[:30])
    first = frames.next_message()
    assert first is not None
    pool.size = 16  # as if the pieces were smaller than what is left
    frames.detach()
    assert run(frames, more[30:]) == [b"z" * 60]
    assert bytes(first) == b"a" * 5


def test_close_gives_all_up() -> None:
    pool = BufferPool(32)
    frames = FrameBuffer(pool, 100)
    feed(frames, b"\0\0")
    frames.close()
    frames.close()
    assert frames.pending == 0
    assert pool._free == []


def test_the_pool_keeps_only_so_much() -> None:
    pool = BufferPool(8, keep=1)
    one, two = pool.take(), pool.take()
    pool.give(one)
    pool.give(two)
    pool.give(memoryview(bytearray(9)))
    assert pool._free == [one]
    assert pool.take() is one


def test_the_pool_keeps_large_storage_too() -> None:
    """Up to so many bytes, and for messages that it is not far too large for."""
    pool = BufferPool(8, keep_large=40)
    large, other = pool.take(30), pool.take(17)
    for buffer in (large, other):
        pool.give(buffer)
    assert pool._large == [large]  # both would be too much
    assert len(pool.take(14)) == 14
    assert pool.take(15) is large
    pool.give(other)
    assert pool.take(12) is other
    assert pool._large == []


def test_large_messages_use_the_same_storage() -> None:
    pool = BufferPool(SMALL_BUFFER)
    frames = FrameBuffer(pool, 1_000_000)
    for text in (b"a", b"b", b"c"):
        assert run(frames, framed(text * 300_000)) == [text * 300_000]
        frames.rest()
    assert len(pool._large) == 1


def test_what_was_given_out_makes_room_for_the_next() -> None:
    """The storage stays, if it is a piece of the usual size, and is filled from its beginning again."""
    pool = BufferPool(64)
    frames = FrameBuffer(pool, 1000)
    whole = frames.room()
    for _ in range(3):
        assert run(frames, framed(b"x" * 40)) == [b"x" * 40]
        assert frames.room() is whole
    assert run(frames, framed(b"y" * 300)) == [b"y" * 300]
    assert len(frames.room()) == 64


def test_a_write_of_64_kib_needs_no_large_storage() -> None:
    """Nor does it move: it is received at once."""
    pool = BufferPool()
    frames = FrameBuffer(pool, 1_000_000)
    for _ in range(3):
        feed(frames, framed(bytes(112 + 65536)))
        assert [len(message) for message in take(frames)] == [112 + 65536]
        frames.rest()
    assert (len(pool._free), len(pool._large)) == (1, 0)


def test_what_is_there_to_be_received_has_storage_at_once() -> None:
    """The message moves but once, and with no more than its prefix."""
    frames = FrameBuffer(BufferPool(), 8 << 20)
    stream = framed(b"x" * 1_000_000)
    feed(frames, stream[:4])
    frames.rest()
    assert (frames.wanted, frames.missing) == (SMALL_BUFFER, 1_000_000)
    frames.at_hand = 1_000_000
    assert frames.wanted == len(stream)
    room = frames.room()
    room[:10] = stream[4:14]
    frames.received(10)
    assert (frames.at_hand, frames.wanted, frames.missing) == (999_990, len(stream), 999_990)
    assert run(frames, stream[14:]) == [b"x" * 1_000_000]
    assert frames.at_hand == 0


def test_what_is_there_is_received_in_pieces() -> None:
    """All of them to one storage, and the last one with the prefix of the next message."""
    frames = FrameBuffer(BufferPool(), 8 << 20)
    stream = framed(b"x" * 1_000_000, b"y")
    feed(frames, stream[:4])
    frames.rest()
    frames.at_hand = 1_000_000
    sizes, at = [], 4
    while frames.missing > 0:
        room = frames.room()
        sizes.append(len(room))
        room[:] = stream[at : at + len(room)]
        at += len(room)
        frames.received(len(room))
        if frames.at_hand:
            assert frames.next_message() is None
    assert sum(sizes) == 1_000_000 + PREFIX_SIZE
    assert len(set(sizes[:-1])) == 1
    assert len(sizes) > 2
    assert take(frames) == [b"x" * 1_000_000]
    assert (frames.at_hand, frames.pending, frames.missing) == (0, 4, 1)


def test_what_is_not_known_to_be_there_is_received_at_once() -> None:
    frames = FrameBuffer(BufferPool(), 8 << 20)
    stream = framed(b"x" * 1_000_000)
    frames.at_hand = 1
    feed(frames, stream[: MEDIUM_BUFFER >> 5])
    assert run(frames, stream[MEDIUM_BUFFER >> 5 : 100_000]) == []
    assert len(frames.room()) == len(stream) + PREFIX_SIZE - 100_000


def test_storage_for_less_than_is_at_hand_grows_on() -> None:
    frames = FrameBuffer(BufferPool(), 8 << 20)
    feed(frames, framed(b"x" * (8 << 20))[:4])
    for at_hand, wanted in ((1, SMALL_BUFFER), (SMALL_BUFFER, MEDIUM_BUFFER), (MEDIUM_BUFFER, (8 << 20) + 4)):
        frames.at_hand = at_hand
        assert frames.wanted == wanted


def test_what_is_missing() -> None:
    frames = FrameBuffer(BufferPool(), 1000)
    assert frames.missing == 0
    feed(frames, b"\0\0\0")
    assert frames.missing == 0
    feed(frames, b"\x07ab")
    assert frames.missing == 5


def test_room_for_a_large_message_ends_with_the_prefix_of_the_next() -> None:
    """So nothing but a prefix has to move, and it tells whether the next is a large one, too."""
    frames = FrameBuffer(BufferPool(16), 1000)
    stream = framed(b"x" * 100, b"y" * 200)
    feed(frames, stream[:10])
    assert len(frames.room()) == 98
    feed(frames, stream[10:108])
    assert bytes(frames.next_message() or b"") == b"x" * 100
    frames.detach(reuse=True)
    assert (frames.pending, frames.missing) == (4, 200)
    assert len(frames._view) == 4
    assert run(frames, stream[108:]) == [b"y" * 200]


def test_the_data_of_a_large_write_begin_a_cache_line() -> None:
    frames = FrameBuffer(BufferPool(), 1_000_000)
    stream = framed(b"h" * 112 + b"d" * 500_000)
    assert run(frames, stream[:-1]) == []
    feed(frames, stream[-1:])
    message = frames.next_message()
    assert message is not None
    address = ctypes.addressof(ctypes.c_char.from_buffer(message[112:]))
    assert address % 64 == 0


def test_room_is_never_empty() -> None:
    """Even where the storage of the pool holds no more than a prefix."""
    frames = FrameBuffer(BufferPool(PREFIX_SIZE), 100)
    assert run(frames, framed(b"", b"abcdefg", b"")) == [b"", b"abcdefg", b""]


def streamed(frames: FrameBuffer, data: bytes) -> list[int]:
    """Receive all of `data`, as much as there is room for at a time, in one turn; how much that was."""
    counts = []
    while data:
        room = frames.room()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        frames.received(count)
        counts.append(count)
        data = data[count:]
        take(frames)
    frames.rest()
    return counts


def test_many_small_messages_at_a_time_are_received_at_once() -> None:
    """From the second time on; what has not come to its end is all that is held meanwhile."""
    pool = BufferPool()
    frames = FrameBuffer(pool, 8 << 20)
    one = framed(bytes(112 + 65536))
    assert len(streamed(frames, 3 * one)) == 2
    assert frames.held == 0
    for _ in range(3):
        assert len(streamed(frames, 4 * one)) == 1
        assert frames.held == 0
        assert len(streamed(frames, 3 * one + one[:30_000])) == 1
        assert (frames.pending, frames.held) == (30_000, pool.size)
        assert len(streamed(frames, one[30_000:] + 2 * one)) == 1
        assert frames.held == 0
    assert len(pool._large) == 1


def test_one_message_at_a_time_has_small_storage_again() -> None:
    pool = BufferPool()
    frames = FrameBuffer(pool, 8 << 20)
    one = framed(bytes(112 + 65536))
    streamed(frames, 3 * one)
    assert len(frames.room()) > pool.size
    streamed(frames, one)
    assert len(frames.room()) == pool.size


def test_a_large_message_among_many_small_ones() -> None:
    pool = BufferPool()
    frames = FrameBuffer(pool, 8 << 20)
    one, large = framed(bytes(1000)), framed(b"x" * 1_000_000)
    stream = 300 * one + large + one
    assert run(frames, 300 * one) == [bytes(1000)] * 300
    assert run(frames, stream) == [*[bytes(1000)] * 300, b"x" * 1_000_000, bytes(1000)]
    streamed(frames, 300 * one + large[:100])
    assert frames.held <= pool.size
    assert run(frames, large[100:]) == [b"x" * 1_000_000]
    frames.rest()
    assert len(frames.room()) == pool.size
