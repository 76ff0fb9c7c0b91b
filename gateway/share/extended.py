"""Extended attributes: how large they may be together, and changing several of them as one.

[MS-FSA] 2.1.5.15.5 (FileFullEaInformation), [MS-SMB2] 3.3.5.9.1 (in CREATE). Names compare without regard to case.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from gateway.nt.constants import FILE_NEED_EA, FILE_NOTIFY_CHANGE_ATTRIBUTES, FILE_NOTIFY_CHANGE_EA
from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_EA_TOO_LARGE,
    STATUS_EAS_NOT_SUPPORTED,
    STATUS_INVALID_EA_NAME,
    StatusError,
)
from gateway.nt.upcase import upcase
from gateway.share.archiving import archive
from gateway.share.listing import entry_changed
from gateway.share.opens import Open
from gateway.share.times import kept_times
from gateway.uncompiled import raise_after
from vfs_backends.api import Capability, Handle, Stat
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import first_effect

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = [
    "attributes_length",
    "check_not_needed",
    "ea_length",
    "entry_attributes_length",
    "known_attributes_length",
    "read_attributes",
    "replace_attributes",
    "set_attribute",
    "set_attributes",
]

Attributes = Sequence[ExtendedAttribute]

_MAX_LENGTH: Final = 65536 - 5
_FIXED: Final = 5
"""What an attribute takes beside its name and value: flags, two lengths, and the end of the name."""
_STATUS_OF_KIND: Final = {
    Kind.TOO_LARGE: STATUS_EA_TOO_LARGE,
    Kind.NAME_INVALID: STATUS_INVALID_EA_NAME,
    Kind.NAME_TOO_LONG: STATUS_INVALID_EA_NAME,
}


def ea_length(attributes: Iterable[ExtendedAttribute]) -> int:
    """What [MS-FSA] 2.1.1.3 calls ExtendedAttributesLength, in bytes."""
    return sum([_FIXED + len(name.encode("utf-8", "surrogateescape")) + len(value) for name, value, _ in attributes])


async def read_attributes(share: "Share", one: Open) -> list[ExtendedAttribute]:
    """All extended attributes of an open file. Raises `VfsError`."""
    if Capability.XATTRS not in share.fs.capabilities:
        return []
    attributes = await _read(one.handle)
    needed = await _needed(one.handle) if attributes else ()
    return [found._replace(flags=FILE_NEED_EA) if upcase(found.name) in needed else found for found in attributes]


async def check_not_needed(share: "Share", handle: Handle) -> None:
    """Raise `StatusError` if the file must not be opened by who knows nothing of EAs. [MS-FSA] 2.1.5.1.2."""
    if Capability.XATTRS in share.fs.capabilities:
        needed = await _needed(handle)
        if needed and any(upcase(name) in needed for name in await handle.list_xattrs()):
            raise StatusError(STATUS_ACCESS_DENIED)


def known_attributes_length(share: "Share", stat: Stat) -> int | None:
    """ExtendedAttributesLength of a file that the storage has just told this of; None if it is not known."""
    return 0 if stat.has_xattrs is False else share.attributes_lengths.get(stat)


async def attributes_length(share: "Share", handle: Handle, stat: Stat) -> int:
    """The same, known or not. Raises `VfsError`."""
    length = known_attributes_length(share, stat)
    if length is None:
        now = time.time_ns()
        length = ea_length(await _read(handle)) if Capability.XATTRS in share.fs.capabilities else 0
        share.attributes_lengths.keep(stat, length, now)
    return length


async def entry_attributes_length(share: "Share", directory: Handle, name: str, stat: Stat) -> int:
    """The same of a name in a directory; 0 if it cannot be looked at (any more)."""
    length = known_attributes_length(share, stat)
    if length is not None:
        return length
    try:
        handle = await share.fs.lookup(directory, name, case_sensitive=True)
        try:
            return await attributes_length(share, handle, stat)
        finally:
            handle.discard()
    except VfsError:
        return 0


async def set_attributes(share: "Share", one: Open, changes: Attributes) -> None:
    """Set, and by an empty value remove, attributes of an open file: all of them, or none. The access was checked.

    Raises `StatusError` (EAS_NOT_SUPPORTED, EA_TOO_LARGE, INVALID_EA_NAME) and `VfsError`. [MS-FSA] 2.1.5.15.5.
    """
    share.enter()
    _check_supported(share)
    before = await _read(one.handle)
    _check_length(_merged(before, changes))
    await _changed(share, one, lambda: _change(one.handle, before, changes))


async def set_attribute(share: "Share", one: Open, name: str, value: bytes | None) -> None:
    """Set one attribute of an open file as setxattr(2) does, where an empty value is one; None removes it.

    The access was checked. Raises `VfsError`.
    """
    share.enter()
    handle = one.handle
    await _changed(share, one, lambda: handle.remove_xattr(name) if value is None else handle.set_xattr(name, value))


async def _changed(share: "Share", one: Open, change: Callable[[], Awaitable[None]]) -> None:
    """Make a change, keep the times that are to be kept, and tell of it."""
    kept = await kept_times(one)
    await first_effect(change())
    await archive(one)
    if kept is not None:
        await one.handle.set_stat(kept)
    await entry_changed(share, one, FILE_NOTIFY_CHANGE_EA | FILE_NOTIFY_CHANGE_ATTRIBUTES)


async def replace_attributes(share: "Share", handle: Handle, attributes: Attributes) -> None:
    """Give a file that is created or overwritten these attributes, and no others. Raises as `set_attributes`."""
    if Capability.XATTRS in share.fs.capabilities:
        _check_length(_merged((), attributes))
        before = await _read(handle)
        if before or attributes:
            wanted = {upcase(one.name) for one in attributes}
            removed = [ExtendedAttribute(one.name, b"") for one in before if upcase(one.name) not in wanted]
            await _change(handle, before, [*removed, *attributes])
    elif attributes:
        _check_supported(share)


def _check_supported(share: "Share") -> None:
    if Capability.XATTRS not in share.fs.capabilities:
        raise StatusError(STATUS_EAS_NOT_SUPPORTED)


def _check_length(attributes: Iterable[ExtendedAttribute]) -> None:
    if ea_length(attributes) > _MAX_LENGTH:
        raise StatusError(STATUS_EA_TOO_LARGE)


def _merged(before: Attributes, changes: Attributes) -> list[ExtendedAttribute]:
    """The attributes after the changes."""
    after = {upcase(one.name): one for one in (*before, *changes)}
    return [one for one in after.values() if one.value]


async def _read(handle: Handle) -> list[ExtendedAttribute]:
    """All of them, without their flags."""
    return [ExtendedAttribute(name, await handle.get_xattr(name)) for name in await handle.list_xattrs()]


async def _needed(handle: Handle) -> frozenset[str]:
    """The names that FILE_NEED_EA was set for, in upper case; there may be some of attributes that are gone."""
    return frozenset(await handle.get_needed_xattrs())


def _needed_after(needed: Collection[str], before: Attributes, changes: Attributes) -> frozenset[str]:
    kept = [one._replace(flags=FILE_NEED_EA) for one in before if upcase(one.name) in needed]
    return frozenset([upcase(one.name) for one in _merged(kept, changes) if one.flags & FILE_NEED_EA])


async def _change(handle: Handle, before: Attributes, changes: Attributes) -> None:
    """Make the changes one after the other; if one fails, take those before it back."""
    try:
        await _change_all(handle, before, changes)
    except VfsError as error:
        status = _STATUS_OF_KIND.get(error.kind)
        if status is None:
            raise
        raise StatusError(status) from error


async def _change_all(handle: Handle, before: Attributes, changes: Attributes) -> None:
    done: list[str] = []
    try:
        needed = await _needed(handle)
        for name, value, _ in changes:
            await _set(handle, name, value)
            done.append(name)
        after = _needed_after(needed, before, changes)
        if after != needed:
            await handle.set_needed_xattrs(sorted(after))
    except VfsError as error:
        ending = raise_after(_take_back(handle, before, done), error)
    else:
        return
    await ending


async def _take_back(handle: Handle, before: Attributes, done: list[str]) -> None:
    values = {upcase(name): value for name, value, _ in before}
    for name in reversed(done):
        with contextlib.suppress(VfsError):  # the first error is the one to report
            await _set(handle, name, values.get(upcase(name), b""))


async def _set(handle: Handle, name: str, value: bytes) -> None:
    if value:
        await handle.set_xattr(name, value)
        return
    try:
        await handle.remove_xattr(name)
    except VfsError as error:
        if error.kind is not Kind.NO_ATTRIBUTE:  # one that is not there is as good as removed
            raise
