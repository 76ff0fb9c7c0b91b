"""A share whose files have descriptors, and three users of two groups."""

from dataclasses import dataclass, field
from pathlib import Path

from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.idmap import IdMap, machine_sid
from acl.ntacl_xattr import Policy
from acl.token import Token, user_token
from gateway.nt import constants as nt
from gateway.nt.status import StatusError
from gateway.share.access import Descriptors
from gateway.share.intent import OpenIntent
from gateway.share.memory_table import MemoryTable
from gateway.share.opens import Open
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from vfs_backends.api import FileSystem, StatChange
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem

IDMAP = IdMap(machine_sid(bytes(range(12))))
STAFF, DEVS = 7200, 7201


def token(uid: int, gid: int, *gids: int, privileges: int = 0) -> Token:
    groups = [sid for one in (gid, *gids) for sid in IDMAP.group_sids(one)]
    sid, *also = IDMAP.user_sids(uid)
    return user_token(
        sid,
        [*also, *groups],
        primary_group=IDMAP.group_sid(gid),
        uid=uid,
        gid=gid,
        gids=(gid, *gids),
        privileges=privileges,
    )


ALICE = token(7001, STAFF, DEVS)
BOB = token(7002, STAFF)
CAROL = token(7003, 7203)


def sd(*aces: Ace, owner: Token = ALICE) -> SecurityDescriptor:
    return SecurityDescriptor(owner.user, IDMAP.group_sid(STAFF), Acl.of(*aces))


@dataclass
class Secured:
    """Makes it, and does to it what clients do."""

    root: Path | None = None
    """A directory; without one the share is in memory."""
    policy: Policy = Policy.INTERSECT
    settings: ShareSettings = field(default_factory=ShareSettings)
    share: Share = field(init=False)

    async def start(self, *, owner: Token = ALICE, mode: int = 0o755) -> "Secured":
        fs: FileSystem = MemoryFileSystem(fold=str.casefold)
        if self.root is not None:
            fs = PosixFileSystem(self.root, fold=str.casefold)
        self.share = Share("share", fs, MemoryTable(), Descriptors(IDMAP, self.policy), self.settings)
        await self.share.start()
        await self.share.root.set_stat(StatChange(uid=owner.uid, gid=owner.gid))
        await self.share.root.set_stat(StatChange(mode=mode))
        return self

    async def open(
        self,
        path: str,
        who: Token,
        access: int,
        disposition: int = nt.FILE_OPEN,
        options: int = 0,
        security: SecurityDescriptor | None = None,
    ) -> Open:
        everything = nt.FILE_SHARE_READ | nt.FILE_SHARE_WRITE | nt.FILE_SHARE_DELETE
        return await self.share.open(OpenIntent(path, access, everything, disposition, options, security=security), who)

    async def make(
        self,
        path: str,
        who: Token,
        access: int = 0x1F01FF,
        *,
        directory: bool = False,
        security: SecurityDescriptor | None = None,
    ) -> Open:
        options = nt.FILE_DIRECTORY_FILE if directory else nt.FILE_NON_DIRECTORY_FILE
        return await self.open(path, who, access, nt.FILE_CREATE, options, security)

    async def attempt(self, path: str, who: Token, access: int, options: int = 0) -> int:
        """The status of an open, 0 if it succeeded; it is closed again."""
        try:
            one = await self.open(path, who, access, options=options)
        except StatusError as error:
            return error.status
        await self.share.close(one)
        return 0

    async def descriptor(self, one: Open) -> SecurityDescriptor:
        governing = await self.share.descriptors.governing(one.handle, await one.handle.stat())
        return governing.descriptor

    async def stop(self) -> None:
        await self.share.aclose()
