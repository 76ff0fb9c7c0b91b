"""The values of user.DOSATTRIB; the vectors were made with Samba's own library (python3-samba 4.17)."""

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.requirements import SYSTEM_PYTHON, Need, needs
from vfs_backends.posix.attributes import DosAttributes, filetime_to_ns, ns_to_filetime

TIME = 0x01D9000000000000
TIME_NS = filetime_to_ns(TIME)

VECTORS: dict[str, tuple[str | bytes, int | None, int | None]] = {
    "text": (b"0x22\0", 0x22, None),
    "text without an end": (b"0x22", 0x22, None),
    "version 1": (
        "307832320000010001000000220000000100000002000000000000000300000000000000000000000000d901010000000000d901",
        0x22,
        TIME_NS,
    ),
    "version 3": (
        "307832320000030003000000110000002200000001000000020000000000000003000000000000000000"
        "00000000d901010000000000d901",
        0x22,
        TIME_NS,
    ),
    "version 4": ("00000400040000005100000022000000050000000000d901000000000000d901", 0x22, TIME_NS),
    "version 5": ("00000500050000001100000022000000000000000000d901", 0x22, TIME_NS),
    "version 5 of attributes only": ("00000500050000000100000022000000000000000000d901", 0x22, None),
    "version 5 of time only": ("00000500050000001000000022000000000000000000d901", None, TIME_NS),
    "version 65535": ("3078323200" + "00" + "ffffffff", 0x22, None),
}
OTHERS = [
    b"",
    b"\0",
    b"text",
    b"0x",
    b"\0\0",
    bytes(32),
    b"\0\0\x04\0\x05\0" + bytes(26),
    b"\0\0\x09\0\x09\0" + bytes(40),
]


@pytest.mark.parametrize("name", VECTORS)
def test_parse(name: str) -> None:
    value, attributes, birthtime = VECTORS[name]
    raw = bytes.fromhex(value) if isinstance(value, str) else value
    assert DosAttributes.parse(raw) == DosAttributes(attributes, birthtime)


def test_version_2() -> None:
    body = (0x11).to_bytes(4, "little") + (0x23).to_bytes(4, "little") + bytes(20) + TIME.to_bytes(8, "little")
    value = b"0x23\0\0\2\0\2\0\0\0" + body + bytes(16) + b"name\0"
    assert DosAttributes.parse(value) == DosAttributes(0x23, TIME_NS)


@pytest.mark.parametrize("value", OTHERS)
def test_malformed(value: bytes) -> None:
    assert DosAttributes.parse(value) is None


def test_truncated() -> None:
    for value, _, _ in VECTORS.values():
        raw = bytes.fromhex(value) if isinstance(value, str) else value
        for length in range(len(raw)):
            parsed = DosAttributes.parse(raw[:length])
            assert parsed is None or parsed.birthtime_ns in {None, TIME_NS}


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_anything(value: bytes) -> None:
    DosAttributes.parse(value)


def test_written_form() -> None:
    value = DosAttributes(0x22, TIME_NS).to_bytes()
    assert value.hex() == "0000040004000000110000002200000000000000000000000000000000" + "00d901"
    for attributes in (DosAttributes(0x22, TIME_NS), DosAttributes(0, None), DosAttributes(None, TIME_NS)):
        assert DosAttributes.parse(attributes.to_bytes()) == attributes


@needs(Need.PYTHON3_SAMBA)
def test_samba_reads_what_is_written() -> None:
    script = """
import json, sys
from samba.dcerpc import xattr
from samba.ndr import ndr_unpack
found = ndr_unpack(xattr.DOSATTRIB, bytes.fromhex(sys.argv[1]))
print(json.dumps([found.version, found.info.valid_flags, found.info.attrib, found.info.create_time]))
"""
    value = DosAttributes(0x2022, TIME_NS).to_bytes()
    done = subprocess.run([SYSTEM_PYTHON, "-c", script, value.hex()], check=True, capture_output=True, timeout=60)
    assert json.loads(done.stdout) == [4, 0x11, 0x2022, TIME]


@pytest.mark.parametrize(
    ("ns", "filetime"),
    [
        (0, 116_444_736_000_000_000),
        (100, 116_444_736_000_000_001),
        (199, 116_444_736_000_000_001),
        (-100, 116_444_735_999_999_999),
        (-(10**20), 1),
        (10**21, 2**63 - 1),
    ],
)
def test_filetime(ns: int, filetime: int) -> None:
    assert ns_to_filetime(ns) == filetime
