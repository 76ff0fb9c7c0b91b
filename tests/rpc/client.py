"""A caller's side for the tests: a described server, and a client that speaks bytes only."""

import struct
from collections.abc import Iterable
from uuid import UUID

from acl.sid import BUILTIN_ADMINISTRATORS, EVERYONE, Sid
from gateway.rpc.interface import Caller, ShareInfo, ShareType, StaticServerInfo
from gateway.rpc.names import Named, SidUse
from gateway.rpc.pdu import NDR20, SyntaxId
from gateway.rpc.pipe import Pipe
from gateway.rpc.registry import open_pipe

NOW = 1_700_000_000.25
ADMINISTRATOR = Caller("root", "SMBGATE", is_administrator=True)
USER = Caller("bob", "SMBGATE")
ANONYMOUS = Caller(is_anonymous=True)

DESCRIPTOR = bytes.fromhex("01000480") + bytes(16)  # no owner, no group, a DACL that is NULL

SHARES = [
    ShareInfo("data", comment="Daten für alle", path="C:\\srv\\data", flags=0x30, security_descriptor=DESCRIPTOR),
    ShareInfo("empty", comment=""),
    ShareInfo("secret", comment="not browseable", hidden=True),
    ShareInfo("Büro-😀", comment="Unicode", max_uses=5, current_uses=2, path="C:\\büro"),
    ShareInfo("ADMIN$", ShareType.DISKTREE | ShareType.SPECIAL, "admin"),
]

SRVSVC_ID = UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188")
WKSSVC_ID = UUID("6bffd098-a112-3610-9833-46c3f87e345a")
LSARPC_ID = UUID("12345778-1234-abcd-ef00-0123456789ab")

MACHINE = Sid.of(5, 21, 11, 22, 33)
KNOWN = (
    Named(MACHINE, "SMBGATE", "", SidUse.DOMAIN),
    Named(MACHINE.child(3000), "SMBGATE", "Bärbel-😀", SidUse.USER),
    Named(MACHINE.child(3001), "SMBGATE", "staff", SidUse.ALIAS),
    Named(BUILTIN_ADMINISTRATORS, "BUILTIN", "Administrators", SidUse.ALIAS),
    Named(EVERYONE, "", "Everyone", SidUse.WELL_KNOWN_GROUP),
    Named(Sid.of(5, 11), "NT AUTHORITY", "Authenticated Users", SidUse.WELL_KNOWN_GROUP),
)


class KnownNames:
    """Names of a table."""

    machine = MACHINE

    def __init__(self, known: Iterable[Named] = KNOWN) -> None:
        self._by_sid = {one.sid: one for one in known}
        self._by_name = {f"{one.domain}\\{one.name}".strip("\\"): one for one in self._by_sid.values()}

    def of_sid(self, sid: Sid) -> Named | None:
        return self._by_sid.get(sid)

    def of_name(self, name: str) -> Named | None:
        return self._by_name.get(name)


def server(shares=SHARES) -> StaticServerInfo:
    return StaticServerInfo(
        "SMBGATE", lambda _caller: shares, lambda: NOW, KnownNames(), "a comment", "WORKGROUP", (10, 0)
    )


def pipe(name="srvsvc", caller=ADMINISTRATOR, shares=SHARES) -> Pipe:
    return open_pipe(name, server(shares), caller)


def pdu(packet_type: int, body: bytes, *, call_id=1, flags=3, auth=0, order="<", minor=0) -> bytes:
    drep = b"\x10\0\0\0" if order == "<" else b"\0\0\0\0"
    head = struct.pack("BBBB4s", 5, minor, packet_type, flags, drep)
    return head + struct.pack(order + "HHI", 16 + len(body), auth, call_id) + body


def syntax(uuid: UUID, major: int, minor=0, order="<") -> bytes:
    raw = uuid.bytes_le if order == "<" else uuid.bytes
    return raw + struct.pack(order + "I", minor << 16 | major)


def context(context_id: int, abstract: bytes, *transfers: bytes, order="<") -> bytes:
    return struct.pack(order + "HBB", context_id, len(transfers), 0) + abstract + b"".join(transfers)


def ndr20(order="<") -> bytes:
    return syntax(NDR20.uuid, NDR20.major, order=order)


def bind(*contexts: bytes, call_id=1, packet_type=11, xmit=4280, recv=4280, group=0, order="<", auth=0) -> bytes:
    contexts = contexts or (context(0, syntax(SRVSVC_ID, 3, order=order), ndr20(order), order=order),)
    body = struct.pack(order + "HHIBBH", xmit, recv, group, len(contexts), 0, 0) + b"".join(contexts)
    return pdu(packet_type, body, call_id=call_id, order=order, auth=auth)


def request(opnum: int, stub=b"", *, context_id=0, call_id=2, flags=3, order="<", object_uuid=b"", auth=0) -> bytes:
    body = struct.pack(order + "IHH", len(stub), context_id, opnum) + object_uuid + stub
    return pdu(0, body, call_id=call_id, flags=flags, order=order, auth=auth)


def results(ack: bytes) -> list[tuple[int, int, SyntaxId]]:
    """The results of a bind_ack or alter_context_resp."""
    (address_length,) = struct.unpack_from("<H", ack, 24)
    at = (26 + address_length + 3) & ~3
    found = []
    for index in range(ack[at]):
        result, reason = struct.unpack_from("<HH", ack, at + 4 + 24 * index)
        raw = ack[at + 8 + 24 * index : at + 28 + 24 * index]
        found.append((result, reason, SyntaxId(UUID(bytes_le=raw[:16]), *struct.unpack("<HH", raw[16:]))))
    return found


def bound(name="srvsvc", caller=ADMINISTRATOR, shares=SHARES, uuid=SRVSVC_ID, major=3, **kwargs) -> Pipe:
    opened = pipe(name, caller, shares)
    answer, more = opened.transact(bind(context(0, syntax(uuid, major), ndr20()), **kwargs), 65536)
    assert not more
    assert answer[2] == 12
    assert results(answer)[0][:2] == (0, 0)
    return opened


def call(opened: Pipe, opnum: int, stub: bytes, **kwargs) -> bytes:
    """The stub that answers; raises AssertionError for a fault."""
    opened.write(request(opnum, stub, **kwargs))
    answer = b""
    while True:
        fragment, more = opened.read(65536)
        assert not more
        assert fragment[2] == 2, f"fault {fragment[24:28].hex()}"
        answer += fragment[24:]
        if fragment[3] & 2:
            return answer


def fault_status(fragment: bytes) -> int:
    assert fragment[2] == 3
    return int.from_bytes(fragment[24:28], "little")
