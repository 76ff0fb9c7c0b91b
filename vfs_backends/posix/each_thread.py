"""What each thread has of its own: the buffers of its system calls, and whose groups it has.

Never compiled by mypyc, for which a class is one for all threads.
"""

import ctypes
import struct
import threading
from typing import Final

__all__ = ["VALUE_ROOM", "Buffers", "Groups"]

VALUE_ROOM: Final = 4096
"""Bytes of an extended attribute: a security descriptor of any but an uncommon length."""


class Buffers(threading.local):
    """A call releases the interpreter lock, and another thread could be in the same call."""

    def __init__(self) -> None:
        self.statx = ctypes.create_string_buffer(256)
        self.statx_reference = ctypes.byref(self.statx)
        # struct cachestat_range, and struct cachestat.
        self.cache_range = ctypes.create_string_buffer(16)
        self.cache_range_reference = ctypes.byref(self.cache_range)
        self.cached = ctypes.create_string_buffer(40)
        self.cached_reference = ctypes.byref(self.cached)
        value = ctypes.create_string_buffer(VALUE_ROOM)
        self.value_view = memoryview(value).cast("B")
        self.value_reference = ctypes.byref(value)
        # struct xattr_args: address and length of the buffer, flags.
        self.xattr_arguments = ctypes.create_string_buffer(
            struct.pack("=QII", ctypes.addressof(value), VALUE_ROOM, 0), 16
        )
        self.xattr_reference = ctypes.byref(self.xattr_arguments)


class Groups(threading.local):
    """The group and the supplementary groups that a thread has taken."""

    current: tuple[int, tuple[int, ...]] | None = None
    """None where that is not known."""
