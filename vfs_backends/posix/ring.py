"""openat2(2) with the rights of others, by io_uring(7): what it costs to become them is paid once for each.

A request names credentials that have been registered before, its "personality" (io_uring_register(2)), and the kernel
borrows them while it answers. There is never more than one request, and only of a kind that is answered by the time
io_uring_enter(2) returns: with RESOLVE_CACHED the kernel says EAGAIN of what it would hand to a thread of its own.
"""

import ctypes
import errno
import logging
import mmap
import os
import struct
from typing import Final, Literal

from vfs_backends.posix.failures import os_error
from vfs_backends.posix.syscalls import PATH_MAX, How

__all__ = ["Ring"]

log = logging.getLogger(__name__)

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc["syscall"]
_mmap = _libc["mmap"]
_mmap.restype = ctypes.c_size_t
_munmap = _libc["munmap"]

# The same on every architecture but alpha.
_NR_SETUP: Final = ctypes.c_long(425)
_NR_ENTER: Final = ctypes.c_long(426)
_NR_REGISTER: Final = ctypes.c_long(427)

_REGISTER_PERSONALITY: Final = 9
_UNREGISTER_PERSONALITY: Final = 10
_NEEDED_FEATURES: Final = 1 << 0 | 1 << 4
"""IORING_FEAT_SINGLE_MMAP, and IORING_FEAT_CUR_PERSONALITY, which came with personalities."""

_AT_RINGS: Final = 0
_AT_REQUESTS: Final = 0x10000000
_MAP_FAILED: Final = (1 << 8 * ctypes.sizeof(ctypes.c_size_t)) - 1

_PARAMETERS: Final = struct.Struct("=7I12x 8I8x 8I8x")
"""struct io_uring_params: numbers of requests and of completions, ..., features, ...; where the parts of the queue of
requests are (head, tail, mask, number, flags, dropped, array, -), and those of the completions (head, tail, mask,
number, overflow, completions, flags, -)."""

_REQUEST: Final = struct.Struct("=BBHiQQIIQHHiQQ")
"""struct io_uring_sqe: operation, flags, priority, directory, addresses of open_how and of the path, size of open_how,
flags, mark, buffer, personality, ..."""
_OPENAT2: Final = 28
_HOW_SIZE: Final = 24
# Where the fields that differ are, counted in fields of their size.
_DIRECTORY: Final = 1
_MARK: Final = 4
_PERSONALITY: Final = 21

_COMPLETION_SIZE: Final = 16
"""struct io_uring_cqe: mark (8 bytes), result (4), flags (4)."""

_COUNTER: Final = 0xFFFFFFFF
_LATER: Final = -errno.EAGAIN
_GONE: Final = -errno.ENOSYS


class Ring:
    """Opens in one way, for one thread; until `close`, or until the kernel does anything unexpected."""

    def __init__(self, how: How, directory: int) -> None:
        """`how` never waits; `directory` is any, to find out whether this works. Raises OSError if it does not."""
        if not how.never_waits:
            raise ValueError("the kernel would let a thread of its own wait")
        self._how = how
        self._path = ctypes.create_string_buffer(PATH_MAX)
        self._sent = 0
        """Requests, each marked with its number from 1 on: so memory that nothing was written to is no completion."""
        self._answered = 0
        """The last of them whose answer somebody has got."""
        self._maps: list[tuple[int, int]] = []
        """Address and size of what is mapped."""
        self._views: list[memoryview] = []
        parameters = ctypes.create_string_buffer(_PARAMETERS.size)
        self._fd: int = _syscall(_NR_SETUP, 1, ctypes.byref(parameters))
        if self._fd < 0:
            raise os_error(ctypes.get_errno())
        try:
            self._share_memory(_PARAMETERS.unpack(parameters.raw))
            self._try_out(directory)
        except OSError:
            self.close()
            raise

    def _share_memory(self, parameters: tuple[int, ...]) -> None:
        requests, completions, features = parameters[0], parameters[1], parameters[5]
        if features & _NEEDED_FEATURES != _NEEDED_FEATURES or requests != 1:
            raise os_error(errno.ENOSYS)
        _, tail, _, _, _, _, array, _ = parameters[7:15]
        head, _, _, _, _, first, _, _ = parameters[15:23]
        # Counted in their size, as the views are.
        self._tail, self._head, self._first = tail // 4, head // 4, first // _COMPLETION_SIZE
        self._mask = completions - 1

        rings = self._map(_AT_RINGS, max(first + completions * _COMPLETION_SIZE, array + 4))
        self._counters = self._view(rings, "I")
        self._marks = self._view(rings, "Q")
        self._results = self._view(rings, "i")
        self._counters[array // 4] = 0

        request = self._map(_AT_REQUESTS, _REQUEST.size)
        path = ctypes.addressof(self._path)
        _REQUEST.pack_into(request, 0, _OPENAT2, 0, 0, -1, self._how.address, path, _HOW_SIZE, 0, 0, 0, 0, 0, 0, 0)
        self._ints = self._view(request, "i")
        self._longs = self._view(request, "Q")
        self._shorts = self._view(request, "H")

    def _map(self, offset: int, size: int) -> memoryview:
        # Not by `mmap`, which would keep two more descriptors.
        size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        flags, place = mmap.MAP_SHARED | mmap.MAP_POPULATE, ctypes.c_long(offset)
        address: int = _mmap(None, ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_WRITE, flags, self._fd, place)
        if address == _MAP_FAILED:
            raise os_error(ctypes.get_errno())
        self._maps.append((address, size))
        whole = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
        self._views.append(whole)
        return whole

    def _view(self, whole: memoryview, item: Literal["H", "I", "Q", "i"]) -> memoryview:
        view = whole.cast(item)
        self._views.append(view)
        return view

    def _try_out(self, directory: int) -> None:
        """The kernel may know no such request, and a security module may not let it have any credentials."""
        own = self.register()
        fd = self.openat2(directory, b".", own)
        if fd >= 0:
            os.close(fd)
        elif fd != _LATER:
            raise os_error(-fd)
        self.unregister(own)

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def close(self) -> None:
        """More than once is no harm."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        # From here on to use them is an error, and not an access to memory that is not there.
        for view in reversed(self._views):
            view.release()
        for address, size in self._maps:
            _munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
        os.close(fd)

    def register(self) -> int:
        """Keep the credentials that the thread has now, under a number above 0. Raises OSError."""
        number: int = _syscall(_NR_REGISTER, self._fd, _REGISTER_PERSONALITY, None, 0)
        if number < 0:
            raise os_error(ctypes.get_errno())
        if not number:  # which, in a request, stands for those that the thread has when it is made
            raise os_error(errno.EINVAL)
        return number

    def unregister(self, personality: int) -> None:
        """Let go of credentials; that there are none of that number is no error."""
        _syscall(_NR_REGISTER, self._fd, _UNREGISTER_PERSONALITY, None, personality)

    def openat2(self, directory: int, path: bytes, personality: int) -> int:
        """The new descriptor, or the negative error number: EAGAIN if that would take waiting, ENOSYS once the ring is
        gone.

        Raises ValueError for a path of PATH_MAX bytes or more, and for a number that is none of `register`.
        """
        if self._fd < 0:
            return _GONE
        if personality < 1 or len(path) >= PATH_MAX:
            raise ValueError(path)
        if self._answered != self._sent:  # an interrupt by a signal, between sending and taking the answer
            return self._give_up()
        slot = self._first + (self._sent & self._mask)
        number = self._sent = self._sent + 1
        self._path.value = path
        self._ints[_DIRECTORY] = directory
        self._longs[_MARK] = number
        self._shorts[_PERSONALITY] = personality
        self._counters[self._tail] = number & _COUNTER
        if _syscall(_NR_ENTER, self._fd, 1, 0, 0, None, 0) != 1 or self._marks[2 * slot] != number:
            return self._give_up()
        result = self._results[4 * slot + 2]
        self._counters[self._head] = number & _COUNTER
        self._answered = number
        return result

    def _give_up(self) -> int:
        """Whose answer is whose is not known any more. What has been opened by then nobody else will close."""
        log.warning("io_uring has not answered as expected and is not used any more")
        for slot in range(self._first, self._first + self._mask + 1):
            result = self._results[4 * slot + 2]
            if self._answered < self._marks[2 * slot] <= self._sent and result >= 0:
                os.close(result)
        self.close()
        return _GONE
