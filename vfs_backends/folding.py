"""The names of one directory by their folded form."""

from collections.abc import Iterable, Iterator

from vfs_backends.api import Fold

__all__ = ["FoldedNames"]


class FoldedNames:
    """Finds, of the names that fold alike, always the same one: the smallest.

    Adding a name twice and removing one that is not there do nothing, so that a change may be reported twice.
    """

    __slots__ = ("_fold", "_names", "_others", "count")

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._names: dict[str, str] = {}
        # Only the folded forms that several names share, which hardly any directory has.
        self._others: dict[str, set[str]] = {}
        self.count = 0

    def find(self, name: str) -> str | None:
        """The name that `name` leads to: itself if it is there, or else one that differs by case only."""
        folded = self._fold(name)
        first = self._names.get(folded)
        if first is None or first == name or not self._others:
            return first
        return name if name in self._others.get(folded, ()) else first

    def add(self, name: str) -> None:
        folded = self._fold(name)
        first = self._names.get(folded)
        if first is None:
            self._names[folded] = name
            self.count += 1
        elif first != name:
            others = self._others.setdefault(folded, set())
            smallest, other = (name, first) if name < first else (first, name)
            if other not in others and name not in others:
                self.count += 1
            others.discard(smallest)
            others.add(other)
            self._names[folded] = smallest

    def add_all(self, names: Iterable[str]) -> None:
        for name in names:
            self.add(name)

    def remove(self, name: str) -> None:
        folded = self._fold(name)
        others = self._others.get(folded)
        if self._names.get(folded) == name:
            self.count -= 1
            if others:
                self._names[folded] = smallest = min(others)
                others.discard(smallest)
            else:
                del self._names[folded]
        elif others is not None and name in others:
            self.count -= 1
            others.discard(name)
        if others is not None and not others:
            del self._others[folded]

    def __iter__(self) -> Iterator[str]:
        yield from self._names.values()
        for others in self._others.values():
            yield from others
