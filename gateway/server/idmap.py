"""The mapping of users and groups to SIDs as it is in use: foreign SIDs are kept in a file, and may become more."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from acl.errors import AclError
from acl.idmap import IdMap, Meaning, PosixId
from acl.sid import Sid

__all__ = ["Foreign", "ForeignTable", "LiveIdMap", "is_account"]

log = logging.getLogger("gateway.acl")

_DOMAINS: Final = Sid.of(5, 21)

Foreign = Mapping[Sid, Meaning]
"""What SIDs of other domains stand for here."""


class ForeignTable(Protocol):
    """Where foreign SIDs are kept. Others may change them there. All methods raise `ServerError`."""

    def changed(self) -> Foreign | None:
        """The table, if it is another one than the last that was read or written."""

    def update(self, change: Callable[[Foreign], Foreign]) -> Foreign:
        """Change the table, while nobody else does; what it is then. What `change` raises comes out of it."""


class LiveIdMap:
    """An `acl.idmap.IdMap`, whose methods it has, that grows and follows its table. Without one nothing is assigned."""

    def __init__(self, idmap: IdMap, table: ForeignTable | None = None, first: int = 0, last: int = 0) -> None:
        self.current = idmap
        self._table = table
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

    def alike(self, sid: Sid) -> tuple[Sid, ...]:
        return self.current.alike(sid)

    def lookup(self, sid: Sid) -> PosixId | None:
        return self.current.lookup(sid)

    def refresh(self) -> None:
        """See what others have changed. Raises `ServerError`."""
        foreign = self._table.changed() if self._table is not None else None
        if foreign is not None:
            self.current = replace(self.current, foreign=foreign)

    def assign(self, sid: Sid) -> PosixId | None:
        """What a SID stands for; one of another domain is given a number. None for those that are nobody's, such as
        Everyone, and if no number is free."""
        posix = self.current.lookup(sid)
        if posix is not None or sid in self.current.foreign or not is_account(sid) or self._table is None:
            return posix
        try:
            foreign = self._table.update(lambda foreign: self._with(foreign, sid))
        except AclError as error:
            log.warning("%s gets no number: %s", sid, error)
            return None
        self.current = replace(self.current, foreign=foreign)
        posix = self.current.lookup(sid)
        log.info("%s is %s from now on", sid, posix)
        return posix

    def _with(self, foreign: Foreign, sid: Sid) -> Foreign:
        """The table with a number for one more SID. Raises `AclError` if there is none."""
        known = replace(self.current, foreign=foreign)
        if sid in known.foreign:
            return foreign
        number = known.free_id(self._first, self._last)
        return known.with_foreign(sid, PosixId(number, number)).foreign


def is_account(sid: Sid) -> bool:
    """Whether a SID is one of a user or group of some domain or machine."""
    return sid.authority == _DOMAINS.authority and sid.sub_authorities[:1] == (21,) and len(sid.sub_authorities) == 5
