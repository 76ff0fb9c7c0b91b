"""The Server Service Remote Protocol: shares and the server itself ([MS-SRVS] 3.1.4)."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from gateway.nt.upcase import upcase
from gateway.rpc.errors import FaultStatus, RpcError, RpcFault, Win32Error
from gateway.rpc.interface import UNLIMITED, Call, Interface, ShareInfo, ShareType
from gateway.rpc.ndr import NdrReader, NdrWriter
from gateway.rpc.pdu import SyntaxId

PLATFORM_ID_NT = 500
SV_TYPE = 0x0000_9803
"""Workstation, server, Unix, NT, NT server ([MS-SRVS] 2.2.2.7, SV_TYPE_*)."""
IPC_SHARE = ShareInfo("IPC$", ShareType.IPC | ShareType.SPECIAL, "Remote IPC")

ENUM_LEVELS = frozenset({0, 1, 2, 501, 502, 503})
STICKY_LEVELS = ENUM_LEVELS - {501}
INFO_LEVELS = ENUM_LEVELS | {1005}
ADMINISTRATOR_LEVELS = frozenset({2, 502, 503})
SERVER_LEVELS = frozenset({100, 101, 102})

# Levels that the unions have an arm for, always a pointer: a refusal has to write it, as null ([MS-SRVS] 2.2.3).
SHARE_ARMS = INFO_LEVELS | {1004, 1006, 1501}
SERVER_ARMS = SERVER_LEVELS | {103, 502, 503, 599} | frozenset(range(1005, 1600))

ILLEGAL_IN_NAMES = frozenset('"/\\[]:|<>+=;,*?') | {chr(code) for code in range(0x20)}
"""In names of every kind ([MS-SRVS] 3.1.4.31)."""
OLD_NAMES = 0x8000_0000
"""NetprNameValidate's flag for the length limits of LAN Manager 2.0."""
NAME_LIMITS = {1: (20, 20), 3: (20, 20), 4: (15, 15), 6: (15, 15), 9: (80, 12), 13: (15, 15)}
"""By name type, the most characters a name has: as NT and as LAN Manager 2.0 have it."""


def _shares(call: Call) -> list[ShareInfo]:
    """All shares, IPC$ always among them: the pipe that is asked through belongs to it."""
    shares = list(call.server.shares(call.caller))
    if not any(upcase(share.name) == IPC_SHARE.name for share in shares):
        shares.append(IPC_SHARE)
    return shares


def _refusal(call: Call, level: int, levels: frozenset[int]) -> Win32Error:
    if level not in levels:
        return Win32Error.INVALID_LEVEL
    if level in ADMINISTRATOR_LEVELS and not call.caller.is_administrator:
        return Win32Error.ACCESS_DENIED
    return Win32Error.SUCCESS


def _write_share(writer: NdrWriter, share: ShareInfo, level: int) -> None:
    """SHARE_INFO_0 to _503_I and _1005 ([MS-SRVS] 2.2.4.22 to 2.2.4.29)."""
    if level == 1005:
        writer.u32(share.flags)
        return
    writer.wide_string_pointer(share.name)
    if level == 0:
        return
    writer.u32(share.type)
    writer.wide_string_pointer(share.comment)
    if level == 501:
        writer.u32(share.flags)
    if level in {1, 501}:
        return
    writer.u32(share.permissions)
    writer.u32(share.max_uses)
    writer.u32(share.current_uses)
    writer.wide_string_pointer(share.path)
    writer.wide_string_pointer(None)  # passwd: never told
    if level == 2:
        return
    if level == 503:
        writer.wide_string_pointer("*")  # no server name of its own
    descriptor = share.security_descriptor
    writer.u32(len(descriptor) if descriptor is not None else 0)
    writer.pointer(None if descriptor is None else lambda: writer.conformant_bytes(descriptor))


def _share_size(share: ShareInfo) -> int:
    """About the bytes that a share takes in an answer, to keep to PreferedMaximumLength."""
    return 64 + 2 * (len(share.name) + len(share.comment) + len(share.path)) + len(share.security_descriptor or b"")


def _read_level(reader: NdrReader) -> int:
    """The level of a SHARE_ENUM_STRUCT, which stands there twice."""
    level, tag = reader.u32(), reader.u32()
    if level != tag:
        raise RpcFault(FaultStatus.INVALID_TAG)
    return level


def _skip_container(reader: NdrReader) -> None:
    """The container of a SHARE_ENUM_STRUCT as a client sends it: empty."""
    if reader.referent():
        entries, buffer = reader.u32(), reader.referent()
        if entries or (buffer and reader.conformance()):
            raise RpcError("an enumeration that brings entries along")


def _write_container(writer: NdrWriter, level: int, shares: list[ShareInfo] | None) -> None:
    """SHARE_ENUM_STRUCT ([MS-SRVS] 2.2.4.38) with a container; without one where `shares` is None."""

    def elements(entries: list[ShareInfo]) -> None:
        writer.u32(len(entries))
        for share in entries:
            _write_share(writer, share, level)

    def container(entries: list[ShareInfo]) -> None:
        writer.u32(len(entries))
        writer.pointer(lambda: elements(entries))

    writer.u32(level)
    writer.u32(level)
    writer.pointer(None if shares is None else lambda: container(shares))
    writer.flush()


def _write_unknown_level(writer: NdrWriter, level: int) -> None:
    """The results of an enumeration whose level the union has no arm for."""
    writer.u32(level)
    writer.u32(level)
    writer.u32(0)
    writer.pointer(None)
    writer.u32(Win32Error.INVALID_LEVEL)


def _page(shares: list[ShareInfo], start: int, limit: int) -> list[ShareInfo]:
    """What fits into `limit` bytes from `start` on, one share at least."""
    page: list[ShareInfo] = []
    for share in shares[start:]:
        limit -= _share_size(share)
        if page and limit < 0:
            break
        page.append(share)
    return page


def _share_enum(levels: frozenset[int], unlisted: int) -> Callable[[Call, NdrReader, NdrWriter], None]:
    """An enumeration at `levels` of all shares without any of the bits `unlisted` in their type."""

    def operation(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
        """NetrShareEnum and NetrShareEnumSticky ([MS-SRVS] 3.1.4.8, 3.1.4.9)."""
        reader.unique_wide_string()
        level = _read_level(reader)
        if level not in ENUM_LEVELS:
            _write_unknown_level(writer, level)
            return
        _skip_container(reader)
        limit = reader.u32()
        with_resume = reader.referent()
        start = reader.u32() if with_resume else 0
        error = _refusal(call, level, levels)
        if level == 501 and call.caller.is_anonymous:
            error = error or Win32Error.ACCESS_DENIED
        listed = (
            [share for share in _shares(call) if not share.hidden and not share.type & unlisted] if not error else []
        )
        page = _page(listed, start, limit)
        end = start + len(page)
        more = end < len(listed)
        _write_container(writer, level, None if error else page)
        writer.u32(max(len(listed) - start, 0))
        writer.pointer((lambda: writer.u32(end if more else 0)) if with_resume else None)
        writer.flush()
        writer.u32(Win32Error.MORE_DATA if more else error)

    return operation


def net_share_get_info(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """NetrShareGetInfo ([MS-SRVS] 3.1.4.10)."""
    reader.unique_wide_string()
    name = reader.wide_string()
    level = reader.u32()
    share: ShareInfo | None = None
    error = _refusal(call, level, INFO_LEVELS)
    if not error:
        share = next((share for share in _shares(call) if upcase(share.name) == upcase(name)), None)
        error = Win32Error.SUCCESS if share else Win32Error.NET_NAME_NOT_FOUND
    writer.u32(level)
    if level in SHARE_ARMS:
        found = share
        writer.pointer(None if found is None else lambda: _write_share(writer, found, level))
        writer.flush()
    writer.u32(error)


def net_share_check(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """NetrShareCheck: whether a device, here the path of a share, is shared ([MS-SRVS] 3.1.4.16)."""
    reader.unique_wide_string()
    device = reader.wide_string()
    found = next((share for share in _shares(call) if share.path and upcase(share.path) == upcase(device)), None)
    # The type is all that is told, and only to those who are told paths.
    if not call.caller.is_administrator:
        found = None
    writer.u32(found.type if found else 0)
    writer.u32(Win32Error.SUCCESS if found else Win32Error.DEVICE_NOT_SHARED)


def net_server_get_info(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """NetrServerGetInfo ([MS-SRVS] 3.1.4.17)."""
    reader.unique_wide_string()
    level = reader.u32()
    error = Win32Error.SUCCESS if level in SERVER_LEVELS else Win32Error.INVALID_LEVEL
    if level == 102 and not call.caller.is_administrator:
        error = Win32Error.ACCESS_DENIED
    writer.u32(level)
    if level in SERVER_ARMS:
        writer.pointer(None if error else lambda: _write_server(writer, call, level))
        writer.flush()
    writer.u32(error)


def _write_server(writer: NdrWriter, call: Call, level: int) -> None:
    """SERVER_INFO_100 to _102 ([MS-SRVS] 2.2.4.40 to 2.2.4.42)."""
    server = call.server
    writer.u32(PLATFORM_ID_NT)
    writer.wide_string_pointer(server.netbios_name)
    if level == 100:
        return
    major, minor = server.version
    writer.u32(major)
    writer.u32(minor)
    writer.u32(SV_TYPE)
    writer.wide_string_pointer(server.comment)
    if level == 101:
        return
    writer.u32(UNLIMITED)  # users
    writer.u32(15)  # minutes of idleness after which a session may be disconnected
    writer.u32(0)  # not hidden
    writer.u32(240)  # announce, in seconds
    writer.u32(3000)  # announce delta, in milliseconds
    writer.u32(0)  # licenses
    writer.wide_string_pointer("C:\\")


def net_remote_tod(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """NetrRemoteTOD: the time of day, in UTC ([MS-SRVS] 3.1.4.21, 2.2.4.105)."""
    reader.unique_wide_string()
    seconds = call.server.clock()
    now = datetime.fromtimestamp(seconds, UTC)

    def time_of_day() -> None:
        writer.u32(int(seconds) & 0xFFFF_FFFF)
        writer.u32(int(seconds * 1000) & 0xFFFF_FFFF)
        writer.u32(now.hour)
        writer.u32(now.minute)
        writer.u32(now.second)
        writer.u32(now.microsecond // 10_000)
        writer.u32(0)  # minutes west of UTC: the fields are UTC
        writer.u32(310)  # the clock's resolution, in units of 0.1 ms
        writer.u32(now.day)
        writer.u32(now.month)
        writer.u32(now.year)
        writer.u32(now.isoweekday() % 7)

    writer.pointer(time_of_day)
    writer.flush()
    writer.u32(Win32Error.SUCCESS)


def net_name_validate(_call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """NetprNameValidate: whether a name may be given to an account, a machine or a share ([MS-SRVS] 3.1.4.31)."""
    reader.unique_wide_string()
    name, name_type, flags = reader.wide_string(), reader.u32(), reader.u32()
    limits = NAME_LIMITS.get(name_type)
    if limits is None or flags & ~OLD_NAMES:
        writer.u32(Win32Error.INVALID_PARAMETER)
        return
    limit = limits[bool(flags & OLD_NAMES)]
    valid = 0 < len(name) <= limit and not ILLEGAL_IN_NAMES & set(name) and not name.isspace()
    writer.u32(Win32Error.SUCCESS if valid else Win32Error.INVALID_NAME)


SRVSVC = Interface(
    pipe_name="srvsvc",
    syntax=SyntaxId(UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3),
    operations=MappingProxyType(
        {
            15: _share_enum(ENUM_LEVELS, 0),
            16: net_share_get_info,
            20: net_share_check,
            21: net_server_get_info,
            28: net_remote_tod,
            33: net_name_validate,
            36: _share_enum(STICKY_LEVELS, ShareType.SPECIAL),  # special shares are not configured, so not sticky
        }
    ),
)
