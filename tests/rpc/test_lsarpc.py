import struct

import pytest

from acl.sid import Sid
from gateway.rpc.errors import FaultStatus
from gateway.rpc.handles import MAX_HANDLES
from gateway.rpc.pipe import Pipe
from tests.rpc.client import ANONYMOUS, LSARPC_ID, MACHINE, USER, bound, call, fault_status, request
from tests.rpc.test_srvsvc import status_of, wide

CLOSE, OPEN, QUERY, LOOKUP_NAMES, LOOKUP_SIDS, OPEN2, QUERY2 = 0, 6, 7, 14, 15, 44, 46
LOOKUP_SIDS2, LOOKUP_NAMES2, LOOKUP_NAMES3 = 57, 58, 68
MAXIMUM_ALLOWED = 0x0200_0000
SUCCESS, SOME, NONE_MAPPED = 0, 0x107, 0xC000_0073
DENIED, INVALID_PARAMETER, NO_RESOURCES = 0xC000_0022, 0xC000_000D, 0xC000_009A
USER_SID, UNKNOWN_SID = MACHINE.child(3000), Sid.of(5, 21, 9, 9, 9, 1)
NOTHING = struct.pack("<II", 0, 0)
"""Results that a client brings along: none."""

# A root, a name, attributes, a descriptor, and the quality of service.
ATTRIBUTES = struct.pack("<IIIIII", 24, 0, 0, 0, 0, 0x20000) + struct.pack("<IHBB", 12, 2, 1, 0)


def opening(access: int = MAXIMUM_ALLOWED, attributes: bytes = ATTRIBUTES) -> bytes:
    return struct.pack("<I", 1) + wide("\\\\s") + attributes + struct.pack("<I", access)


def lsarpc(caller=USER) -> Pipe:
    return bound("lsarpc", caller, uuid=LSARPC_ID, major=0)


def policy(opened: Pipe, access: int = MAXIMUM_ALLOWED) -> bytes:
    stub = call(opened, OPEN2, opening(access))
    assert status_of(stub) == SUCCESS
    assert stub[:20] != bytes(20)
    return stub[:20]


def ndr_sid(sid: Sid) -> bytes:
    return struct.pack("<I", sid.data[1]) + sid.data


def sids(*wanted: Sid, level: int = 1, tail: bytes = b"") -> bytes:
    head = struct.pack("<III", len(wanted), 0x20000, len(wanted))
    referents = b"".join(struct.pack("<I", 0x20004 + 4 * number) for number in range(len(wanted)))
    bodies = b"".join(map(ndr_sid, wanted))
    return head + referents + bodies + NOTHING + struct.pack("<HHI", level, 0, 0) + tail


def names(*wanted: str, level: int = 1, tail: bytes = b"") -> bytes:
    raws = [text.encode("utf-16-le", "surrogatepass") for text in wanted]
    heads = b"".join(struct.pack("<HHI", len(raw), len(raw), 0x20000 + 4 * n) for n, raw in enumerate(raws))
    bodies = b"".join(struct.pack("<III", len(raw) // 2, 0, len(raw) // 2) + raw + bytes(-len(raw) % 4) for raw in raws)
    count = struct.pack("<II", len(wanted), len(wanted))
    return count + heads + bodies + NOTHING + struct.pack("<HHI", level, 0, 0) + tail


EX = struct.pack("<II", 0, 2)


@pytest.mark.parametrize(
    ("access", "status"),
    [
        (MAXIMUM_ALLOWED, SUCCESS),
        (0x801, SUCCESS),
        (0x2000_0000, SUCCESS),  # GENERIC_EXECUTE
        (0x1000_0000, DENIED),  # GENERIC_ALL
        (0x800 | 0x10, DENIED),  # POLICY_CREATE_ACCOUNT
        (MAXIMUM_ALLOWED | 0x8000_0000, DENIED),
    ],
)
@pytest.mark.parametrize("opnum", [OPEN, OPEN2])
def test_policies_are_opened_for_lookups(opnum, access, status) -> None:
    stub = opening(access)
    if opnum == OPEN:
        stub = struct.pack("<IHH", 1, ord("\\"), 0) + ATTRIBUTES + struct.pack("<I", access)
    answer = call(lsarpc(), opnum, stub)
    assert status_of(answer) == status
    assert (answer[:20] == bytes(20)) == bool(status)


def test_who_has_no_name_is_told_none() -> None:
    assert status_of(call(lsarpc(ANONYMOUS), OPEN2, opening())) == DENIED


def test_a_root_is_refused() -> None:
    attributes = struct.pack("<IIIIII", 24, 0x20000, 0, 0, 0, 0) + bytes(4)
    assert status_of(call(lsarpc(), OPEN2, opening(attributes=attributes))) == INVALID_PARAMETER


def test_a_handle_is_good_until_it_is_closed_and_nowhere_else() -> None:
    opened, other = lsarpc(), lsarpc()
    handle = policy(opened)
    for pipe, wrong in ((other, handle), (opened, bytes(20)), (opened, handle[:4] + bytes(15) + b"\2")):
        fragment, _ = pipe.transact(request(LOOKUP_SIDS, wrong + sids(USER_SID)), 65536)
        assert fault_status(fragment) == FaultStatus.CONTEXT_MISMATCH
    assert status_of(call(opened, LOOKUP_SIDS, handle + sids(USER_SID))) == SUCCESS
    assert call(opened, CLOSE, handle) == bytes(24)
    for opnum, rest in ((CLOSE, b""), (LOOKUP_SIDS, sids(USER_SID))):
        fragment, _ = opened.transact(request(opnum, handle + rest), 65536)
        assert fault_status(fragment) == FaultStatus.CONTEXT_MISMATCH


def test_handles_are_limited() -> None:
    opened = lsarpc()
    handles = {policy(opened) for _ in range(MAX_HANDLES)}
    assert len(handles) == MAX_HANDLES
    assert status_of(call(opened, OPEN2, opening())) == NO_RESOURCES
    call(opened, CLOSE, handles.pop())
    policy(opened)


@pytest.mark.parametrize("opnum", [QUERY, QUERY2])
@pytest.mark.parametrize(("level", "text"), [(3, "WORKGROUP"), (5, "SMBGATE"), (12, "WORKGROUP")])
def test_the_machine_tells_what_it_is(opnum, level, text) -> None:
    opened = lsarpc()
    stub = call(opened, opnum, policy(opened) + struct.pack("<H", level))
    assert status_of(stub) == SUCCESS
    assert text.encode("utf-16-le") in stub
    assert (ndr_sid(MACHINE) in stub) == (level == 5)


def test_other_information_is_not_there() -> None:
    opened = lsarpc()
    stub = call(opened, QUERY, policy(opened) + struct.pack("<H", 2))
    assert (stub[:4], status_of(stub)) == (bytes(4), INVALID_PARAMETER)


def test_rights_of_a_handle_count() -> None:
    opened = lsarpc()
    lookups, view = policy(opened, 0x800), policy(opened, 0x1)
    assert status_of(call(opened, QUERY, lookups + struct.pack("<H", 5))) == DENIED
    assert status_of(call(opened, QUERY, view + struct.pack("<H", 5))) == SUCCESS
    for opnum, rest in ((LOOKUP_SIDS, sids(USER_SID)), (LOOKUP_NAMES, names("SMBGATE\\staff"))):
        assert status_of(call(opened, opnum, lookups + rest)) == SUCCESS
        refused = call(opened, opnum, view + rest)
        assert refused == bytes(16) + struct.pack("<I", DENIED)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ((USER_SID, Sid.of(1, 0)), SUCCESS),
        ((USER_SID, UNKNOWN_SID), SOME),
        ((UNKNOWN_SID,), NONE_MAPPED),
        ((), SUCCESS),
    ],
)
@pytest.mark.parametrize(("opnum", "tail"), [(LOOKUP_SIDS, b""), (LOOKUP_SIDS2, EX)])
def test_how_many_sids_have_names(opnum, tail, wanted, status) -> None:
    opened = lsarpc()
    stub = call(opened, opnum, policy(opened) + sids(*wanted, tail=tail))
    assert status_of(stub) == status
    assert int.from_bytes(stub[-8:-4], "little") == sum(sid != UNKNOWN_SID for sid in wanted)
    for sid in wanted:
        text = {USER_SID: "Bärbel-😀", UNKNOWN_SID: str(UNKNOWN_SID)}.get(sid, "Everyone")
        assert text.encode("utf-16-le") in stub


def test_a_sid_without_sub_authorities_has_no_name() -> None:
    opened = lsarpc()
    bare = struct.pack("<II", 0, 0x0000_0001) + bytes(4)
    stub = struct.pack("<IIII", 1, 0x20000, 1, 0x20004) + bare + NOTHING + struct.pack("<HHI", 1, 0, 0)
    assert status_of(call(opened, LOOKUP_SIDS, policy(opened) + stub)) == NONE_MAPPED


@pytest.mark.parametrize("level", [0, 8, 0xFFFF])
def test_levels_that_are_none(level) -> None:
    opened = lsarpc()
    assert status_of(call(opened, LOOKUP_SIDS, policy(opened) + sids(USER_SID, level=level))) == INVALID_PARAMETER


@pytest.mark.parametrize(
    ("opnum", "stub"),
    [
        (LOOKUP_SIDS, struct.pack("<II", 1, 0)),
        (LOOKUP_SIDS, struct.pack("<III", 2, 0x20000, 1)),
        (LOOKUP_SIDS, struct.pack("<IIII", 1, 0x20000, 1, 0)),
        (LOOKUP_SIDS, struct.pack("<II", 1001, 0x20000)),
        (LOOKUP_SIDS, struct.pack("<IIIIII", 1, 0x20000, 1, 0x20004, 1, 0x0000_0201) + bytes(8)),
        (LOOKUP_NAMES, struct.pack("<II", 1, 2)),
        (LOOKUP_NAMES, struct.pack("<II", 1001, 1001)),
        (LOOKUP_NAMES, names("x").replace(struct.pack("<HH", 2, 2), struct.pack("<HH", 6, 6))),
        (LOOKUP_NAMES, names("x").replace(NOTHING + b"\1", struct.pack("<II", 1, 0) + b"\1")),
    ],
)
def test_bad_stubs(opnum, stub) -> None:
    opened = lsarpc()
    handle = policy(opened)
    fragment, _ = opened.transact(request(opnum, handle + stub), 65536)
    assert fault_status(fragment) == FaultStatus.BAD_STUB_DATA


@pytest.mark.parametrize(("opnum", "tail"), [(LOOKUP_NAMES, b""), (LOOKUP_NAMES2, EX), (LOOKUP_NAMES3, EX)])
@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (("SMBGATE\\Bärbel-😀", "BUILTIN\\Administrators"), SUCCESS),
        (("SMBGATE\\staff", "nobody", ""), SOME),
        (("\ud800",), NONE_MAPPED),
        (("SMBGATE",), SUCCESS),
    ],
)
def test_how_many_names_have_sids(opnum, tail, wanted, status) -> None:
    opened = lsarpc()
    stub = call(opened, opnum, policy(opened) + names(*wanted, tail=tail))
    assert status_of(stub) == status


def test_a_name_leads_to_a_domain_and_a_number() -> None:
    opened = lsarpc()
    stub = call(opened, LOOKUP_NAMES, policy(opened) + names("SMBGATE\\staff", "SMBGATE", "other"))
    assert ndr_sid(MACHINE) in stub
    entries = [struct.unpack_from("<HxxII", stub, len(stub) - 8 - 36 + 12 * number) for number in range(3)]
    assert entries == [(4, 3001, 0), (3, 0xFFFF_FFFF, 0), (8, 0, 0xFFFF_FFFF)]
