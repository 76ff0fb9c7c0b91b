"""The Local Security Authority's lookups: names of SIDs, SIDs of names ([MS-LSAT] 3.1.4, [MS-LSAD] 3.1.4.4)."""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from acl.mask import GENERIC_ALL, GENERIC_EXECUTE, GENERIC_READ, GENERIC_WRITE, MAXIMUM_ALLOWED, READ_CONTROL
from acl.sid import Sid
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    STATUS_NONE_MAPPED,
    STATUS_SOME_NOT_MAPPED,
    STATUS_SUCCESS,
)
from gateway.rpc.errors import RpcError
from gateway.rpc.handles import write_handle
from gateway.rpc.interface import Call, Interface, Operation
from gateway.rpc.names import Named, SidUse
from gateway.rpc.ndr import NdrReader, NdrWriter
from gateway.rpc.ndr_types import read_sid, read_strings, write_sid, write_string
from gateway.rpc.pdu import SyntaxId

MAX_LOOKUPS: Final = 1000
"""SIDs or names in one request: what [MS-LSAT] 3.1.4.8 allows for names, and what clients keep to for SIDs."""

POLICY_VIEW_LOCAL_INFORMATION: Final = 0x0001
POLICY_LOOKUP_NAMES: Final = 0x0800
GRANTED: Final = READ_CONTROL | POLICY_VIEW_LOCAL_INFORMATION | POLICY_LOOKUP_NAMES
"""POLICY_EXECUTE: all that may be done here, and what everybody may who has logged on ([MS-LSAD] 2.2.1.1.2)."""
_GENERIC: Final = MappingProxyType(
    {GENERIC_READ: 0x0002_0006, GENERIC_WRITE: 0x0002_07F8, GENERIC_EXECUTE: GRANTED, GENERIC_ALL: 0x000F_0FFF}
)

LOOKUP_LEVELS: Final = range(1, 8)
NO_DOMAIN: Final = 0xFFFF_FFFF
"""-1, as the index of a domain."""
NO_RID: Final = 0xFFFF_FFFF
"""That of a domain, instead of which there is none."""

PRIMARY_DOMAIN: Final = 3
ACCOUNT_DOMAIN: Final = 5
DNS_DOMAIN: Final = 12


class Policy(NamedTuple):
    """What a policy handle stands for: the rights it was opened with."""

    access: int


# --- handles


def close(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """LsarClose ([MS-LSAD] 3.1.4.9.4)."""
    call.handles.close(reader)
    write_handle(writer, None)
    writer.u32(STATUS_SUCCESS)


def open_policy(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """LsarOpenPolicy, whose name of the server is one character ([MS-LSAD] 3.1.4.4.2)."""
    if reader.referent():
        reader.u16()
    _open(call, reader, writer)


def open_policy2(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """LsarOpenPolicy2 ([MS-LSAD] 3.1.4.4.1)."""
    reader.unique_wide_string()
    _open(call, reader, writer)


def _open(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    has_root = _read_object_attributes(reader)
    desired = reader.u32()
    access = _granted(desired)
    handle, status = None, STATUS_SUCCESS
    if has_root:
        status = STATUS_INVALID_PARAMETER
    elif access is None or call.caller.is_anonymous:
        status = STATUS_ACCESS_DENIED
    elif call.handles.is_full:
        status = STATUS_INSUFFICIENT_RESOURCES
    else:
        handle = call.handles.open(Policy(access))
    write_handle(writer, handle)
    writer.u32(status)


def _read_object_attributes(reader: NdrReader) -> bool:
    """LSAPR_OBJECT_ATTRIBUTES, of which nothing counts but a root, that there must not be ([MS-LSAD] 2.2.9)."""
    reader.u32()
    has_root, has_name = reader.referent(), reader.referent()
    reader.u32()
    has_descriptor, has_quality = reader.referent(), reader.referent()
    if has_name or has_descriptor:
        raise RpcError("attributes of an object that is not made")
    if has_root:
        reader.u8()
    if has_quality:
        reader.u32()
        reader.u16()
        reader.u8()
        reader.u8()
    return has_root


def _granted(desired: int) -> int | None:
    """The rights of a handle; None if more is wanted than there is."""
    wanted = desired & ~(MAXIMUM_ALLOWED | sum(_GENERIC))
    for generic, rights in _GENERIC.items():
        wanted |= rights if desired & generic else 0
    if wanted & ~GRANTED:
        return None
    return GRANTED if desired & MAXIMUM_ALLOWED else wanted


# --- the machine


def query_information_policy(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """LsarQueryInformationPolicy and its second form, which is the same ([MS-LSAD] 3.1.4.4.3, 3.1.4.4.4)."""
    policy, level = call.handles.read(reader, Policy), reader.u16()
    write = _INFORMATION.get(level)
    if not policy.access & POLICY_VIEW_LOCAL_INFORMATION:
        write, status = None, STATUS_ACCESS_DENIED
    else:
        status = STATUS_SUCCESS if write else STATUS_INVALID_PARAMETER

    def information(write: Callable[[Call, NdrWriter], None]) -> None:
        writer.u16(level)
        write(call, writer)

    writer.pointer(None if write is None else lambda: information(write))
    writer.flush()
    writer.u32(status)


def _write_primary_domain(call: Call, writer: NdrWriter) -> None:
    """LSAPR_POLICY_PRIMARY_DOM_INFO: a workgroup, which has no SID ([MS-LSAD] 2.2.4.5)."""
    write_string(writer, call.server.domain)
    writer.pointer(None)


def _write_account_domain(call: Call, writer: NdrWriter) -> None:
    """LSAPR_POLICY_ACCOUNT_DOM_INFO ([MS-LSAD] 2.2.4.6)."""
    write_string(writer, call.server.netbios_name)
    writer.pointer(lambda: write_sid(writer, call.server.names.machine.data))


def _write_dns_domain(call: Call, writer: NdrWriter) -> None:
    """LSAPR_POLICY_DNS_DOMAIN_INFO of a machine in no domain ([MS-LSAD] 2.2.4.14)."""
    for text in (call.server.domain, "", ""):
        write_string(writer, text)
    writer.uuid(UUID(int=0))
    writer.pointer(None)


_INFORMATION: Final = MappingProxyType(
    {PRIMARY_DOMAIN: _write_primary_domain, ACCOUNT_DOMAIN: _write_account_domain, DNS_DOMAIN: _write_dns_domain}
)


# --- lookups


class _Answer:
    """What a lookup finds, and the domains of it."""

    def __init__(self, found: list[Named | None], refusal: int) -> None:
        self.found = found
        self._is_refused = bool(refusal)
        self.status = refusal
        self.domains: list[tuple[str, bytes]] = []
        if not refusal:
            known = [one for one in found if one is not None]
            self.domains = list(dict.fromkeys((one.domain, one.domain_sid) for one in known))
            if len(known) < len(found):
                self.status = STATUS_SOME_NOT_MAPPED if known else STATUS_NONE_MAPPED

    @property
    def mapped(self) -> int:
        return sum(one is not None for one in self.found)

    def _index(self, one: Named | None) -> int:
        """That of its domain."""
        return NO_DOMAIN if one is None else self.domains.index((one.domain, one.domain_sid))

    def _write_domains(self, writer: NdrWriter) -> None:
        """A pointer to LSAPR_REFERENCED_DOMAIN_LIST ([MS-LSAT] 2.2.12)."""

        def elements() -> None:
            writer.u32(len(self.domains))
            for name, sid in self.domains:
                write_string(writer, name)
                writer.pointer(partial(write_sid, writer, sid))

        def domains() -> None:
            writer.u32(len(self.domains))
            writer.pointer(elements if self.domains else None)
            writer.u32(len(self.domains))

        writer.pointer(None if self._is_refused else domains)
        writer.flush()

    def write(self, writer: NdrWriter, write_one: Callable[[int, Named | None], None], *, extended: bool) -> None:
        """The domains, and what was found in the order of what was asked for, with flags if `extended`."""

        def elements() -> None:
            writer.u32(len(self.found))
            for number, one in enumerate(self.found):
                writer.align(4)
                writer.u16(one.use if one else SidUse.UNKNOWN)
                write_one(number, one)
                writer.u32(self._index(one))
                if extended:
                    writer.u32(0)

        self._write_domains(writer)
        writer.u32(len(self.found))
        writer.pointer(elements if self.found else None)
        writer.flush()
        writer.u32(self.mapped)
        writer.u32(self.status)


def _refusal(policy: Policy, level: int) -> int:
    if not policy.access & POLICY_LOOKUP_NAMES:
        return STATUS_ACCESS_DENIED
    return STATUS_SUCCESS if level in LOOKUP_LEVELS else STATUS_INVALID_PARAMETER


def _skip_results(reader: NdrReader) -> None:
    """The array of results as a client sends it: empty."""
    entries, there = reader.u32(), reader.referent()
    if entries or (there and reader.conformance()):
        raise RpcError("a lookup that brings results along")


def _read_count(reader: NdrReader) -> int:
    count = reader.u32()
    if count > MAX_LOOKUPS:
        raise RpcError(f"a lookup of {count} at once")
    return count


def _read_sids(reader: NdrReader) -> list[Sid | None]:
    """LSAPR_SID_ENUM_BUFFER ([MS-LSAT] 2.2.17)."""
    count = _read_count(reader)
    if not reader.referent():
        if count:
            raise RpcError("SIDs that are nowhere")
        return []
    if reader.conformance(4) != count or not all(reader.referent() for _ in range(count)):
        raise RpcError("SIDs that are nowhere")
    return [read_sid(reader) for _ in range(count)]


def _lookup_sids(*, extended: bool) -> Operation:
    """LsarLookupSids, and LsarLookupSids2 with flags ([MS-LSAT] 3.1.4.11, 3.1.4.10)."""

    def operation(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
        policy = call.handles.read(reader, Policy)
        sids = _read_sids(reader)
        _skip_results(reader)
        level = reader.u16()
        refusal = _refusal(policy, level)
        names = call.server.names
        found = [] if refusal else [names.of_sid(sid) if sid is not None else None for sid in sids]
        answer = _Answer(found, refusal)

        def write_name(number: int, one: Named | None) -> None:
            """What differs from a SID in LSAPR_TRANSLATED_NAME and _EX ([MS-LSAT] 2.2.19, 2.2.21)."""
            write_string(writer, one.name if one else str(sids[number] or ""))

        answer.write(writer, write_name, extended=extended)

    return operation


def _write_rid(writer: NdrWriter, one: Named | None) -> None:
    if one is None:
        writer.u32(0)
    else:
        writer.u32(one.sid.rid if one.use is not SidUse.DOMAIN else NO_RID)


def _write_whole_sid(writer: NdrWriter, one: Named | None) -> None:
    writer.pointer(None if one is None else lambda: write_sid(writer, one.sid.data))


def _lookup_names(write_sid_of: Callable[[NdrWriter, Named | None], None], *, extended: bool) -> Operation:
    """LsarLookupNames, _2 with flags, and _3 with whole SIDs ([MS-LSAT] 3.1.4.8, 3.1.4.7, 3.1.4.6).

    Its results are LSA_TRANSLATED_SID, _EX and _EX2 (2.2.13, 2.2.23, 2.2.25).
    """

    def operation(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
        policy = call.handles.read(reader, Policy)
        count = _read_count(reader)
        if reader.conformance(8) != count:
            raise RpcError("another count of names")
        texts = read_strings(reader, count)
        _skip_results(reader)
        level = reader.u16()
        refusal = _refusal(policy, level)
        names = call.server.names
        answer = _Answer([] if refusal else [names.of_name(text) for text in texts], refusal)

        answer.write(writer, lambda _number, one: write_sid_of(writer, one), extended=extended)

    return operation


LSARPC = Interface(
    pipe_name="lsarpc",
    syntax=SyntaxId(UUID("12345778-1234-abcd-ef00-0123456789ab"), 0),
    operations=MappingProxyType(
        {
            0: close,
            6: open_policy,
            7: query_information_policy,
            14: _lookup_names(_write_rid, extended=False),
            15: _lookup_sids(extended=False),
            44: open_policy2,
            46: query_information_policy,
            57: _lookup_sids(extended=True),
            58: _lookup_names(_write_rid, extended=True),
            68: _lookup_names(_write_whole_sid, extended=True),
        }
    ),
)
