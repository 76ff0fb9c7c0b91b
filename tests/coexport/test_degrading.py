"""What cannot be had is told in one line, is not claimed, and nothing else depends on it."""

import os

import pytest

from acl.mask import FILE_READ_DATA
from gateway.auth.policy import Identity
from gateway.nt.upcase import upcase
from gateway.share import outside_changes
from gateway.share.access import Descriptors
from gateway.share.leases import HANDLE_CACHING, READ_CACHING, Break, LeaseRequest
from gateway.share.memory_table import MemoryTable
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from tests.share.stores import intent
from tests.smb.server import IDMAP, token_of
from vfs_backends.api import Capability, StatChange
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem
from vfs_backends.posix.kinds import FileSystemKind

ELSEWHERE = FileSystemKind("some network", slow=True)


class Holder:
    """A client that is told nothing."""

    def broken(self, told: Break, *, since: float | None = None) -> object | None:
        return self


def storage(name, path):
    if name == "memory":
        return MemoryFileSystem(fold=upcase)
    return PosixFileSystem(path, fold=upcase, kind=ELSEWHERE if name == "network" else None, leases=True)


@pytest.mark.parametrize(
    ("setting", "parameter", "capability"),
    [
        ("kernel_notify", "kernel notify", Capability.WATCH),
        ("kernel_locks", "kernel locks", Capability.KERNEL_LOCKS),
        ("kernel_share_modes", "kernel share modes", Capability.GUARD),
        ("kernel_leases", "kernel leases", Capability.KERNEL_LEASES),
    ],
)
@pytest.mark.parametrize(("name", "is_able"), [("memory", False), ("network", False), ("directory", True)])
async def test_a_storage_that_cannot(tmp_path, caplog, setting, parameter, capability, name, is_able):
    settings = ShareSettings(**{setting: True})
    share = Share("s", storage(name, tmp_path), MemoryTable(), Descriptors(IDMAP), settings)
    await share.start()
    told = [record.getMessage() for record in caplog.records if f"`{parameter}`" in record.getMessage()]
    assert len(told) == (0 if is_able else 1), told
    assert bool(capability & share.fs.capabilities) == is_able
    await share.aclose()


@pytest.mark.parametrize(
    ("name", "most", "granted"), [("directory", 8192, 3), ("directory", 0, 0), ("memory", 8192, 0)]
)
async def test_no_lease_on_a_directory_that_is_not_watched(tmp_path, monkeypatch, name, most, granted):
    """Others would change it unseen."""
    monkeypatch.setattr(outside_changes, "_MOST", most)
    settings = ShareSettings(kernel_notify=True)
    share = Share("s", storage(name, tmp_path), MemoryTable(), Descriptors(IDMAP), settings)
    await share.start()
    await share.root.set_stat(StatChange(uid=os.geteuid(), gid=os.getegid()))
    one = await share.open(
        intent("", access=FILE_READ_DATA, lease_key=bytes(15) + b"k"), token_of(Identity("alice", "", "", b""))
    )
    request = LeaseRequest(READ_CACHING | HANDLE_CACHING, 2, is_directory=True)
    assert (await share.grant(one, request, Holder())).state == granted
    await share.aclose()


async def test_what_is_not_asked_for_does_not_run(tmp_path):
    share = Share("s", storage("directory", tmp_path), MemoryTable(), Descriptors(IDMAP), ShareSettings())
    await share.start()
    assert share.outside is None
    await share.aclose()
