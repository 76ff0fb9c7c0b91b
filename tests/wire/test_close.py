"""CLOSE, FLUSH, CANCEL and ECHO."""

import pytest

from gateway.wire.cancel import CancelRequest
from gateway.wire.close import CloseRequest, CloseResponse
from gateway.wire.echo import EchoRequest, EchoResponse
from gateway.wire.flush import FlushRequest, FlushResponse
from tests.wire.helpers import check_truncation, round_trip

STRUCTURES = [
    (CloseRequest(flags=1, persistent_file_id=2, volatile_file_id=3), 24),
    (
        CloseResponse(
            flags=1,
            creation_time=2,
            last_access_time=3,
            last_write_time=4,
            change_time=5,
            allocation_size=6,
            end_of_file=7,
            file_attributes=8,
        ),
        60,
    ),
    (FlushRequest(reserved1=0xFFFF, persistent_file_id=2, volatile_file_id=3), 24),
    (FlushResponse(), 4),
    (CancelRequest(), 4),
    (EchoRequest(), 4),
    (EchoResponse(), 4),
]


@pytest.mark.parametrize(("structure", "size"), STRUCTURES, ids=lambda value: type(value).__name__)
def test_fixed(structure, size) -> None:
    round_trip(structure)
    assert len(structure.to_bytes()) == size
    check_truncation(structure)


def test_close_request_layout() -> None:
    request = CloseRequest(flags=1, persistent_file_id=2, volatile_file_id=3)
    assert request.to_bytes() == bytes.fromhex("1800 0100 00000000 0200000000000000 0300000000000000")
