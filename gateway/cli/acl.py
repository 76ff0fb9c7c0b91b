"""`smbgate acl`: security descriptors of files, for administrators."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import trio

from acl import ace as a
from acl import descriptor as d
from acl import mask as m
from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.errors import AclError
from acl.sddl import format_sid, parse_sddl, to_sddl
from acl.sid import Sid
from acl.well_known import WELL_KNOWN
from gateway.cli.common import Failure, configuration
from gateway.config import Config
from gateway.rpc.names import SidUse
from gateway.server.acl_files import FileDescriptor, ids_of, names_of, read_descriptor, store_descriptor
from gateway.server.errors import ServerError
from gateway.server.names import SystemNames

__all__ = ["run"]

_NAMED = {
    m.FILE_ALL_ACCESS: "full",
    m.FILE_GENERIC_READ | m.FILE_GENERIC_WRITE | m.FILE_GENERIC_EXECUTE | m.DELETE: "change",
    m.FILE_GENERIC_READ | m.FILE_GENERIC_EXECUTE: "read, execute",
    m.FILE_GENERIC_READ: "read",
    m.FILE_GENERIC_WRITE: "write",
}
_BITS = {
    m.FILE_READ_DATA: "read data",
    m.FILE_WRITE_DATA: "write data",
    m.FILE_APPEND_DATA: "append data",
    m.FILE_READ_EA: "read EA",
    m.FILE_WRITE_EA: "write EA",
    m.FILE_EXECUTE: "execute",
    m.FILE_DELETE_CHILD: "delete child",
    m.FILE_READ_ATTRIBUTES: "read attributes",
    m.FILE_WRITE_ATTRIBUTES: "write attributes",
    m.DELETE: "delete",
    m.READ_CONTROL: "read control",
    m.WRITE_DAC: "write DAC",
    m.WRITE_OWNER: "write owner",
    m.SYNCHRONIZE: "synchronize",
    m.GENERIC_ALL: "generic all",
    m.GENERIC_READ: "generic read",
    m.GENERIC_WRITE: "generic write",
    m.GENERIC_EXECUTE: "generic execute",
}
_TYPES = {a.ACCESS_ALLOWED: "allow", a.ACCESS_DENIED: "deny", a.SYSTEM_AUDIT: "audit"}
_FLAGS = {
    a.OBJECT_INHERIT: "files",
    a.CONTAINER_INHERIT: "directories",
    a.NO_PROPAGATE_INHERIT: "one level",
    a.INHERIT_ONLY: "not here",
    a.INHERITED: "inherited",
    a.SUCCESSFUL_ACCESS: "success",
    a.FAILED_ACCESS: "failure",
}


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments.config)
    try:
        if arguments.action == "set":
            _set(config, arguments.path, arguments.sddl)
        else:
            _get(config, arguments.paths, sddl=arguments.sddl)
    except (ServerError, AclError) as error:
        raise Failure(str(error)) from error
    return 0


def _set(config: Config, path: Path, sddl: str) -> None:
    new = parse_sddl(sddl, ids_of(config).machine)
    parts = (
        (d.OWNER_SECURITY_INFORMATION, new.owner is not None),
        (d.GROUP_SECURITY_INFORMATION, new.group is not None),
        (d.DACL_SECURITY_INFORMATION, new.has_dacl),
        (d.SACL_SECURITY_INFORMATION, bool(new.control & d.SE_SACL_PRESENT)),
    )
    information = sum(bit for bit, is_given in parts if is_given)
    if not information:
        raise Failure("nothing to set: the descriptor has no part O:, G:, D: or S:")
    trio.run(store_descriptor, config, path, new, information)


def _get(config: Config, paths: list[Path], *, sddl: bool) -> None:
    names = names_of(config)
    for number, path in enumerate(paths):
        found = trio.run(read_descriptor, config, path)
        if sddl:
            print(to_sddl(found.governing.descriptor, names.machine))
        else:
            if number:
                print()
            print("\n".join(_lines(path, found, names)))


def _lines(path: Path, found: FileDescriptor, names: SystemNames) -> Iterator[str]:
    governing = found.governing
    descriptor = governing.descriptor
    yield str(path)
    if governing.overrules:
        yield "  descriptor: stored"
    elif governing.is_stored:
        yield f"  descriptor: stored, but the permissions were changed since: {found.policy.value}"
    else:
        yield "  descriptor: none stored; owner, mode and ACL say:"
    yield f"  owner: {_name(descriptor.owner, names)}"
    yield f"  group: {_name(descriptor.group, names)}"
    yield from _list_lines("dacl", descriptor, descriptor.dacl, names)
    if descriptor.control & d.SE_SACL_PRESENT:
        yield from _list_lines("sacl", descriptor, descriptor.sacl, names)


def _list_lines(name: str, descriptor: SecurityDescriptor, acl: Acl | None, names: SystemNames) -> Iterator[str]:
    protected = d.SE_DACL_PROTECTED if name == "dacl" else d.SE_SACL_PROTECTED
    remark = " (protected)" if descriptor.control & protected else ""
    if acl is None:
        yield f"  {name}: none: everybody may do everything" if name == "dacl" else f"  {name}: none"
        return
    yield f"  {name}:{remark}" if len(acl) else f"  {name}: empty{remark}"
    rows = [(_TYPES.get(ace.type, f"type {ace.type}"), _name(ace.sid, names), _rights(ace), _flags(ace)) for ace in acl]
    widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        yield "    " + "  ".join([*cells, row[3]]).rstrip()


def _rights(ace: Ace) -> str:
    if ace.mask in _NAMED:
        return _NAMED[ace.mask]
    names = [name for bit, name in _BITS.items() if ace.mask & bit]
    rest = ace.mask & ~sum(_BITS)
    return ", ".join([*names, f"0x{rest:x}"] if rest or not names else names)


def _flags(ace: Ace) -> str:
    names = [name for bit, name in _FLAGS.items() if ace.flags & bit]
    return f"({', '.join(names)})" if names else ""


def _name(sid: Sid | None, names: SystemNames) -> str:
    """The name of a user, of a group after an `@`, or of what is well known; else the SID."""
    if sid is None:
        return "none"
    named = names.of_sid(sid)
    if named is None or not named.name:
        return format_sid(sid, names.machine)
    if named.use is SidUse.USER:
        return named.name
    if named.sid in WELL_KNOWN:
        return f"{named.domain}\\{named.name}".lstrip("\\")
    return f"@{named.name}"
