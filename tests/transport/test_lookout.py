"""Whether to look for the next request."""

from collections.abc import Callable

import pytest

from gateway.transport.lookout import Lookout


def looks(lookout: Lookout, times: int, finds: Callable[[int], bool]) -> list[int]:
    """When it is looked; `finds` says of each look what comes of it."""
    looked: list[int] = []
    for time in range(times):
        if lookout.pays():
            lookout.came_to(found=finds(len(looked)))
            looked.append(time)
    return looked


def test_less_and_less_where_nothing_is_found() -> None:
    assert looks(Lookout(), 200, lambda _: False) == [0, 2, 6, 14, 30, 62, 126, 190]


def test_always_where_something_is_found() -> None:
    assert looks(Lookout(), 50, lambda _: True) == list(range(50))


def test_again_where_something_is_found_again() -> None:
    lookout = Lookout()
    looks(lookout, 1000, lambda _: False)
    assert len(looks(lookout, 1000, lambda _: True)) > 900


@pytest.mark.parametrize(("cycle", "share"), [(3, 0.5), (10, 0.8)])
def test_often_where_most_looks_find_something(cycle, share) -> None:
    assert len(looks(Lookout(), 3000, lambda look: look % cycle != 0)) > 3000 * share


def test_seldom_where_most_do_not() -> None:
    assert len(looks(Lookout(), 3000, lambda look: look % 3 == 0)) < 150
