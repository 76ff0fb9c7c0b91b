"""The mapping of users and groups to SIDs as it is in use: foreign SIDs are kept in a file, and may become more."""

import logging
from collections.abc import Callable
from typing import Final

from acl.errors import AclError
from acl.idmap import IdMap, PosixId, dump_foreign
from acl.sid import Sid

__all__ = ["LiveIdMap"]

log = logging.getLogger("gateway.acl")

_DOMAINS: Final = Sid.of(5, 21)


class LiveIdMap:
    """An `acl.idmap.IdMap` that grows. `store` writes the text of all foreign SIDs; it raises `ServerError`."""

    def __init__(self, idmap: IdMap, store: Callable[[str], None], first: int, last: int) -> None:
        self.current = idmap
        self._store = store
        self._first, self._last = first, last

    @property
    def machine(self) -> Sid:
        return self.current.machine

    def user_sid(self, uid: int) -> Sid:
        return self.current.user_sid(uid)

    def group_sid(self, gid: int) -> Sid:
        return self.current.group_sid(gid)

    def user_sids(self, uid: int) -> tuple[Sid, ...]:
        return self.current.user_sids(uid)

    def group_sids(self, gid: int) -> tuple[Sid, ...]:
        return self.current.group_sids(gid)

    def lookup(self, sid: Sid) -> PosixId | None:
        return self.current.lookup(sid)

    def assign(self, sid: Sid) -> PosixId | None:
        """What a SID stands for; one of another domain is given a number. None for those that are nobody's, such as
        Everyone, and if no number is free."""
        posix = self.current.lookup(sid)
        if posix is not None or not _is_account(sid):
            return posix
        try:
            number = self.current.free_id(self._first, self._last)
            grown = self.current.with_foreign(sid, PosixId(number, number))
        except AclError as error:
            log.warning("%s gets no number: %s", sid, error)
            return None
        self._store(dump_foreign(grown.foreign))
        self.current = grown
        log.info("%s is number %d from now on", sid, number)
        return grown.lookup(sid)


def _is_account(sid: Sid) -> bool:
    """Whether a SID is one of a user or group of some domain or machine."""
    return sid.authority == _DOMAINS.authority and sid.sub_authorities[:1] == (21,) and len(sid.sub_authorities) == 5
