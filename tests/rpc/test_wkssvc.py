import struct

import pytest

from tests.rpc.client import ADMINISTRATOR, ANONYMOUS, USER, WKSSVC_ID, bound, call


@pytest.mark.parametrize(
    ("caller", "level", "status"),
    [
        (ANONYMOUS, 100, 0),
        (ANONYMOUS, 101, 5),
        (ANONYMOUS, 102, 5),
        (USER, 101, 0),
        (USER, 102, 5),
        (ADMINISTRATOR, 102, 0),
        (ADMINISTRATOR, 502, 124),
    ],
)
def test_levels_by_access(caller, level, status) -> None:
    opened = bound("wkssvc", caller, uuid=WKSSVC_ID, major=1)
    stub = call(opened, 0, struct.pack("<II", 0, level))
    assert struct.unpack_from("<I", stub) == (level,)
    assert struct.unpack("<I", stub[-4:]) == (status,)
    assert ("SMBGATE".encode("utf-16-le") in stub) == (status == 0)
