"""Streams, times and renaming as the store keeps them, on a share in memory."""

from collections.abc import AsyncIterator

import pytest

from acl.descriptor import DACL_SECURITY_INFORMATION
from acl.idmap import IdMap, machine_sid
from acl.sddl import parse_sddl
from acl.token import Token, user_token
from gateway.nt import constants as nt
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_SHARING_VIOLATION,
    StatusError,
)
from gateway.nt.upcase import upcase
from gateway.share.access import Descriptors
from gateway.share.changing import set_delete, set_size, set_stat
from gateway.share.granting import governing_open
from gateway.share.intent import OpenIntent
from gateway.share.locking import lock, unlock
from gateway.share.memory_table import MemoryTable
from gateway.share.notify import Watch
from gateway.share.opens import Open
from gateway.share.record import LockEntry
from gateway.share.renaming import rename
from gateway.share.securing import set_security
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.share.streams import list_streams, rename_stream, stat_of_file
from gateway.share.times import KEEP_CHANGE_TIME, KEEP_WRITE_TIME
from vfs_backends.api import Stat, StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.memory import MemoryFileSystem

IDS = IdMap(machine_sid(bytes(range(12))))
USER: Token = user_token(IDS.user_sid(1000), [IDS.group_sid(1000)], uid=1000, gid=1000)
ALL, READ, DELETE = 0x001F01FF, 0x00120089, 0x00010000
SHARE_ALL = nt.FILE_SHARE_READ | nt.FILE_SHARE_WRITE | nt.FILE_SHARE_DELETE


def times_of(stat: Stat) -> tuple[int, int, int, int]:
    return stat.atime_ns, stat.mtime_ns, stat.ctime_ns, stat.birthtime_ns


class Clock:
    """Each look at it is a second later."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1_000_000_000
        return self.now


@pytest.fixture
async def share() -> AsyncIterator[Share]:
    fs = MemoryFileSystem(fold=upcase, clock=Clock())
    made = Share("files", fs, MemoryTable(), Descriptors(IDS), ShareSettings())
    await made.start()
    await made.root.set_stat(StatChange(uid=1000, gid=1000))
    yield made
    await made.aclose()
    assert len(made.table) == 0  # type: ignore[arg-type]  # this one can be counted


async def opened(
    share: Share,
    name: str,
    disposition: int = nt.FILE_OPEN_IF,
    *,
    access: int = ALL,
    shares: int = SHARE_ALL,
    options: int = 0,
    attributes: int = 0,
) -> Open:
    path, _, stream = name.partition(":")
    return await share.open(
        OpenIntent(path, access, shares, disposition, options, attributes, stream=stream, owner="client"), USER
    )


async def refused(share: Share, name: str, disposition: int = nt.FILE_OPEN, **options: int) -> int:
    with pytest.raises(StatusError) as caught:
        await opened(share, name, disposition, **options)
    return caught.value.status


async def missing(share: Share, name: str) -> None:
    with pytest.raises(VfsError) as caught:
        await opened(share, name, nt.FILE_OPEN)
    assert caught.value.kind is Kind.NOT_FOUND


async def contents(share: Share, one: Open) -> bytes:
    buffer = bytearray(100)
    return bytes(buffer[: await share.read_into(one, 0, memoryview(buffer))])


async def written(share: Share, name: str, data: bytes) -> None:
    one = await opened(share, name)
    await share.write(one, 0, memoryview(data))
    await share.close(one)


async def names(share: Share, path: str) -> list[str]:
    one = await opened(share, path, nt.FILE_OPEN, access=READ)
    found = sorted(entry.name for entry in await list_streams(share, one))
    await share.close(one)
    return found


async def test_creates_file_and_stream(share: Share) -> None:
    one = await opened(share, "file:One", nt.FILE_CREATE)
    assert (one.action, one.stream, one.path, one.is_directory) == (nt.FILE_CREATED, "ONE", "file", False)
    await share.write(one, 0, memoryview(b"data"))
    assert (await one.handle.stat()).size == 4
    assert (await stat_of_file(share, one)).size == 0
    again = await opened(share, "FILE:one", nt.FILE_OPEN)
    assert again.action == nt.FILE_OPENED
    assert await contents(share, again) == b"data"
    assert await refused(share, "file:ONE", nt.FILE_CREATE) == STATUS_OBJECT_NAME_COLLISION
    await missing(share, "file:two")
    await missing(share, "nothing:one")
    two = await opened(share, "file:two", nt.FILE_OVERWRITE_IF)
    assert two.action == nt.FILE_CREATED
    assert await names(share, "file") == ["One", "two"]


async def test_overwriting(share: Share) -> None:
    await written(share, "file", b"default")
    await written(share, "file:one", b"one")
    one = await opened(share, "file:one", nt.FILE_OVERWRITE)
    assert (one.action, await contents(share, one)) == (nt.FILE_OVERWRITTEN, b"")
    file = await opened(share, "file", nt.FILE_OPEN)
    assert await contents(share, file) == b"default"
    await share.close(one)
    await share.close(file)
    await share.close(await opened(share, "file", nt.FILE_SUPERSEDE))
    assert await names(share, "file") == []


async def test_of_directories(share: Share) -> None:
    await share.close(await opened(share, "dir", options=nt.FILE_DIRECTORY_FILE))
    await written(share, "dir:one", b"1")
    one = await opened(share, "dir:one", nt.FILE_OPEN, options=nt.FILE_NON_DIRECTORY_FILE)
    assert await contents(share, one) == b"1"
    assert await refused(share, "dir:one", options=nt.FILE_DIRECTORY_FILE) == STATUS_NOT_A_DIRECTORY
    assert await refused(share, "dir", options=nt.FILE_NON_DIRECTORY_FILE) == STATUS_FILE_IS_A_DIRECTORY
    with pytest.raises(StatusError) as caught:
        await rename_stream(share, one, "", replace=True)
    assert caught.value.status == STATUS_INVALID_PARAMETER


async def test_each_stream_is_shared_for_itself(share: Share) -> None:
    one = await opened(share, "file:one", shares=0)
    await share.close(await opened(share, "file:two", shares=0))
    await share.close(await opened(share, "file", access=READ, shares=0))
    assert await refused(share, "file:ONE") == STATUS_SHARING_VIOLATION
    # Who may delete the file may delete all of its streams.
    assert await refused(share, "file", access=DELETE) == STATUS_SHARING_VIOLATION
    await share.close(one)
    await share.close(await opened(share, "file", access=DELETE))


async def test_each_stream_is_locked_for_itself(share: Share) -> None:
    await written(share, "file", b"default")
    await written(share, "file:one", b"one")
    one, two = await opened(share, "file:one"), await opened(share, "file:one")
    default = await opened(share, "file")
    entry = LockEntry(one.open_id, 0, 10, True, one.stream)
    await lock(share.table, one, [entry])
    assert await contents(share, default) == b"default"
    with pytest.raises(StatusError):
        await contents(share, two)
    await unlock(share.table, share.lock_waiters, one, [entry])
    assert await contents(share, two) == b"one"


async def test_deleting_a_stream(share: Share) -> None:
    await written(share, "file:one", b"1")
    one = await opened(share, "file:one")
    await set_delete(share, one, True)
    assert await refused(share, "file:one") == STATUS_DELETE_PENDING
    await share.close(await opened(share, "file", nt.FILE_OPEN))
    await share.close(one)
    assert await names(share, "file") == []
    await share.close(await opened(share, "file:two", options=nt.FILE_DELETE_ON_CLOSE))
    assert await names(share, "file") == []


async def test_deleting_the_file(share: Share) -> None:
    await written(share, "file:one", b"1")
    one = await opened(share, "file:one", access=READ)
    await share.close(await opened(share, "file", options=nt.FILE_DELETE_ON_CLOSE))
    assert await contents(share, one) == b"1"
    for name in ("file", "file:one", "file:two"):
        assert await refused(share, name, nt.FILE_OPEN_IF) == STATUS_DELETE_PENDING
    await share.close(one)
    await missing(share, "file")


async def test_renaming_a_stream(share: Share) -> None:
    await written(share, "file:one", b"1")
    await written(share, "file:full", b"2")
    await share.close(await opened(share, "file:empty"))
    one, other = await opened(share, "file:one"), await opened(share, "file:one")
    for name, replace, status in (
        ("FULL", False, STATUS_OBJECT_NAME_COLLISION),
        ("FULL", True, STATUS_INVALID_PARAMETER),
    ):
        with pytest.raises(StatusError) as caught:
            await rename_stream(share, one, name, replace=replace)
        assert caught.value.status == status
    used = await opened(share, "file:empty")
    with pytest.raises(StatusError) as caught:
        await rename_stream(share, one, "empty", replace=True)
    assert caught.value.status == STATUS_ACCESS_DENIED
    await share.close(used)
    await rename_stream(share, one, "Empty", replace=True)
    assert (one.stream, other.stream, one.handle.stream) == ("EMPTY", "EMPTY", "Empty")
    assert await names(share, "file") == ["Empty", "full"]
    assert await contents(share, other) == b"1"
    assert await refused(share, "file:EMPTY", shares=0) == STATUS_SHARING_VIOLATION
    await rename_stream(share, one, "EMPTY", replace=False)
    assert await names(share, "file") == ["EMPTY", "full"]


async def test_a_stream_becomes_the_default_one(share: Share) -> None:
    await written(share, "file:one", b"1")
    one = await opened(share, "file:one")
    await rename_stream(share, one, "", replace=True)
    assert (one.stream, await contents(share, one), await names(share, "file")) == ("", b"1", [])
    await written(share, "file:two", b"2")
    two = await opened(share, "file:two")
    with pytest.raises(StatusError) as caught:
        await rename_stream(share, two, "", replace=True)
    assert caught.value.status == STATUS_INVALID_PARAMETER
    with pytest.raises(StatusError) as caught:
        await rename_stream(share, one, "new", replace=True)
    assert caught.value.status == STATUS_INVALID_PARAMETER


async def test_read_only_files_get_no_streams(share: Share) -> None:
    await share.close(await opened(share, "file", attributes=nt.FILE_ATTRIBUTE_READONLY))
    assert await refused(share, "file:one", nt.FILE_OPEN_IF, access=READ) == STATUS_ACCESS_DENIED


async def test_a_file_with_an_open_stream_is_not_renamed(share: Share) -> None:
    one, file = await opened(share, "file:one"), await opened(share, "file")
    with pytest.raises(StatusError) as caught:
        await rename(share, file, "new", replace=False)
    assert caught.value.status == STATUS_ACCESS_DENIED
    await share.close(one)
    await rename(share, file, "new", replace=False)


async def test_as_posix_means_it_streams_that_share_deletion_are_not_in_the_way(share: Share) -> None:
    one, file = await opened(share, "file:one"), await opened(share, "file")
    await rename(share, file, "new", replace=False, posix=True)
    assert (one.path, (await stat_of_file(share, one)).node_id) == ("new", file.node_id)


async def test_a_directory_stays_though_a_stream_of_it_goes(share: Share) -> None:
    await share.close(await opened(share, "dir", options=nt.FILE_DIRECTORY_FILE))
    one, two = await opened(share, "dir:one"), await opened(share, "dir:one")
    await set_delete(share, one, True)
    assert await refused(share, "dir:one") == STATUS_DELETE_PENDING
    file = await opened(share, "dir/file")
    await rename(share, file, "elsewhere", replace=False)
    await rename(share, file, "dir/back", replace=False)
    await share.close(two)


async def test_what_has_the_files_name_by_now_is_another_file(share: Share) -> None:
    """Who has a stream open of a file that has gone has no rights to the one in its place."""
    one, file = await opened(share, "file:one"), await opened(share, "file")
    await set_delete(share, file, True, posix=True)
    await share.close(file)
    other = await opened(share, "file", nt.FILE_CREATE)
    nobody = parse_sddl("D:P")
    for operation in (
        lambda: stat_of_file(share, one),
        lambda: governing_open(share, one),
        lambda: set_security(share, one, nobody, DACL_SECURITY_INFORMATION),
        lambda: rename_stream(share, one, "", replace=True),
    ):
        with pytest.raises(VfsError) as caught:
            await operation()
        assert caught.value.kind is Kind.STALE
    assert not (await governing_open(share, other)).is_stored
    assert await contents(share, other) == b""


# --- renaming into a directory that is open


@pytest.mark.parametrize(
    ("access", "shares", "expected"),
    [
        (ALL, SHARE_ALL, STATUS_SHARING_VIOLATION),
        (ALL, 0, STATUS_SHARING_VIOLATION),
        (ALL & ~DELETE, 0, STATUS_SHARING_VIOLATION),
        (ALL & ~DELETE, SHARE_ALL, 0),
        (0x00100080, 0, 0),
    ],
)
async def test_renaming_in_an_open_directory(share: Share, access: int, shares: int, expected: int) -> None:
    await opened(share, "dir", access=access, shares=shares, options=nt.FILE_DIRECTORY_FILE)
    file = await opened(share, "dir/file", shares=0)
    if not expected:
        await rename(share, file, "dir/new", replace=False)
        assert file.path == "dir/new"
        return
    with pytest.raises(StatusError) as caught:
        await rename(share, file, "dir/new", replace=False)
    assert caught.value.status == expected


# --- times


async def test_times_that_an_open_keeps(share: Share) -> None:
    one, other = await opened(share, "file"), await opened(share, "file")
    await set_stat(share, one, StatChange(mtime_ns=5, ctime_ns=6))
    one.kept_times = KEEP_WRITE_TIME | KEEP_CHANGE_TIME
    await share.write(one, 0, memoryview(b"data"))
    await set_size(share, one, 2)
    stat = await one.handle.stat()
    assert (stat.mtime_ns, stat.ctime_ns, stat.size) == (5, 6, 2)
    await set_stat(share, one, StatChange(dos_attributes=nt.FILE_ATTRIBUTE_HIDDEN))
    assert (await one.handle.stat()).ctime_ns == 6
    await share.write(other, 0, memoryview(b"data"))
    changed = await one.handle.stat()
    assert changed.mtime_ns > 6
    # What others do stays.
    await share.write(one, 0, memoryview(b"more"))
    assert times_of(await one.handle.stat()) == times_of(changed)
    one.kept_times = 0
    await share.write(one, 0, memoryview(b"last"))
    assert (await one.handle.stat()).mtime_ns > changed.mtime_ns


async def test_watchers_are_told_of_streams(share: Share) -> None:
    await opened(share, "directory", options=nt.FILE_DIRECTORY_FILE, access=READ)
    directory = await opened(share, "directory", options=nt.FILE_DIRECTORY_FILE)
    one = await opened(share, "directory/file:One")
    asked = nt.FILE_NOTIFY_CHANGE_STREAM_NAME | nt.FILE_NOTIFY_CHANGE_STREAM_SIZE | nt.FILE_NOTIFY_CHANGE_STREAM_WRITE
    watches = [
        Watch(directory, what, 1000, recursive=False)
        for what in (asked, nt.FILE_NOTIFY_CHANGE_SIZE, nt.FILE_NOTIFY_CHANGE_LAST_WRITE)
    ]
    for watch in watches:
        share.watches.add(watch)

    def told() -> list[list[tuple[int, str]]]:
        return [[(change.action, change.name) for change in watch.take() or ()] for watch in watches]

    modified = [(nt.FILE_ACTION_MODIFIED_STREAM, "file:One")]
    await share.write(one, 0, memoryview(b"data"))
    assert told() == [modified, [], [(nt.FILE_ACTION_MODIFIED, "file")]]
    await set_size(share, one, 0)
    assert told() == [modified, [], [(nt.FILE_ACTION_MODIFIED, "file")]]
    await rename_stream(share, one, "Two", replace=False)
    assert told() == [
        [(nt.FILE_ACTION_REMOVED_STREAM, "file:One"), (nt.FILE_ACTION_ADDED_STREAM, "file:Two")],
        [],
        [],
    ]
    await rename_stream(share, one, "", replace=True)
    assert told() == [[(nt.FILE_ACTION_REMOVED_STREAM, "file:Two")], [], []]
    for watch in watches:
        share.watches.remove(watch)
