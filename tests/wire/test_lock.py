"""LOCK."""

import pytest

from gateway.wire import WireError
from gateway.wire.lock import LockElement, LockRequest, LockResponse
from tests.wire.helpers import check_truncation, message, round_trip

LOCKS = (LockElement(0, 10, 2), LockElement((1 << 64) - 1, (1 << 64) - 1, 0x11))


def test_request() -> None:
    request = LockRequest(lock_sequence=0x123, persistent_file_id=5, volatile_file_id=6, locks=LOCKS)
    parsed = round_trip(request)
    assert parsed.lock_count == 2
    assert (parsed.lock_sequence_number, parsed.lock_sequence_index) == (3, 0x12)
    check_truncation(request)
    assert round_trip(LockRequest()).locks == ()


@pytest.mark.parametrize("count", [3, 0xFFFF])
def test_count_beyond_the_end(count) -> None:
    body = LockRequest(locks=LOCKS).to_bytes()
    with pytest.raises(WireError):
        LockRequest.parse(message(body[:2] + count.to_bytes(2, "little") + body[4:]))


def test_response() -> None:
    round_trip(LockResponse())
    check_truncation(LockResponse())
