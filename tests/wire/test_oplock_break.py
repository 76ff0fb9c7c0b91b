"""OPLOCK_BREAK, the lease context and those of durable handles."""

import pytest

from gateway.wire import WireError
from gateway.wire.durable_contexts import (
    DurableHandleReconnect,
    DurableHandleReconnectV2,
    DurableHandleRequest,
    DurableHandleRequestV2,
    DurableHandleResponse,
    DurableHandleResponseV2,
)
from gateway.wire.lease_contexts import Lease, LeaseV2, parse_lease
from gateway.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    LeaseBreakNotification,
    LeaseBreakResponse,
    OplockBreakAcknowledgment,
    OplockBreakNotification,
    OplockBreakResponse,
    parse_acknowledgment,
    parse_notification,
)
from tests.wire.helpers import check_truncation, data_round_trip, message, round_trip

KEY = b"0123456789abcdef"
BREAKS = [
    (OplockBreakNotification(oplock_level=1, persistent_file_id=2, volatile_file_id=3), 24, parse_notification),
    (OplockBreakAcknowledgment(oplock_level=1, persistent_file_id=2, volatile_file_id=3), 24, parse_acknowledgment),
    (OplockBreakResponse(oplock_level=1, persistent_file_id=2, volatile_file_id=3), 24, None),
    (
        LeaseBreakNotification(new_epoch=1, flags=1, lease_key=KEY, current_lease_state=7, new_lease_state=3),
        44,
        parse_notification,
    ),
    (LeaseBreakAcknowledgment(lease_key=KEY, lease_state=3), 36, parse_acknowledgment),
    (LeaseBreakResponse(lease_key=KEY, lease_state=3), 36, None),
]
CONTEXTS = [
    (Lease(lease_key=KEY, lease_state=7), 32),
    (LeaseV2(lease_key=KEY, lease_state=7, flags=4, parent_lease_key=KEY[::-1], epoch=9), 52),
    (DurableHandleRequest(), 16),
    (DurableHandleResponse(), 8),
    (DurableHandleReconnect(persistent_file_id=1, volatile_file_id=2), 16),
    (DurableHandleRequestV2(timeout=1, flags=2, create_guid=KEY), 32),
    (DurableHandleResponseV2(timeout=1, flags=2), 8),
    (DurableHandleReconnectV2(persistent_file_id=1, volatile_file_id=2, create_guid=KEY, flags=2), 36),
]


@pytest.mark.parametrize(("structure", "size", "parse"), BREAKS, ids=lambda value: type(value).__name__)
def test_breaks(structure, size, parse) -> None:
    round_trip(structure)
    body = structure.to_bytes()
    assert len(body) == size
    check_truncation(structure)
    if parse:
        assert parse(message(body)) == structure
        for length in range(64 + size):
            with pytest.raises(WireError):
                parse(message(body)[:length])


@pytest.mark.parametrize(("structure", "size"), CONTEXTS, ids=lambda value: type(value).__name__)
def test_contexts(structure, size) -> None:
    data_round_trip(structure)
    assert len(structure.to_bytes()) == size
    check_truncation(structure, header=0)


def test_lease_version_by_length() -> None:
    one, two = CONTEXTS[0][0], CONTEXTS[1][0]
    assert parse_lease(one.to_bytes()) == one
    assert parse_lease(two.to_bytes()) == two
    assert isinstance(parse_lease(two.to_bytes()[:51]), Lease)
    with pytest.raises(WireError):
        parse_lease(one.to_bytes()[:31])


def test_durable_layout() -> None:
    assert CONTEXTS[5][0].to_bytes() == bytes.fromhex("01000000 02000000 0000000000000000") + KEY
