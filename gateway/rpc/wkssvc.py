"""The Workstation Service Remote Protocol: what machine this is ([MS-WKST] 3.2.4.1)."""

from types import MappingProxyType
from uuid import UUID

from gateway.rpc.errors import Win32Error
from gateway.rpc.interface import Call, Interface
from gateway.rpc.ndr import NdrReader, NdrWriter
from gateway.rpc.pdu import SyntaxId

PLATFORM_ID_NT = 500
LEVELS = frozenset({100, 101, 102})
ARMS = LEVELS | {502} | frozenset(range(1010, 1100))
"""Levels that the union has an arm for, always a pointer ([MS-WKST] 2.2.3.1)."""


def net_wksta_get_info(call: Call, reader: NdrReader, writer: NdrWriter) -> None:
    """NetrWkstaGetInfo: level 100 for everybody, 101 for accounts, 102 for administrators ([MS-WKST] 3.2.4.1)."""
    reader.unique_wide_string()
    level = reader.u32()
    error = Win32Error.SUCCESS if level in LEVELS else Win32Error.INVALID_LEVEL
    caller = call.caller
    if (level == 101 and caller.is_anonymous) or (level == 102 and not caller.is_administrator):
        error = Win32Error.ACCESS_DENIED
    writer.u32(level)
    if level in ARMS:
        writer.pointer(None if error else lambda: _write_workstation(writer, call, level))
        writer.flush()
    writer.u32(error)


def _write_workstation(writer: NdrWriter, call: Call, level: int) -> None:
    """WKSTA_INFO_100 to _102 ([MS-WKST] 2.2.5.1 to 2.2.5.3)."""
    server = call.server
    writer.u32(PLATFORM_ID_NT)
    writer.wide_string_pointer(server.netbios_name)
    writer.wide_string_pointer(server.domain)
    major, minor = server.version
    writer.u32(major)
    writer.u32(minor)
    if level == 100:
        return
    writer.wide_string_pointer("")  # lanroot
    if level == 102:
        writer.u32(0)  # nobody is logged on at the machine itself


WKSSVC = Interface(
    pipe_name="wkssvc",
    syntax=SyntaxId(UUID("6bffd098-a112-3610-9833-46c3f87e345a"), 1),
    operations=MappingProxyType({0: net_wksta_get_info}),
)
