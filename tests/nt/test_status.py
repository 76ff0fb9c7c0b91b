"""NTSTATUS values and `StatusError`."""

import pytest
from impacket import nt_errors

from gateway.nt import status
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError

NAMES = [name for name in vars(status) if name.startswith("STATUS_")]


def test_enough() -> None:
    assert len(NAMES) > 120


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_impacket(name) -> None:
    value = getattr(status, name)
    assert status.name(value) == name
    theirs = nt_errors.ERROR_MESSAGES.get(value)
    if theirs is not None:
        assert theirs[0] == name


def test_unknown_name() -> None:
    assert status.name(0xC0123456) == "0xC0123456"


def test_status_error() -> None:
    error = StatusError(STATUS_ACCESS_DENIED, b"data")
    assert (error.status, error.data, str(error)) == (STATUS_ACCESS_DENIED, b"data", "STATUS_ACCESS_DENIED")
    assert StatusError(STATUS_ACCESS_DENIED).data == b""
