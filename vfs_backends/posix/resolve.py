"""From a path to a descriptor, without ever leaving the tree: openat2(2) with RESOLVE_BENEATH from a directory."""

import errno
import os
from typing import Final

from vfs_backends.api import Caller
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.descriptors import close_quietly
from vfs_backends.posix.failures import kind_of, os_error
from vfs_backends.posix.handles import PosixHandle
from vfs_backends.posix.identity import act_as
from vfs_backends.posix.index import CaseIndex
from vfs_backends.posix.names import MAX_NAME, path_to_bytes
from vfs_backends.posix.personalities import Personalities
from vfs_backends.posix.stats import IDENTITY
from vfs_backends.posix.syscalls import (
    PATH_MAX,
    RESOLVE_BENEATH,
    RESOLVE_CACHED,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
    How,
    StatxFields,
    may_access,
    openat2,
    statx,
)
from vfs_backends.posix.volume import Tree, Volume

__all__ = ["Found", "Resolver", "look_up_failure"]

_PIECE: Final = 4000
_ATTEMPTS: Final = 8
_NOT_THERE: Final = -errno.ENOENT
_LATER: Final = -errno.EAGAIN
_ELSEWHERE: Final = -errno.EXDEV

Found = tuple[int, StatxFields]
"""A new O_PATH descriptor, and what it is on."""

_OTHERWISE: Final = frozenset({_NOT_THERE, -errno.ELOOP, _ELSEWHERE, -errno.ENOTDIR})
"""What it may mean that a symbolic link leads out or nowhere."""

_PATH: Final = os.O_PATH | os.O_CLOEXEC
_BENEATH: Final = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS


class _Way:
    """A way of opening: what to try in turn, and the same in the form that fails with EAGAIN instead of waiting."""

    __slots__ = ("cached", "in_memory", "plain")

    def __init__(self, flags: int, *, follows_symlinks: bool) -> None:
        attempts = [(flags, _BENEATH if follows_symlinks else _BENEATH | RESOLVE_NO_SYMLINKS)]
        if follows_symlinks and flags & os.O_NOFOLLOW:
            # First what a link leads to; then the link itself, if it leads out or nowhere.
            attempts.insert(0, (flags & ~os.O_NOFOLLOW, _BENEATH))
        self.plain = [How(flags, resolve) for flags, resolve in attempts]
        self.cached = [How(flags, resolve | RESOLVE_CACHED) for flags, resolve in attempts]
        self.in_memory = [How(flags, resolve | RESOLVE_NO_XDEV) for flags, resolve in attempts]

    def at_hand(self, volume: Volume) -> list[How]:
        """What to try first: where nothing ever waits, only to go on into something else that is mounted there may."""
        return self.in_memory if volume.kind.in_memory else self.cached


class Resolver:
    """Looks up paths. Each component is tried exactly first, then by its folded form."""

    def __init__(self, tree: Tree, index: CaseIndex) -> None:
        follows = tree.follows_symlinks
        self.tree = tree
        self.index = index
        self._follows = follows
        # O_PATH | O_NOFOLLOW opens a symbolic link itself, if it is the last component.
        self._last = _Way(_PATH | os.O_NOFOLLOW, follows_symlinks=follows)
        self._directory = _Way(_PATH | os.O_DIRECTORY, follows_symlinks=follows)
        self._personalities = Personalities(self._last.cached[0])

    def close(self) -> None:
        self._personalities.close()

    def exact_at_hand(self, start: PosixHandle, path: bytes) -> Found | int:
        """What a path leads to exactly; the negative error number, EAGAIN if it takes more to find out."""
        volume = start.volume
        if self._follows or volume.threads.always or len(path) >= PATH_MAX:
            return _LATER
        fd = openat2(start.fd, path, self._last.at_hand(volume)[0])
        if fd < 0:
            return _LATER if fd == _ELSEWHERE else fd
        return _identified(fd)

    def reach_at_hand(
        self, start: PosixHandle, path: bytes, caller: Caller, opening: int = 0
    ) -> tuple[Found | int, bool]:
        """What a path, of names as they are spelled, leads to for somebody; the negative error number, EAGAIN if the
        storage is slow and has to be asked.

        And whether they may open it for what `opening` says, as access(2) takes it: to become somebody else costs more
        than all the rest of it, and is done once for both, or not at all where only the way is asked for and the kernel
        lends their credentials. Raises OSError.
        """
        if start.volume.threads.always:
            return _LATER, False
        waits = False
        if not opening and caller.uid and len(path) < PATH_MAX:
            fd = self._personalities.openat2(caller, start.fd, path)
            if fd >= 0:
                return _identified(fd), False
            if fd == _NOT_THERE and not self._follows:
                return fd, False
            # Of anything else (it may be the ring's own failure) the kernel is asked as the caller.
            waits = fd == _LATER
        return self._reach_as(start, path, caller, opening, waits=waits)

    def _reach_as(
        self, start: PosixHandle, path: bytes, caller: Caller, opening: int, *, waits: bool
    ) -> tuple[Found | int, bool]:
        """`waits`: the form that fails instead has failed already."""
        return act_as(caller, lambda: self._reach_here(start.volume, start, path, opening, waits=waits))

    def _reach_here(
        self, volume: Volume, start: PosixHandle, path: bytes, opening: int, *, waits: bool
    ) -> tuple[Found | int, bool]:
        result = _LATER if waits else self._open(start.fd, start.path, path, self._last.at_hand(volume))
        looks = volume.threads.looks_at_hand
        if result == _LATER and looks is not None:
            began = looks.begin()
            result = self._open(start.fd, start.path, path, self._last.plain)
            looks.took(began)
        if not opening or isinstance(result, int) or not volume.has(result[1]):
            return result, False
        return result, may_access(result[0], opening)

    async def reach(self, start: PosixHandle, path: bytes, caller: Caller) -> Found | int:
        """The same, however long it takes."""
        plain = self._last.plain
        return await start.volume.threads.look(act_as, caller, lambda: self._open(start.fd, start.path, path, plain))

    async def resolve(self, start: PosixHandle, path: str, *, case_sensitive: bool) -> tuple[Found, str] | None:
        """What `path` leads to, and the path from the root by which it was found; None if there is no such name in the
        last directory. Raises VfsError."""
        start.pin()
        try:
            walk = _Walk(self, start)
            try:
                return await walk.go(path, case_sensitive=case_sensitive)
            finally:
                walk.give_up()
        finally:
            start.unpin()

    async def open(self, volume: Volume, directory: int, above: str, path: str, *, is_last: bool) -> Found | int:
        """Open `path` from `directory` of `volume`, which is at `above`; the negative error number if that fails."""
        way = self._last if is_last else self._directory
        raw = path_to_bytes(path)
        threads = volume.threads
        if not threads.always:
            result = self._open(directory, above, raw, way.at_hand(volume))
            if result != _LATER:
                return result
        return await threads.look(self._open, directory, above, raw, way.plain)

    def open_at_hand(self, volume: Volume, directory: int, above: str, path: str) -> Found | int:
        """Go into a directory if that takes no waiting; otherwise EAGAIN, negative."""
        if volume.threads.always:
            return _LATER
        return self._open(directory, above, path_to_bytes(path), self._directory.at_hand(volume))

    def _open(self, directory: int, above: str, raw: bytes, hows: list[How]) -> Found | int:
        fd = _NOT_THERE
        for how in hows:
            fd = self._openat2(directory, raw, how)
            # A link may well lead out of the directory and stay inside of the tree.
            if fd == _ELSEWHERE and self._follows:
                fd = self._openat2(self.tree.root, path_to_bytes(above) + b"/" + raw if above else raw, how)
            if fd == _ELSEWHERE and how.is_hasty:
                return _LATER
            if fd not in _OTHERWISE:
                break
        return _identified(fd) if fd >= 0 else fd

    def _openat2(self, directory: int, path: bytes, how: How) -> int:
        """openat2(2) of a path of any length."""
        fd = directory
        try:
            while len(path) >= PATH_MAX:
                cut = path.rfind(b"/", 0, _PIECE)
                if cut < 0:
                    return -errno.ENAMETOOLONG
                below = _patiently(fd, path[:cut], self._directory.plain[0])
                if fd != directory:
                    os.close(fd)
                fd, path = below, path[cut + 1 :]
                if fd < 0:
                    return fd
            return _patiently(fd, path, how)
        finally:
            if fd >= 0 and fd != directory:
                os.close(fd)


def _identified(fd: int) -> Found | int:
    fields = statx(fd, b"", IDENTITY)
    if isinstance(fields, int):
        os.close(fd)
        return fields
    return fd, fields


def _patiently(fd: int, path: bytes, how: How) -> int:
    result = _LATER
    for _ in range(_ATTEMPTS):
        result = openat2(fd, path, how)
        # Following ".." of a symbolic link, the kernel gives up if anything is renamed meanwhile.
        if result != _LATER or how.is_hasty:
            break
    return result


class _Walk:
    """One look-up: where it has got to."""

    def __init__(self, resolver: Resolver, start: PosixHandle) -> None:
        self._resolver = resolver
        self._borrowed = start.fd
        self._fd = start.fd
        self._node_id = start.node_id
        self._volume = start.volume
        self._path = start.path

    def give_up(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0 and fd != self._borrowed:
            close_quietly(fd)

    def _enter(self, found: Found, path: str) -> None:
        self.give_up()
        self._fd, fields = found
        self._volume, self._node_id = self._resolver.tree.locate(fields)
        self._path = path

    async def go(self, path: str, *, case_sensitive: bool) -> tuple[Found, str] | None:
        above, _, last = path.rpartition("/")
        if case_sensitive:
            if above:
                await self._exactly(above)
            return await self._last(last, case_sensitive=True)
        if above and not await self._try_exactly(above, case_sensitive=False):
            for name in above.split("/"):
                await self._descend(name)
        return await self._last(last, case_sensitive=False)

    async def _try_exactly(self, path: str, *, case_sensitive: bool) -> bool:
        """Go into a directory below by its exact path; False if there is none, or it is not known offhand."""
        resolver = self._resolver
        if case_sensitive or resolver.index.ready(self._node_id) is None:
            found = await resolver.open(self._volume, self._fd, self._path, path, is_last=False)
        else:
            found = resolver.open_at_hand(self._volume, self._fd, self._path, path)
        if isinstance(found, int):
            if found in {_NOT_THERE, _LATER}:
                return False
            raise look_up_failure(found, path, is_last=False)
        self._enter(found, _join(self._path, path))
        return True

    async def _exactly(self, path: str) -> None:
        if not await self._try_exactly(path, case_sensitive=True):
            raise VfsError(Kind.PATH_NOT_FOUND, path)

    async def _descend(self, name: str) -> None:
        below = await self._find(name, is_last=False, case_sensitive=False)
        if below is None:
            raise look_up_failure(_NOT_THERE, name, is_last=False)
        found, stored = below
        self._enter(found, _join(self._path, stored))

    async def _last(self, name: str, *, case_sensitive: bool) -> tuple[Found, str] | None:
        below = await self._find(name, is_last=True, case_sensitive=case_sensitive)
        if below is None:
            return None
        found, stored = below
        return found, _join(self._path, stored)

    async def _find(self, name: str, *, is_last: bool, case_sensitive: bool) -> tuple[Found, str] | None:
        """Open what a name leads to in the directory we are in, with the name as it is spelled there; None if there is
        no such name."""
        if len(name) * 3 > MAX_NAME and len(path_to_bytes(name)) > MAX_NAME:
            raise look_up_failure(-errno.ENAMETOOLONG, name, is_last=is_last)
        stored = name
        names = None if case_sensitive else self._resolver.index.ready(self._node_id)
        if names is not None:
            # No need to ask the disk for what we know: most names asked for in vain are about to be created.
            stored = names.find(name) or ""
            if not stored:
                return None
        found = await self._resolver.open(self._volume, self._fd, self._path, stored, is_last=is_last)
        if not isinstance(found, int):
            return found, stored
        if found != _NOT_THERE:
            raise look_up_failure(found, name, is_last=is_last)
        return None if case_sensitive else await self._find_folded(name, is_last=is_last)

    async def _is_there(self, name: str) -> bool:
        """Whether there is such a name after all: a symbolic link that leads nowhere."""
        found = await self._resolver.open(self._volume, self._fd, self._path, name, is_last=True)
        if isinstance(found, int):
            return False
        close_quietly(found[0])
        return True

    async def _find_folded(self, name: str, *, is_last: bool) -> tuple[Found, str] | None:
        found: Found | int = _NOT_THERE
        for _ in range(_ATTEMPTS):
            try:
                names = await self._resolver.index.get(self._fd, self._node_id)
            except OSError:
                # Search permission is enough for an exact look-up, but not to read the directory.
                return None
            stored = names.find(name)
            if stored is None:
                break
            found = await self._resolver.open(self._volume, self._fd, self._path, stored, is_last=is_last)
            if not isinstance(found, int):
                return found, stored
            if found != _NOT_THERE or (not is_last and await self._is_there(stored)):
                break
            names.remove(stored)  # gone since
        assert isinstance(found, int)
        if found == _NOT_THERE:
            return None
        raise look_up_failure(found, name, is_last=is_last)


def look_up_failure(result: int, name: str, *, is_last: bool) -> VfsError:
    """What it means that a component of a path could not be opened; `result` is the negative error number."""
    number = -result
    if number == errno.ENOENT:
        kind = Kind.NOT_FOUND if is_last else Kind.PATH_NOT_FOUND
    elif number == errno.ENOTDIR:
        kind = Kind.PATH_NOT_FOUND
    elif number == errno.EXDEV:
        kind = Kind.ESCAPES
    else:
        kind = kind_of(number)
    error = VfsError(kind, name)
    error.__cause__ = os_error(number)
    return error


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
