"""Mounting and unmounting. A process can have one mount."""

import errno
import logging
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyfuse3
import trio

from gateway.fuse.callers import Callers, MakeToken
from gateway.fuse.core import Core
from gateway.fuse.driving import install
from gateway.fuse.exports import Mounted
from gateway.fuse.keeping import Keeping
from gateway.fuse.locks import LockMirror
from gateway.fuse.notifier import Notifier
from gateway.fuse.operations import Operations
from gateway.fuse.turns import Turn
from gateway.fuse.waiting import MAX_TASKS, Requests
from gateway.transport.hub import Hub

__all__ = ["MountError", "MountOptions", "mount"]

log = logging.getLogger("gateway.fuse")

_MAX_DEAD: Final = 16
_ESCAPED: Final = re.compile(r"\\(\d{3})")


class MountError(Exception):
    """It cannot be mounted; the message says why."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """How to mount. Times are in seconds."""

    directory: Path
    allow_other: bool = True
    """Also for others than the user who mounts; who is not root must be allowed to (`user_allow_other`, fuse.conf)."""
    cache_seconds: float = 1.0
    """For so long the kernel may answer by itself."""
    share_seconds: float = 5.0
    """For so long an open waits for another one that denies sharing."""


async def mount(
    options: MountOptions,
    mounted: Sequence[Mounted],
    make_token: MakeToken,
    hub: Hub,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Mount, and serve until cancelled or unmounted. Raises `MountError`.

    Where the hub runs it has the requests answered that come while nothing else is to be done.
    """
    directory = str(options.directory)
    await _clear(directory)
    owner = ("fuse", directory)
    keeping = Keeping(options.cache_seconds, owner, is_for_one=not options.allow_other)
    core = Core(mounted, Callers(make_token), owner, keeping)
    core.root_uid, core.root_gid = os.geteuid(), os.getegid()
    turn = Turn()
    requests = Requests(options.share_seconds, turn)
    kernel = {"fsname=smbgate", "subtype=smbgate"}
    if options.allow_other:
        kernel.add("allow_other")
    notifier = Notifier(core)
    operations = Operations(core, requests, turn, notifier)
    install(turn, hub)
    try:
        pyfuse3.init(operations, directory, kernel)
    except RuntimeError as error:
        notifier.end()
        raise MountError(f"cannot mount on {directory}: {error}; libfuse has said why on standard error") from error
    locks = LockMirror(core, directory)
    log.info("mounted on %s", directory)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(requests.watch)
            task_status.started()
            await pyfuse3.main(max_tasks=MAX_TASKS)
            nursery.cancel_scope.cancel()
    finally:
        notifier.end()
        locks.end()
        # Without waiting for those who use it still: they are told that it is gone.
        pyfuse3.close(unmount=True)
        notifier.join()
        with trio.CancelScope(shield=True):
            await core.aclose()
        log.info("unmounted %s", directory)


async def _clear(directory: str) -> None:
    """See to it that something can be mounted there; what a server that was killed has left is unmounted."""
    for _ in range(_MAX_DEAD):
        try:
            # What stat(2) says may be from the kernel's memory.
            await trio.to_thread.run_sync(os.statvfs, directory)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise MountError(f"cannot mount on {directory}: {error.strerror}") from error
            await _unmount(directory)
            continue
        if await trio.to_thread.run_sync(_is_ours, directory):
            raise MountError(f"there is a mount of smbgate on {directory} already")
        return
    raise MountError(f"cannot mount on {directory}: the mounts that are there cannot be removed")


def _is_ours(directory: str) -> bool:
    """Whether a smbgate is mounted there. See proc_pid_mountinfo(5)."""
    place = os.path.realpath(directory)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            path = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields.split()[4])
            if path == place and rest.startswith("fuse.smbgate "):
                return True
    return False


async def _unmount(directory: str) -> None:
    """Take a dead mount away, even if it is in use."""
    log.warning("%s: unmounting what a server that has ended has left", directory)
    command = ["umount", "-l", directory] if os.geteuid() == 0 else ["fusermount3", "-u", "-z", directory]
    if shutil.which(command[0]) is None:
        raise MountError(f"cannot unmount what is left on {directory}: there is no {command[0]}")
    done = await trio.run_process(command, check=False, capture_stderr=True)
    if done.returncode != 0:
        raise MountError(f"cannot unmount what is left on {directory}: {done.stderr.decode(errors='replace').strip()}")
