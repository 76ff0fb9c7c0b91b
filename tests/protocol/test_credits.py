"""The window of message ids, checked against a plain set."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.credits import CREDIT_UNIT, MessageWindow, credit_charge


@pytest.mark.parametrize(
    ("size", "charge"),
    [(0, 1), (1, 1), (CREDIT_UNIT, 1), (CREDIT_UNIT + 1, 2), (1 << 20, 16), (8 << 20, 128), ((8 << 20) + 1, 129)],
)
def test_charge_of_a_payload(size, charge) -> None:
    assert credit_charge(size) == charge


def test_the_first_id_is_zero_and_is_used_once() -> None:
    window = MessageWindow(10)
    assert window.available == 1
    assert not window.use(1, 1)
    assert window.use(0, 1)
    assert window.available == 0
    assert not window.use(0, 1)
    assert not window.use(1, 1)


def test_ids_may_come_in_any_order() -> None:
    window = MessageWindow(10)
    window.grant(4)
    assert [window.use(one, 1) for one in (3, 1, 3, 0, 4, 2, 5)] == [True, True, False, True, True, True, False]
    assert window.available == 0


def test_a_charge_takes_consecutive_ids() -> None:
    window = MessageWindow(100)
    window.grant(20)
    assert window.use(0, 4)
    assert not window.use(3, 1)
    assert window.use(4, 1)
    assert window.use(10, 3)
    assert not window.use(8, 3)
    assert not window.use(12, 1)
    assert window.use(5, 5)
    assert window.use(13, 1)
    assert not window.use(20, 2)
    assert window.use(20, 1)


def test_a_charge_of_zero_counts_as_one() -> None:
    window = MessageWindow(10)
    window.grant(1)
    assert window.use(0, 0)
    assert not window.use(0, 0)
    assert window.available == 1


def test_a_charge_beyond_what_was_granted() -> None:
    window = MessageWindow(10)
    assert not window.use(0, 2)
    window.grant(1)
    assert window.use(0, 2)


def test_grants_end_at_the_limit() -> None:
    window = MessageWindow(8)
    assert window.grant(100) == 7
    assert window.grant(1) == 0
    assert window.available == 8
    window.use(0, 3)
    assert window.grant(2) == 2
    assert window.grant(2) == 1
    assert window.available == 8


def test_nothing_asked_for() -> None:
    """Whoever still has credits gets none; whoever has none gets one, or could never ask again."""
    window = MessageWindow(8)
    assert window.grant(0) == 0
    window.use(0, 1)
    assert window.grant(0) == 1
    assert window.available == 1


def test_a_skipped_id_stays_usable_and_bounds_the_window() -> None:
    window = MessageWindow(4)
    window.grant(3)
    granted = 4
    used = 0
    for message_id in range(1, 100):
        if not window.use(message_id, 1):
            break
        used += 1
        granted += window.grant(10)
    assert granted <= 8
    assert used == granted - 1
    assert len(window._used) < 8
    assert window.use(0, 1)
    assert not window._used
    assert window.grant(10) == 4


@given(
    limit=st.integers(1, 12),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(0, 5)), max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_like_a_set(limit, steps) -> None:
    """Each id is used once and only if it was granted; nobody holds more than the limit, nor does memory grow."""
    window = MessageWindow(limit)
    usable, high = {0}, 1
    for is_use, number, charge in steps:
        if is_use:
            ids = set(range(number, number + (charge or 1)))
            assert window.use(number, charge) == (ids <= usable)
            if ids <= usable:
                usable -= ids
        else:
            granted = window.grant(number)
            assert granted <= max(number, 1)
            usable |= set(range(high, high + granted))
            high += granted
        assert window.available == len(usable) <= limit
        assert len(window._used) <= 2 * limit
