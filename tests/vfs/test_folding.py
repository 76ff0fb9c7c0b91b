"""The names of a directory by their folded form, against the plainest way to do it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vfs_backends.folding import FoldedNames

NAMES = st.sampled_from(["a", "A", "b", "B", "aa", "aA", "Aa", "AA"])


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), NAMES), max_size=30))
def test_against_a_set(changes: list[tuple[bool, str]]) -> None:
    names = FoldedNames(str.casefold)
    model: set[str] = set()
    for is_added, name in changes:
        (names.add if is_added else names.remove)(name)
        (model.add if is_added else model.discard)(name)
        assert set(names) == model
        assert names.count == len(model)
        for wanted in ("a", "A", "b", "B", "aa", "aA", "Aa", "AA"):
            alike = sorted(other for other in model if other.casefold() == wanted.casefold())
            expected = wanted if wanted in alike else next(iter(alike), None)
            assert names.find(wanted) == expected
