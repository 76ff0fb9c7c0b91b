"""What a caller may do with a file: its descriptor, and the check against it. [MS-FSA] 2.1.5.1.2.1."""

from acl.access import AccessDenied, access_check, maximal_access
from acl.descriptor import SecurityDescriptor
from acl.idmap import IdMap
from acl.posix import descriptor_from_mode
from acl.token import Token
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_PRIVILEGE_NOT_HELD, StatusError
from vfs_backends.api import Stat

__all__ = ["Descriptors"]

_CACHED = 4096


class Descriptors:
    """The descriptors of a share's files, derived from owner, group and mode.

    Few files of a tree differ in these, so the last ones are kept.
    """

    def __init__(self, idmap: IdMap) -> None:
        self._idmap = idmap
        self._cache: dict[tuple[int, int, int], SecurityDescriptor] = {}

    def descriptor(self, stat: Stat) -> SecurityDescriptor:
        key = (stat.mode, stat.uid, stat.gid)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            owner, group = self._idmap.user_sid(stat.uid), self._idmap.group_sid(stat.gid)
            found = descriptor_from_mode(stat.mode, owner, group, is_directory=stat.is_directory)
            self._cache[key] = found
        return found

    def check(self, stat: Stat, token: Token, desired: int) -> int:
        """The access granted on a file. Raises `StatusError` if not all of `desired` is."""
        try:
            return access_check(self.descriptor(stat), token, desired)
        except AccessDenied as error:
            status = STATUS_PRIVILEGE_NOT_HELD if error.is_privilege_missing else STATUS_ACCESS_DENIED
            raise StatusError(status) from None

    def maximal(self, stat: Stat, token: Token) -> int:
        """All access that the file's descriptor grants."""
        return maximal_access(self.descriptor(stat), token)
