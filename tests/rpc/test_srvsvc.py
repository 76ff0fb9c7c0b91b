import struct

import pytest

from gateway.rpc.errors import FaultStatus
from gateway.rpc.interface import ShareInfo
from tests.rpc.client import ADMINISTRATOR, ANONYMOUS, USER, bound, call, fault_status, request

SHARE_ENUM, SHARE_GET_INFO, SHARE_CHECK, SERVER_GET_INFO, NAME_VALIDATE, SHARE_ENUM_STICKY = 15, 16, 20, 21, 33, 36
LISTED = ["data", "empty", "Büro-😀", "ADMIN$", "IPC$"]


def wide(text: str) -> bytes:
    raw = (text + "\0").encode("utf-16-le")
    sizes: bytes = struct.pack("<III", len(raw) // 2, 0, len(raw) // 2)
    return sizes + raw + bytes(-len(raw) % 4)


def enum(
    level: int, *, limit=0xFFFFFFFF, resume: int | None = 0, tag: int | None = None, container: bytes | None = None
) -> bytes:
    container = struct.pack("<III", 0x20000, 0, 0) if container is None else container
    handle = struct.pack("<I", 0) if resume is None else struct.pack("<II", 0x20004, resume)
    return struct.pack("<III", 0, level, level if tag is None else tag) + container + struct.pack("<I", limit) + handle


def status_of(stub: bytes) -> int:
    return int.from_bytes(stub[-4:], "little")


def entries_of(stub: bytes) -> int:
    return int.from_bytes(stub[12:16], "little")


@pytest.mark.parametrize("level", [0, 1, 2, 501, 502, 503])
def test_every_level_is_enumerated_to_administrators(level) -> None:
    stub = call(bound(), SHARE_ENUM, enum(level))
    assert status_of(stub) == 0
    assert entries_of(stub) == len(LISTED)
    for name in LISTED:
        assert name.encode("utf-16-le") in stub
    assert "secret".encode("utf-16-le") not in stub


@pytest.mark.parametrize(
    ("caller", "level", "status"),
    [
        *((caller, level, 0) for caller in (USER, ANONYMOUS) for level in (0, 1)),
        *((caller, level, 5) for caller in (USER, ANONYMOUS) for level in (2, 502, 503)),
        (USER, 501, 0),
        (ANONYMOUS, 501, 5),
    ],
)
def test_paths_are_for_administrators(caller, level, status) -> None:
    stub = call(bound(caller=caller), SHARE_ENUM, enum(level))
    assert status_of(stub) == status
    assert "C:\\".encode("utf-16-le") not in stub


@pytest.mark.parametrize("level", [3, 1005, 0xFFFFFFFF])
def test_unknown_levels(level) -> None:
    assert status_of(call(bound(), SHARE_ENUM, enum(level, container=b""))) == 124
    assert status_of(call(bound(), SHARE_GET_INFO, struct.pack("<I", 0) + wide("data") + struct.pack("<I", 7))) == 124
    assert status_of(call(bound(), SERVER_GET_INFO, struct.pack("<II", 0, 99))) == 124


@pytest.mark.parametrize(("opnum", "level"), [(SERVER_GET_INFO, 502), (SERVER_GET_INFO, 1005), (SHARE_GET_INFO, 1004)])
def test_levels_of_the_union_that_are_not_answered_have_a_null_arm(opnum, level) -> None:
    name = wide("data") if opnum == SHARE_GET_INFO else b""
    stub = call(bound(), opnum, bytes(4) + name + struct.pack("<I", level))
    assert struct.unpack("<III", stub) == (level, 0, 124)


def test_sticky_shares_are_not_special_and_have_no_level_501() -> None:
    assert status_of(call(bound(), SHARE_ENUM_STICKY, enum(501))) == 124
    stub = call(bound(), SHARE_ENUM_STICKY, enum(1))
    assert (status_of(stub), entries_of(stub)) == (0, len(LISTED) - 2)
    assert "IPC$".encode("utf-16-le") not in stub


def test_malformed_enumerations_are_faults() -> None:
    opened = bound()
    brings_entries = struct.pack("<III", 0x20000, 1, 0)
    brings_a_buffer = struct.pack("<IIII", 0x20000, 0, 0x20008, 1) + bytes(4)
    for stub, status in [
        (enum(1, tag=2), FaultStatus.INVALID_TAG),
        (enum(1, container=brings_entries), FaultStatus.BAD_STUB_DATA),
        (enum(1, container=brings_a_buffer), FaultStatus.BAD_STUB_DATA),
        (enum(1)[:-1], FaultStatus.BAD_STUB_DATA),
    ]:
        opened.write(request(SHARE_ENUM, stub))
        assert fault_status(opened.read(65536)[0]) == status
    assert status_of(call(opened, SHARE_ENUM, enum(1, container=struct.pack("<I", 0)))) == 0
    assert status_of(call(opened, SHARE_ENUM, enum(1, container=struct.pack("<IIII", 0x20000, 0, 0x20008, 0)))) == 0


def test_enumeration_in_pages() -> None:
    shares = [ShareInfo(f"share{number}") for number in range(5)]
    opened = bound(shares=shares)
    seen, resume, status = 0, 0, 234
    while status == 234:
        stub = call(opened, SHARE_ENUM, enum(0, limit=160, resume=resume))
        status = status_of(stub)
        total, pointer, following = struct.unpack("<III", stub[-16:-4])
        assert total == 6 - seen
        assert pointer
        seen += entries_of(stub)
        assert following == (seen if status else 0)
        resume = following
    assert (seen, status) == (6, 0)
    assert entries_of(call(opened, SHARE_ENUM, enum(0, limit=0))) == 1
    beyond = call(opened, SHARE_ENUM, enum(0, resume=99))
    assert (entries_of(beyond), status_of(beyond)) == (0, 0)
    assert struct.unpack("<II", call(opened, SHARE_ENUM, enum(0, resume=None))[-8:]) == (0, 0)


def get_info(name: str, level: int, caller=ADMINISTRATOR) -> bytes:
    return call(bound(caller=caller), SHARE_GET_INFO, struct.pack("<I", 0) + wide(name) + struct.pack("<I", level))


@pytest.mark.parametrize("name", ["data", "DATA", "secret", "ipc$"])
@pytest.mark.parametrize("level", [0, 1, 2, 501, 502, 503, 1005])
def test_shares_are_found_by_name(name, level) -> None:
    stub = get_info(name, level)
    assert status_of(stub) == 0
    assert struct.unpack_from("<I", stub) == (level,)


def test_level_1005_tells_the_flags() -> None:
    assert struct.unpack("<IIII", get_info("data", 1005, USER))[2:] == (0x30, 0)


@pytest.mark.parametrize(("name", "level", "status"), [("nothing", 1, 2310), ("data", 2, 5), ("data", 502, 5)])
def test_shares_that_are_not_told(name, level, status) -> None:
    assert struct.unpack("<III", get_info(name, level, USER)) == (level, 0, status)


@pytest.mark.parametrize(
    ("caller", "device", "answer"),
    [(ADMINISTRATOR, "c:\\SRV\\data", (0, 0)), (ADMINISTRATOR, "C:\\", (0, 2311)), (USER, "C:\\srv\\data", (0, 2311))],
)
def test_share_check(caller, device, answer) -> None:
    assert struct.unpack("<II", call(bound(caller=caller), SHARE_CHECK, bytes(4) + wide(device))) == answer


@pytest.mark.parametrize(("level", "status"), [(100, 0), (101, 0), (102, 5)])
def test_server_info_by_access(level, status) -> None:
    assert status_of(call(bound(caller=USER), SERVER_GET_INFO, struct.pack("<II", 0, level))) == status


@pytest.mark.parametrize(
    ("name", "name_type", "flags", "status"),
    [
        ("data", 9, 0, 0),
        ("a" * 80, 9, 0, 0),
        ("a" * 81, 9, 0, 123),
        ("a" * 12, 9, 0x80000000, 0),
        ("a" * 13, 9, 0x80000000, 123),
        ("a/b", 9, 0, 123),
        ("a\x1f", 1, 0, 123),
        ("", 9, 0, 123),
        ("  ", 1, 0, 123),
        ("bob", 1, 0, 0),
        ("b" * 21, 1, 0, 123),
        ("machine", 4, 0, 0),
        ("m" * 16, 4, 0, 123),
        ("name", 0, 0, 87),
        ("name", 2, 0, 87),
        ("name", 14, 0, 87),
        ("name", 9, 1, 87),
    ],
)
def test_names_are_validated(name, name_type, flags, status) -> None:
    stub = bytes(4) + wide(name) + struct.pack("<II", name_type, flags)
    assert struct.unpack("<I", call(bound(), NAME_VALIDATE, stub)) == (status,)
