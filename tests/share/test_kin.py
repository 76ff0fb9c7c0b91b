"""Shares with files in common: what is done by one of them is seen in the others."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.auth.policy import Identity
from gateway.nt.constants import (
    FILE_ACTION_ADDED,
    FILE_ACTION_REMOVED,
    FILE_ACTION_RENAMED_NEW_NAME,
    FILE_ACTION_RENAMED_OLD_NAME,
    FILE_DIRECTORY_FILE,
    FILE_NOTIFY_CHANGE_FILE_NAME,
)
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError
from gateway.nt.upcase import upcase
from gateway.share.access import Descriptors
from gateway.share.changing import set_delete
from gateway.share.kin import Family, places
from gateway.share.memory_table import MemoryTable
from gateway.share.notify import Change, Watch
from gateway.share.opens import Open
from gateway.share.renaming import rename
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from tests.share.stores import intent
from tests.smb.server import IDMAP, token_of
from vfs_backends.posix import PosixFileSystem

ALICE = token_of(Identity("alice", "", "", b""))


class Shares(NamedTuple):
    upper: Share
    lower: Share
    """Its root is the directory `sub` of the other."""
    twin: Share
    """Its root is that of the lower one."""


@pytest.fixture
async def shares(tmp_path: Path) -> AsyncIterator[Shares]:
    (tmp_path / "sub").mkdir()
    table, family = MemoryTable(), Family()
    made = []
    for name, path in (("upper", tmp_path), ("lower", tmp_path / "sub"), ("twin", tmp_path / "sub")):
        fs = PosixFileSystem(path, fold=upcase)
        share = Share(name, fs, table, Descriptors(IDMAP), ShareSettings(), family=family, directory=str(path))
        await share.start()
        made.append(share)
    yield Shares(*made)
    for share in made:
        await share.aclose()
        assert share.kin == []
    assert list(table.keys()) == []


async def opened(share: Share, path: str, **how) -> Open:
    return await share.open(intent(path, owner="client", **how), ALICE)


async def watched(share: Share, path: str) -> Watch:
    directory = await opened(share, path, options=FILE_DIRECTORY_FILE, access=1)
    watch = Watch(directory, FILE_NOTIFY_CHANGE_FILE_NAME, 4096, recursive=True)
    share.watches.add(watch)
    return watch


async def test_where_paths_lead(shares: Shares) -> None:
    upper, lower, twin = shares
    assert list(places(upper, "other/file")) == [(upper, "other/file")]
    assert list(places(upper, "sub/file")) == [(upper, "sub/file"), (lower, "file"), (twin, "file")]
    assert list(places(upper, "sub")) == [(upper, "sub"), (lower, ""), (twin, "")]
    assert list(places(upper, "subway")) == [(upper, "subway")]
    assert list(places(upper, "")) == [(upper, ""), (lower, ""), (twin, "")]
    assert list(places(lower, "file")) == [(lower, "file"), (upper, "sub/file"), (twin, "file")]


async def test_all_who_watch_are_told(shares: Shares) -> None:
    watches = [
        await watched(shares.upper, ""),
        await watched(shares.upper, "sub"),
        await watched(shares.lower, ""),
        await watched(shares.twin, ""),
    ]
    for share, prefix in ((shares.upper, "sub/"), (shares.lower, ""), (shares.twin, "")):
        assert share.watches
        one = await opened(share, f"{prefix}file")
        await rename(share, one, f"{prefix}new", replace=False)
        await set_delete(share, one, True)
        await share.close(one)
        for watch, above in zip(watches, ("sub/", "", "", ""), strict=True):
            assert watch.take() == [
                Change(FILE_ACTION_ADDED, f"{above}file"),
                Change(FILE_ACTION_RENAMED_OLD_NAME, f"{above}file"),
                Change(FILE_ACTION_RENAMED_NEW_NAME, f"{above}new"),
                Change(FILE_ACTION_REMOVED, f"{above}new"),
            ]


async def test_what_is_open_is_found_under_its_new_name(shares: Shares, tmp_path: Path) -> None:
    one, other = await opened(shares.lower, "file"), await opened(shares.upper, "sub/file")
    await rename(shares.upper, other, "sub/new", replace=False)
    assert one.path == "new"
    await set_delete(shares.lower, one, True)
    await shares.upper.close(other)
    await shares.lower.close(one)
    assert list((tmp_path / "sub").iterdir()) == []


async def test_a_directory_stays_in_which_something_is_open(shares: Shares) -> None:
    await shares.lower.close(await opened(shares.lower, "directory", options=FILE_DIRECTORY_FILE))
    below = await opened(shares.lower, "directory/file")
    for share, path in (
        (shares.upper, "sub"),
        (shares.upper, "sub/directory"),
        (shares.twin, "directory"),
    ):
        directory = await opened(share, path, options=FILE_DIRECTORY_FILE)
        with pytest.raises(StatusError) as caught:
            await rename(share, directory, "moved", replace=False)
        assert caught.value.status == STATUS_ACCESS_DENIED
        await share.close(directory)
    await shares.lower.close(below)
