"""CREATE requests that are sent again, because the connection broke before their answer came. [MS-SMB2] 3.3.5.9.10.

A client tells them by a GUID of its own. It gets the answer that was lost; once it has used the file, it has had it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.nt.status import STATUS_DUPLICATE_OBJECTID, STATUS_FILE_NOT_AVAILABLE, StatusError

if TYPE_CHECKING:
    from gateway.smb.opens import FileOpen

__all__ = ["ReplayKey", "Replays"]

ReplayKey = tuple[bytes, bytes]
"""The client's GUID, and that of its CREATE."""


class Replays:
    """The opens whose clients may not know of them yet (Open.IsReplayEligible), of all connections."""

    def __init__(self) -> None:
        self._opens: dict[ReplayKey, FileOpen | None] = {}
        """None for what is being opened."""

    def earlier(self, key: ReplayKey, *, is_replay: bool) -> "FileOpen | None":
        """The open of an earlier CREATE with this key; None if there was no such CREATE.

        Raises `StatusError`: DUPLICATE_OBJECTID if the new one is no replay, FILE_NOT_AVAILABLE if the earlier one has
        no answer yet.
        """
        if key not in self._opens:
            return None
        if not is_replay:
            raise StatusError(STATUS_DUPLICATE_OBJECTID)
        one = self._opens[key]
        if one is None:
            raise StatusError(STATUS_FILE_NOT_AVAILABLE)
        return one

    @contextmanager
    def opening(self, key: ReplayKey) -> Iterator[None]:
        """While a CREATE goes on that none with this key came before."""
        self._opens[key] = None
        try:
            yield
        finally:
            if self._opens.get(key) is None:
                self._opens.pop(key, None)

    def opened(self, key: ReplayKey, one: "FileOpen") -> None:
        """The CREATE has come to this open."""
        self._opens[key] = one
        one.replay_key = key

    def used(self, one: "FileOpen") -> None:
        """The client knows the open, or it is gone."""
        key, one.replay_key = one.replay_key, None
        if key is not None and self._opens.get(key) is one:
            del self._opens[key]
