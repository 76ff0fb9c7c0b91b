"""What cannot be had is told in one line, is not claimed, and nothing else depends on it."""

import pytest

from gateway.nt.upcase import upcase
from gateway.share.access import Descriptors
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.share.table import MemoryTable
from tests.smb.server import IDMAP
from vfs_backends.api import Capability
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem
from vfs_backends.posix.kinds import FileSystemKind

ELSEWHERE = FileSystemKind("some network", slow=True)


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


async def test_what_is_not_asked_for_does_not_run(tmp_path):
    share = Share("s", storage("directory", tmp_path), MemoryTable(), Descriptors(IDMAP), ShareSettings())
    await share.start()
    assert share.outside is None
    await share.aclose()
