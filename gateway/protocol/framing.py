"""Direct TCP framing ([MS-SMB2] 2.1): a zero byte, a 24-bit length in network order, the message.

`FrameBuffer` is filled by whoever owns the socket and gives out complete messages as views into its storage, without
copying them. The storage is lent by a pool and given back whenever nothing is in it, so that a quiet connection holds
none. A request that outlives the turn in which it was received takes the storage with it (`detach`).
"""

import mmap
import struct
from typing import Final

from gateway.protocol.errors import ProtocolError

__all__ = ["PREFIX_SIZE", "SMALL_BUFFER", "BufferPool", "FrameBuffer"]

PREFIX_SIZE: Final = 4
SMALL_BUFFER: Final = 68 * 1024
"""Room for a message with a payload of 64 KiB, as many clients write."""
MEDIUM_BUFFER: Final = 2 << 20
"""Room for a message of the usual largest payload, 1 MiB."""
_length_at: Final = struct.Struct(">I").unpack_from
_PIECE: Final = 192 * 1024
_PIECES: Final = 2 * _PIECE
"""What is known to be there is received in pieces as long as it is more than the other. To receive 1 MiB at once costs
a sixth more where the client is on the same processor: more of what that sends is then sent in the server's time.
Pieces of 128 KiB cost a tenth more where it is on another one, and for less than this it is not worth it."""
_MANY: Final = 4
"""So many pieces are one storage where more small messages come at a time than fit into one. It is given back whenever
more is waited for, so that the connections of one loop share it."""
_PARTIAL_LIMIT: Final = 4096
_LEAD: Final = 12
"""Where a message begins in large storage: the data of a WRITE are then at the beginning of a cache line, as clients
send it (128 bytes on, with the prefix). To copy them costs a tenth less."""
_NOTHING: Final = memoryview(b"")


class BufferPool:
    """Storage for many connections: pieces of one size, and larger ones where a message needs them.

    Keeps at most `keep` pieces that are not in use, and as many of the large ones as are not more than `keep_large`
    bytes together: to fill a new MiB with zeros costs as much as to receive it.
    """

    def __init__(self, size: int = SMALL_BUFFER, keep: int = 32, keep_large: int = 16 << 20) -> None:
        self.size = size
        self._keep = keep
        self._free: list[memoryview] = []
        self._keep_large = keep_large
        self._large: list[memoryview] = []

    def take(self, need: int = 0) -> memoryview:
        """Storage of at least `need` bytes, with anything in it, as a view of it; a large one begins a page."""
        if need <= self.size:
            return self._free.pop() if self._free else memoryview(bytearray(self.size))
        for number in reversed(range(len(self._large))):  # what was used last is the likeliest to be in the cache
            if need <= len(self._large[number]) <= 2 * need:
                self._keep_large += len(self._large[number])
                return self._large.pop(number)
        return memoryview(mmap.mmap(-1, need, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))

    def give(self, buffer: memoryview) -> None:
        """Take storage back, as it was given, that nobody uses any more."""
        size = len(buffer)
        if size == self.size:
            if len(self._free) < self._keep:
                self._free.append(buffer)
        elif size > self.size and size <= self._keep_large:
            self._keep_large -= size
            self._large.append(buffer)


class FrameBuffer:
    """Collects what arrives on a connection and cuts it into messages.

    The owner of the socket asks `room` for where to receive to, says how much came by `received`, and takes messages
    from `next_message` until there is none. Before it waits for more, it calls `rest`.
    """

    __slots__ = ("_end", "_pool", "_size", "_start", "_view", "at_hand", "max_message")

    def __init__(self, pool: BufferPool, max_message: int) -> None:
        self._pool = pool
        self.max_message = max_message
        """The longest message the peer may send now, in bytes; may be changed at any time."""
        self.at_hand = 0
        """Bytes that are known to be there to be received."""
        self._view = _NOTHING
        """The storage."""
        self._size = pool.size
        """How much of it to have for small messages: so much that those which come at a time are received at once."""
        self._start = 0
        self._end = 0

    @property
    def held(self) -> int:
        """Bytes of storage."""
        return len(self._view)

    @property
    def pending(self) -> int:
        """Bytes of a message that has not come to its end."""
        return self._end - self._start

    @property
    def wanted(self) -> int:
        """Bytes of storage for the message now arriving, prefix included; 0 while its length is not known.

        It grows with what has come, in at most three steps: a prefix alone must not make us hold megabytes.
        """
        pending = self._end - self._start
        if pending < PREFIX_SIZE:
            return 0
        whole = PREFIX_SIZE + self._length()
        come = pending + self.at_hand
        if whole <= SMALL_BUFFER or come >= MEDIUM_BUFFER:
            return whole
        return min(whole, SMALL_BUFFER if come < SMALL_BUFFER else MEDIUM_BUFFER)

    @property
    def missing(self) -> int:
        """Bytes that the message now arriving lacks; 0 while its length is not known."""
        pending = self._end - self._start
        return PREFIX_SIZE + self._length() - pending if pending >= PREFIX_SIZE else 0

    def room(self) -> memoryview:
        """Where the next bytes go: never empty, and in storage of the size that is `wanted`."""
        if self._start == self._end:  # nothing has come of the next message
            if not self._size <= len(self._view) <= 2 * self._size:
                self._drop(reuse=True)
                self._view = self._pool.take(self._size)
            self._start = self._end = 0
            return self._view
        need = self.wanted or PREFIX_SIZE
        length = len(self._view)
        if self._start + need > length or self._end == length or length < self._size:
            self._move(need)
        if need > self._pool.size:
            # Not more of the next message, or that would have to move: but its prefix tells how much of it will come.
            end = self._start + need + PREFIX_SIZE
            return self._view[self._end : end if self.at_hand <= _PIECES else min(end, self._end + _PIECE)]
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """`count` bytes were put into what `room` gave."""
        self._end += count
        if count < self._pool.size:
            self._size = self._pool.size
        self.at_hand = max(self.at_hand - count, 0)

    def next_message(self) -> memoryview | None:
        """The next complete message (without its prefix), or None. Its bytes stay in place until the next `room`.

        Raises `ProtocolError` for a prefix that is none, and for a message longer than `max_message`.
        """
        start, end = self._start, self._end
        if end == start:
            return None
        begin = start + PREFIX_SIZE
        if begin > end:
            return None
        stop = begin + self._length()
        if stop > end:
            return None
        self._start = stop
        return self._view[begin:stop]

    def detach(self, *, reuse: bool = False) -> None:
        """Leave the storage to the messages given out so far; what has not been given out moves to other storage.

        `reuse`: none of those is in use any more.
        """
        if self._view is _NOTHING:
            return
        rest = bytes(self._view[self._start : self._end])
        self._drop(reuse=reuse)
        self._refill(rest)

    def rest(self) -> None:
        """No message given out is in use any more, and more is waited for: hold no more than what has arrived."""
        if self._start == self._end:
            self._drop(reuse=True)
            return
        held, usual = len(self._view), self._pool.size
        if (held == usual and self.pending <= _PARTIAL_LIMIT) or (held > usual and self.wanted <= usual):
            self.detach(reuse=True)

    def close(self) -> None:
        """Give the storage up."""
        self._drop(reuse=False)

    def _length(self) -> int:
        length: int = _length_at(self._view, self._start)[0]
        if length > self.max_message:
            # A non-zero first byte (a NetBIOS session packet) makes the number too large as well.
            raise ProtocolError(f"a message of {length:#x} bytes, where at most {self.max_message:#x} are allowed")
        return length

    def _adopt(self, view: memoryview, start: int, end: int) -> None:
        self._view = view
        self._start, self._end = start, end

    def _refill(self, rest: bytes) -> None:
        """Keep the beginning of a message: a small one in no more than it needs."""
        size = len(rest)
        if size > _PARTIAL_LIMIT:
            view = self._pool.take(size)
            view[:size] = rest
            self._adopt(view, 0, size)
        elif size:
            self._adopt(memoryview(bytearray(rest)), 0, size)

    def _move(self, need: int) -> None:
        """Bring the message now arriving to the front of storage that can hold all of it."""
        rest = self._view[self._start : self._end]
        start = 0
        if need > self._pool.size:
            start = _LEAD
            size = need + _LEAD + PREFIX_SIZE
            self._size = self._pool.size
        else:
            if self._end >= self._pool.size:
                self._size = self._pool.size * _MANY
            size = self._size
        view = self._pool.take(size)
        end = start + len(rest)
        view[start:end] = rest
        rest.release()
        self._drop(reuse=True)
        self._adopt(view, start, end)

    def _drop(self, *, reuse: bool) -> None:
        if reuse and self._view is not _NOTHING:
            self._pool.give(self._view)
        self._view = _NOTHING
        self._start = self._end = 0
