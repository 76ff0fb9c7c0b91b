"""Which descriptor a file has, and what a caller may do with it. [MS-FSA] 2.1.5.1.2.1.

A file has the descriptor that was stored with it, or, if none was, the one that its owner, mode and ACL amount to. One
that is stored says with which POSIX permissions it was; where these are others by now, a policy decides what counts.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from acl.access import AccessDenied, access_check, maximal_access
from acl.ace import Acl
from acl.descriptor import SecurityDescriptor
from acl.errors import AclError
from acl.idmap import PosixId
from acl.intersect import intersect
from acl.ntacl_xattr import Policy, PosixState, is_current, parse_ntacl
from acl.posix import descriptor_from_acl, descriptor_from_mode
from acl.posix_acl import PosixAcl, acl_from_mode, parse_posix_acl
from acl.sid import Sid
from acl.token import Token
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_PRIVILEGE_NOT_HELD, StatusError
from gateway.share.auditing import audit
from gateway.share.remembered import Remembered
from vfs_backends.api import Capability, Handle, NodeId, Permissions, Stat
from vfs_backends.errors import Kind, VfsError

__all__ = ["Descriptors", "Governing", "Ids", "check_access"]

log = logging.getLogger("gateway.acl")

_CACHED_KEYS: Final = 4096
_CACHED_FILES: Final = 32768
_KEPT_DIRECTORIES: Final = 1024
_ASKED_ABOUT: Final = 4096
_WORTH_WATCHING: Final = 3
"""How often a directory is asked about before it pays to watch it."""


class Ids(Protocol):
    """The SIDs of users and groups: some methods of `acl.idmap.IdMap`, which may be another one later."""

    def user_sid(self, uid: int) -> Sid: ...

    def group_sid(self, gid: int) -> Sid: ...

    def lookup(self, sid: Sid) -> PosixId | None: ...


class Governing:
    """What governs the access to a file; never changes."""

    __slots__ = ("_granted", "descriptor", "is_audited", "is_stored", "overrules")

    def __init__(self, descriptor: SecurityDescriptor, is_stored: bool, overrules: bool) -> None:
        self.descriptor = descriptor
        self.is_audited = descriptor.sacl is not None
        """Whether some accesses are to be recorded (`audit`)."""
        self.is_stored = is_stored
        """A descriptor is stored with the file: it is one that passes on, too."""
        self.overrules = overrules
        """The stored one is as it was set: it decides, and the POSIX permissions are only what is left of it."""
        self._granted: tuple[Token | None, int] = None, 0

    def maximal_access(self, token: Token) -> int:
        """All that the descriptor grants a caller, `acl.access.maximal_access`.

        Most files have the descriptor of others, and one caller opens many of them: the last answer is kept.
        """
        last, granted = self._granted
        if last is not token:
            granted = maximal_access(self.descriptor, token)
            self._granted = token, granted
        return granted

    def check(self, token: Token, desired: int, path: str) -> None:
        """See that it grants all of `desired` on the file at `path`. Raises `StatusError` if not."""
        if desired & ~self.maximal_access(token):
            check_access(self.descriptor, token, desired, path)


_Key = tuple[bytes | None, bytes | None, bytes | None, int, int, int]
"""All that a file's descriptor follows from: the `Permissions`, mode, owner and group."""
_NO_PERMISSIONS: Final = Permissions(None, None, None)


class Descriptors:
    """The descriptors of a share's files, as far as they were asked for lately.

    With `stores` false none is stored, nor is one that was stored heeded. `begin` comes first.
    """

    def __init__(
        self,
        ids: Ids,
        policy: Policy = Policy.INTERSECT,
        *,
        stores: bool = True,
        maps: bool = True,
        assign: Callable[[Sid], PosixId | None] | None = None,
    ) -> None:
        self.ids = ids
        self.policy = policy
        self.stores = stores
        self.maps = maps
        """Whether a descriptor that is set shows in owner, mode and ACL of the file."""
        self.assign = assign or ids.lookup
        """What an owner stands for; may find a number for one that has none."""
        self.has_acls = False
        """Whether the storage has POSIX ACLs."""
        self._by_key: dict[_Key, Governing] = {}
        self._by_file: Remembered[Governing] = Remembered(_CACHED_FILES)
        self._by_mark: dict[NodeId, tuple[int, Governing]] = {}
        self._asked: dict[NodeId, int] = {}
        """How often directories were asked about that are not watched."""

    def begin(self, capabilities: Capability) -> None:
        """Take note of what the storage can do."""
        self.stores = self.stores and Capability.SECURITY in capabilities
        self.has_acls = Capability.POSIX_ACLS in capabilities

    def known(self, stat: Stat) -> Governing | None:
        """What governs the file of a `Stat` that the storage has just told, if that is known; else None."""
        return self._by_file.get(stat)

    def forget(self, node_id: NodeId) -> None:
        """The file's permissions have been changed."""
        self._by_file.forget(node_id)
        self._by_mark.pop(node_id, None)

    async def governing(self, handle: Handle, stat: Stat) -> Governing:
        """What governs the file behind `handle` (not a stream of it); `stat` is what the storage has just told of it.

        Raises `VfsError`.
        """
        governing = self.known(stat)
        if governing is None:
            now = time.time_ns()
            governing = self._learn(stat, await self._permissions(handle), now)
        return governing

    def governing_at_hand(self, handle: Handle, stat: Stat) -> Governing | None:
        """The same, where the storage need not be waited for; else None."""
        governing = self.known(stat)
        if governing is not None:
            return governing
        now = time.time_ns()
        permissions: Permissions | None = _NO_PERMISSIONS
        if self.stores or self.has_acls:
            try:
                permissions = handle.permissions_at_hand(security=self.stores, acls=self.has_acls)
            except VfsError:  # what becomes of it, `_permissions` decides
                return None
        return None if permissions is None else self._learn(stat, permissions, now)

    async def governing_kept(self, directory: Handle) -> Governing:
        """What governs a directory that is asked about again and again as its contents change. Raises `VfsError`."""
        node_id = directory.node_id
        known = self._by_mark.get(node_id)
        mark = directory.permissions_mark() if known is not None or self._is_worth_watching(node_id) else None
        if known is not None and known[0] == mark:
            return known[1]
        if mark is None:
            stat = directory.stat_at_hand(attributes=False) or await directory.stat_found(attributes=False)
        else:
            # What was told before the mark need not be what it stands for.
            stat = await directory.stat()
        governing = self.governing_at_hand(directory, stat) or await self.governing(directory, stat)
        if mark is not None:
            if len(self._by_mark) >= _KEPT_DIRECTORIES:
                self._by_mark.clear()
            self._by_mark[node_id] = mark, governing
        return governing

    def _is_worth_watching(self, directory: NodeId) -> bool:
        asked = self._asked.pop(directory, 0) + 1
        if asked >= _WORTH_WATCHING:
            return True
        if len(self._asked) >= _ASKED_ABOUT:
            self._asked.clear()
        self._asked[directory] = asked
        return False

    async def check(self, handle: Handle, stat: Stat, token: Token, desired: int) -> Governing:
        """See that a file's descriptor grants all of `desired`. Raises `StatusError` if not, and `VfsError`."""
        governing = await self.governing(handle, stat)
        governing.check(token, desired, handle.path)
        return governing

    async def _permissions(self, handle: Handle) -> Permissions:
        if self.stores or self.has_acls:
            try:
                return await handle.get_permissions(security=self.stores, acls=self.has_acls)
            except VfsError as error:
                # Whoever may not even read the file's attributes gets nothing of it that the kernel does not grant.
                if error.kind is not Kind.ACCESS_DENIED:
                    raise
        return _NO_PERMISSIONS

    def _learn(self, stat: Stat, permissions: Permissions, now: int) -> Governing:
        """What follows from permissions that were asked for at `now` (ns since 1970) or later."""
        blob, access, default = permissions
        governing = self._of_key((blob, access, default, stat.mode, stat.uid, stat.gid))
        self._by_file.keep(stat, governing, now)
        return governing

    def _of_key(self, key: _Key) -> Governing:
        found = self._by_key.get(key)
        if found is None:
            if len(self._by_key) >= _CACHED_KEYS:
                self._by_key.clear()
            found = self._by_key[key] = self._make(key)
        return found

    def _make(self, key: _Key) -> Governing:
        blob, access, default, mode, uid, gid = key
        state = self.state(mode, uid, gid, access, default)
        posix = self.posix_descriptor(state)
        if blob is None:
            return Governing(posix, False, False)
        try:
            ntacl = parse_ntacl(blob)
        except AclError as error:
            log.warning("a stored security descriptor cannot be read: %s", error)
            # It may have denied what the mode allows. Its owner may still set another one.
            descriptor = posix if self.policy is Policy.IGNORE else posix.replace(dacl=Acl())
            return Governing(descriptor, False, False)
        if self.policy is Policy.TRUST or is_current(ntacl, state, posix):
            return Governing(ntacl.descriptor, True, True)
        if self.policy is Policy.IGNORE:
            return Governing(posix, False, False)
        return Governing(intersect(ntacl.descriptor, posix), True, False)

    def posix_descriptor(self, state: PosixState) -> SecurityDescriptor:
        """What owner, mode and ACL amount to."""
        owner, group = self.ids.user_sid(state.uid), self.ids.group_sid(state.gid)
        is_directory = state.mode & 0o170000 == 0o040000
        if state.access or state.default:
            return descriptor_from_acl(
                state.mode, owner, group, is_directory, _or_of_mode(state), state.default, sids=self.ids
            )
        return descriptor_from_mode(state.mode, owner, group, is_directory)

    def state(self, mode: int, uid: int, gid: int, access: bytes | None, default: bytes | None) -> PosixState:
        """A file's POSIX permissions; the ACLs are as the storage gives them."""
        return PosixState(uid, gid, mode, _parsed(access), _parsed(default))


def check_access(
    descriptor: SecurityDescriptor, token: Token, desired: int, path: str, *, backup_intent: bool = False
) -> None:
    """See that a descriptor, that of the file at `path`, grants all of `desired`. Raises `StatusError` if not."""
    try:
        access_check(descriptor, token, desired, backup_intent=backup_intent)
    except AccessDenied as error:
        audit(descriptor, token, path, desired, is_granted=False)
        status = STATUS_PRIVILEGE_NOT_HELD if error.is_privilege_missing else STATUS_ACCESS_DENIED
        raise StatusError(status) from None


def _or_of_mode(state: PosixState) -> PosixAcl:
    return state.access or acl_from_mode(state.mode)


def _parsed(blob: bytes | None) -> PosixAcl:
    """An ACL that the kernel gave; one that cannot be read counts as none, and the kernel is asked all the same."""
    if blob is None:
        return ()
    try:
        return parse_posix_acl(blob)
    except AclError:
        return ()
