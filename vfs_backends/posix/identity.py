"""Acting with somebody else's rights: setfsuid(2), setfsgid(2) and setgroups(2), of one thread and for one call.

The kernel keeps these ids for each thread; that setgroups(3) changes those of all threads is the C library's doing, so
the system call is made directly. Nothing may be awaited between setting them and setting them back, or others would
act with them: hence there is but one function, and what it calls is a plain one.

Groups are not set back but left until others are wanted, which saves half of the time: they only ever add rights, and
the process, which is root, has all that they could give it. What it creates by itself it creates as `SERVER`.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable
from typing import Final, TypeVar

from vfs_backends.api import Caller
from vfs_backends.posix.each_thread import Groups

__all__ = ["SERVER", "act_as", "as_caller", "can_act", "heed_quotas", "is_refusal"]

T = TypeVar("T")

_libc: Final = ctypes.CDLL(None, use_errno=True)
_syscall: Final = _libc["syscall"]
_setfsuid = _libc["setfsuid"]
_setfsgid = _libc["setfsgid"]
_MASK: Final = 0xFFFFFFFF
_ASK: Final = -1
"""No id is like that: nothing is changed, but the present one is told."""

_SETGROUPS: Final = {
    "x86_64": 116,
    "aarch64": 159,
    "riscv64": 159,
    "loongarch64": 159,
    "s390x": 206,
    "ppc64le": 81,
    "ppc64": 81,
}
_number = _SETGROUPS.get(platform.machine())
_NR_SETGROUPS: Final = ctypes.c_long(_number if _number is not None else -1)

SERVER: Final = Caller(0, 0)
"""The process itself, where it can act as others."""

_CAPABILITY_VERSION_3: Final = 0x20080522
_CAP_SYS_RESOURCE: Final = 24
_REFUSALS: Final = frozenset({errno.EACCES, errno.EPERM})
_MISMATCH: Final = b"smbgate: cannot take back its own rights after acting with those of a user\n"


_groups: Final = Groups()
_tried: Final[set[tuple[int, int]]] = set()
"""Ids that the process is known to be able to take."""


def can_act() -> bool:
    """Whether the process can act as others: it is root, on a machine whose system calls are known here."""
    return os.geteuid() == 0 and _number is not None


def heed_quotas() -> None:
    """Give up what lets root write beyond the quotas of others: CAP_SYS_RESOURCE, in this thread and those it starts.

    Whose file it is, is not all that the kernel asks when a block is added to it: also who writes, and that is always
    the server. It may go on to raise limits (the capability stays permitted), once it takes it back.
    """
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    if _libc.capget(header, data) < 0:
        return
    words = list(struct.unpack("=6I", data.raw))
    words[0] &= ~(1 << _CAP_SYS_RESOURCE)
    data.raw = struct.pack("=6I", *words)
    _libc.capset(header, data)


def is_refusal(number: int) -> bool:
    """Whether an error number says that somebody lacks a right."""
    return number in _REFUSALS


def as_caller(caller: Caller | None, call: Callable[[], T]) -> T:
    """Make a call with the rights of `caller` (None: with our own); where they overrule the storage, if need be with
    ours. Raises OSError."""
    if caller is None:
        return call()
    try:
        return act_as(caller, call)
    except OSError as error:
        if not caller.overrules or not is_refusal(error.errno or 0):
            raise
    return act_as(SERVER, call)


def act_as(caller: Caller, call: Callable[[], T]) -> T:
    """Make a call with the rights of `caller`.

    Raises OSError (EPERM) if the process cannot act as them, and what `call` raises. If its own rights cannot be had
    back, the process ends: it would go on as somebody else.
    """
    uid, gid = caller.uid, caller.gid
    if _groups.current != (gid, caller.groups):
        _set_groups(gid, caller.groups)
    if uid == 0:
        return call()
    try:
        _setfsuid(uid)
        if (uid, gid) not in _tried:
            _check(uid, gid)
        return call()
    finally:
        # What is told is the id before: that it was the caller's shows that the call was made with their rights.
        before = _setfsuid(0) & _MASK
        if before != uid or _setfsuid(_ASK):
            _give_up(before, uid, gid)


def _check(uid: int, gid: int) -> None:
    """These system calls do not tell whether they worked. Raises OSError if they did not."""
    if _setfsuid(_ASK) & _MASK != uid or _setfsgid(_ASK) & _MASK != gid:
        raise _cannot_act(uid, gid)
    _tried.add((uid, gid))


def _cannot_act(uid: int, gid: int) -> OSError:
    return PermissionError(errno.EPERM, f"cannot act as user {uid} and group {gid}")


def _give_up(before: int, uid: int, gid: int) -> None:
    """End the process, unless it merely never became the user: then nobody is to have what the call has got. Raises
    OSError."""
    if before == 0 and _setfsuid(_ASK) == 0:
        raise _cannot_act(uid, gid)
    os.write(2, _MISMATCH)
    os._exit(70)


def _set_groups(gid: int, groups: tuple[int, ...]) -> None:
    array = (ctypes.c_uint32 * len(groups))(*groups)
    _groups.current = None
    if _syscall(_NR_SETGROUPS, len(groups), array) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setgroups: {os.strerror(number)}")
    _setfsgid(gid)
    _groups.current = (gid, groups)
