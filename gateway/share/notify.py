"""Who wants to know what changes in which directory. [MS-FSA] 2.1.1.7 (ChangeNotifyEntry), 2.1.4.1.

A `Watch` collects changes from the moment it is made, whether or not anybody waits for them just then, up to a limit;
beyond it, it only remembers that there were too many. Whoever changes something tells the share's `Watches`.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import trio

from gateway.share.kin import Kin
from vfs_backends.api import NodeId

__all__ = ["Change", "Entry", "Observer", "Place", "Watch", "Watches"]

_MAX_CHANGES = 4096


class Change(NamedTuple):
    """Something that happened to a name."""

    action: int
    """FILE_ACTION_* ([MS-FSCC] 2.7.1)."""
    name: str
    """Relative to the watched directory, `/` between names."""


class Entry(NamedTuple):
    """A name in a directory."""

    directory: NodeId
    name: str


class Place(Protocol):
    """A directory, as those who name things in it know it."""

    @property
    def node_id(self) -> NodeId: ...

    @property
    def path(self) -> str: ...


class Observer(Protocol):
    """Another front end, that has told somebody what is in a share.

    It is told of changes after they have happened, and must not wait then. `by` is the owner of the open that made
    them.
    """

    async def before_opening(self, node_id: NodeId, access: int, by: Hashable) -> None:
        """A file is about to be opened with this access mask, by which it could be changed.

        What waits must say so (`vfs_backends.inline.may_wait`). The open is in the file's record afterwards.
        """

    def file_changed(self, node_id: NodeId, by: Hashable) -> None:
        """Contents or attributes are others."""

    def name_added(self, entry: Entry, by: Hashable) -> None:
        """There is a new name."""

    def name_removed(self, entry: Entry, by: Hashable) -> None:
        """A name has gone."""

    def name_moved(self, old: Entry, new: Entry, by: Hashable) -> None:
        """A file has got another name, in place of what had that."""

    def names_exchanged(self, one: Entry, other: Entry, by: Hashable) -> None:
        """Two names have changed places."""


class Watched(Protocol):
    """An open directory, as far as it matters here."""

    path: str
    """Kept true across renames."""


class Watch:
    """What one open directory is watched for, and what has happened since it was last asked."""

    __slots__ = (
        "_answers",
        "_changes",
        "_event",
        "_line",
        "_over",
        "completion_filter",
        "is_doomed",
        "limit",
        "one",
        "recursive",
    )

    def __init__(self, one: Watched, completion_filter: int, limit: int, *, recursive: bool) -> None:
        self.one = one
        self.limit = limit
        """Bytes that an answer may have at most, from the first one on."""
        self.is_doomed = False
        """Whether the directory is about to be deleted, or is already."""
        self._line: list[int] = []
        """Who waits, in the order of their coming."""
        self._answers: dict[int, list[Change] | None] = {}
        """What those get who do not know yet that their waiting is over."""
        self.completion_filter = completion_filter
        """FILE_NOTIFY_CHANGE_* bits ([MS-SMB2] 2.2.35)."""
        self.recursive = recursive
        """Whether the directories below count too."""
        self._changes: list[Change] = []
        self._over = False
        self._event: trio.Event | None = None

    def __bool__(self) -> bool:
        """Whether something has happened that nobody was told."""
        return self._over or self.is_doomed or bool(self._changes)

    def add(self, changes: Iterable[Change]) -> None:
        """Something has happened, in one step. The same thing twice running is told once."""
        for change in changes:
            if self._over or (self._changes and self._changes[-1] == change):
                continue
            if len(self._changes) == _MAX_CHANGES:
                self._changes.clear()
                self._over = True
            else:
                self._changes.append(change)
        self._answer()

    def lose(self) -> None:
        """Things have happened of which nobody knows what they were."""
        self._changes.clear()
        self._over = True
        self._answer()

    def doom(self) -> None:
        """The directory is about to be deleted: nothing more will be told."""
        self.is_doomed = True
        self._ring()

    def take(self) -> list[Change] | None:
        """What has happened, which is then forgotten; None if it was too much to be remembered."""
        changes, over = self._changes, self._over
        self._changes, self._over = [], False
        return None if over else changes

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits already."""
        return bool(self._line or self._answers)

    def line_up(self, ticket: int) -> None:
        """Stand in line, behind those who came earlier. Does nothing the second time."""
        if ticket not in self._line and ticket not in self._answers:
            self._line.append(ticket)
            self._answer()

    def leave(self, ticket: int) -> None:
        """Wait no more. An answer that was not fetched is left to others."""
        if ticket in self._line:
            self._line.remove(ticket)
        elif (changes := self._answers.pop(ticket, ())) is None:
            self._over = True
        else:
            self._changes[:0] = changes
            self._answer()

    async def happened(self, ticket: int) -> list[Change] | None:
        """Wait for what happens first after those who came earlier got their answers; None as in `take`.

        Nothing at all if the directory is about to be deleted.
        """
        while ticket not in self._answers:
            if self.is_doomed:
                return []
            if self._event is None:
                self._event = trio.Event()
            await self._event.wait()
        return self._answers.pop(ticket)

    def _answer(self) -> None:
        """Give what has happened to who has waited longest: at once, so that what happens next is the next one's."""
        if self._line and (self._changes or self._over):
            self._answers[self._line.pop(0)] = self.take()
            self._ring()

    def _ring(self) -> None:
        if self._event is not None:
            self._event.set()
            self._event = None


class Watches:
    """All watches of a share, by the path of their directory."""

    def __init__(self, kin: Sequence[Kin] = ()) -> None:
        self._by_path: dict[str, list[Watch]] = {}
        self._kin = kin
        """Other shares with the same files, whose watches are to be told, too."""
        self.observers: list[Observer] = []
        self.on_add: Callable[[Watch], None] | None = None
        """Told of each watch that begins; not of its end, which is that of its open."""

    def __bool__(self) -> bool:
        """Whether anybody wants to know."""
        if self._by_path or self.observers:
            return True
        return bool(self._kin) and any(kin.share.watches._by_path for kin in self._kin)

    def add(self, watch: Watch) -> None:
        """Begin to tell it."""
        self._by_path.setdefault(watch.one.path, []).append(watch)
        if self.on_add is not None:
            self.on_add(watch)

    def remove(self, watch: Watch) -> None:
        """Tell it no more."""
        watches = self._by_path.get(watch.one.path, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._by_path[watch.one.path]

    def moved(self) -> None:
        """Paths of opens have changed: find everybody again."""
        watches = [watch for several in self._by_path.values() for watch in several]
        self._by_path.clear()
        for watch in watches:
            self._by_path.setdefault(watch.one.path, []).append(watch)

    def lose(self) -> None:
        """Anything may have happened anywhere."""
        for watches in self._by_path.values():
            for watch in watches:
                watch.lose()

    def doom(self, path: str) -> None:
        """The directory of this path is about to be deleted."""
        for watch in self._by_path.get(path, ()):
            watch.doom()
        for kin in self._kin:
            there = kin.path(path)
            for watch in kin.share.watches._by_path.get(there, ()) if there is not None else ():
                watch.doom()

    def tell(self, path: str, action: int, what: int, *, unless: int = 0, outside: bool = False) -> None:
        """`action` happened to `path`; `what` are the FILE_NOTIFY_CHANGE_* bits that stand for it.

        Who asked for any of `unless` is told of it in another way. What has happened outside of all shares, each finds
        out by itself, if it wants to know.
        """
        if self._by_path or self._kin:
            self.tell_all(((path, action),), what, unless=unless, outside=outside)

    def tell_all(self, events: Sequence[tuple[str, int]], what: int, *, unless: int = 0, outside: bool = False) -> None:
        """The same for several things that happened in one step, and in one directory: paths and actions."""
        self._tell_own(events, what, unless)
        for kin in () if outside else self._kin:
            there = [(found, action) for path, action in events if (found := kin.path(path)) is not None]
            if there:
                kin.share.watches._tell_own(there, what, unless)

    def _tell_own(self, events: Sequence[tuple[str, int]], what: int, unless: int) -> None:
        path = events[0][0]
        if not self._by_path or not path:
            return
        for directory, direct in _ancestors(path):
            for watch in self._by_path.get(directory, ()):
                asked = watch.completion_filter
                if asked & what and not asked & unless and (direct or watch.recursive):
                    start = len(directory) + 1 if directory else 0
                    watch.add(Change(action, path[start:]) for path, action in events)


def _ancestors(path: str) -> Iterator[tuple[str, bool]]:
    """The directory something is in (True), and those above it up to the root."""
    direct = True
    while path:
        path = path.rpartition("/")[0]
        yield path, direct
        direct = False
