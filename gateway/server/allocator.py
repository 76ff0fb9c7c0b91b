"""How memory is kept: by the C library what was freed, mallopt(3), and by Python's collector what stays."""

import ctypes
import gc

__all__ = ["keep_freed_memory", "spare_what_stays"]

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT = 64 << 20
_LARGEST_KEPT = 32 << 20
"""The most that glibc allows."""


def keep_freed_memory() -> None:
    """Let the buffers of large reads and writes be used again, instead of giving each back to the system.

    A new mapping of a MiB costs more in page faults than to read, seal and send what is put there. Up to 64 MiB at
    the end of the heap stay with the process. Does nothing where the C library has no such choice.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)


def spare_what_stays() -> None:
    """Have the collector look for garbage only among what comes from now on.

    Modules, classes and tables are most of what there is, and stay; all requests would wait while it goes through them.
    """
    gc.collect()
    gc.freeze()
