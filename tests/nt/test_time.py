"""FILETIME conversion."""

from datetime import UTC, datetime

import pytest

from gateway.nt.time import EPOCH_DIFFERENCE, FILETIME_MAX, filetime_from_ns, filetimes_from_ns, ns_from_filetime


def test_epochs() -> None:
    assert filetime_from_ns(0) == EPOCH_DIFFERENCE
    seconds = (datetime(1970, 1, 1, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()
    assert seconds * 10_000_000 == EPOCH_DIFFERENCE


@pytest.mark.parametrize("ns", [0, 100, -100, 1_700_000_000_123_456_700, -11_644_473_599_999_999_900, 10**18])
def test_round_trip(ns) -> None:
    assert ns_from_filetime(filetime_from_ns(ns)) == ns


def test_rounds_down() -> None:
    assert filetime_from_ns(199) == filetime_from_ns(100)
    assert filetime_from_ns(-1) == EPOCH_DIFFERENCE - 1


def test_clamps() -> None:
    assert filetime_from_ns(-(2**70)) == 1
    assert filetime_from_ns(-11_644_473_600_000_000_000) == 1
    assert filetime_from_ns(2**80) == FILETIME_MAX
    assert ns_from_filetime(2**64 - 1) == ns_from_filetime(FILETIME_MAX)
    assert ns_from_filetime(0) == -EPOCH_DIFFERENCE * 100


@pytest.mark.parametrize(
    "ns", [0, -1, 10**18, -(2**70), -11_644_473_600_000_000_000, -11_644_473_599_999_999_900, 2**80, 10**21]
)
def test_four_at_once_are_as_one_by_one(ns) -> None:
    for place in range(4):
        times = [1_700_000_000_123_456_789 + number for number in range(4)]
        times[place] = ns
        assert filetimes_from_ns(*times) == tuple(map(filetime_from_ns, times))
