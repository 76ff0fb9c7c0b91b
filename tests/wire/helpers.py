"""What several tests of `wire` need."""

from typing import Any

import pytest

from gateway.wire import WireError

HEADER = bytes(64)


def message(body: bytes | Any) -> memoryview:
    """A message with a header of zeros in front of `body`, bytes or a structure."""
    return memoryview(HEADER + (body if isinstance(body, bytes) else body.to_bytes()))


def round_trip(structure: Any) -> Any:
    """Build, parse, and insist on the same fields and bytes."""
    body = structure.to_bytes()
    parsed = type(structure).parse(message(body))
    assert parsed == structure
    assert parsed.to_bytes() == body
    return parsed


def data_round_trip(structure: Any) -> Any:
    """The same for what does not begin with a header."""
    data = structure.to_bytes()
    parsed = type(structure).parse(memoryview(data))
    assert parsed == structure
    assert parsed.to_bytes() == data
    return parsed


def check_truncation(structure: Any, *, needed: int | None = None, header: int = 64) -> None:
    """Every message that lacks something of `structure` is refused; `needed` says where padding begins."""
    frame = bytes(header) + structure.to_bytes()
    for length in range(needed if needed is not None else len(frame)):
        with pytest.raises(WireError):
            type(structure).parse(memoryview(frame)[:length])
