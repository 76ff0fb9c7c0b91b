"""Acting with the rights of others, which takes root."""

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.requirements import Need, needs, skip_unless
from vfs_backends.api import Caller, Capability, IoAccess, StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import run_inline
from vfs_backends.posix import PosixFileSystem, identity, volume
from vfs_backends.posix.identity import act_as
from vfs_backends.posix.kinds import FileSystemKind
from vfs_backends.posix.sidestore import NAME

pytestmark = needs(Need.ROOT)

READ = IoAccess.READ
ALICE = Caller(7001, 7101, (7101, 7200))
BOB = Caller(7002, 7102, (7102,))


@pytest.fixture
async def fs(tmp_path: Path) -> PosixFileSystem:
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(0o755)
    file_system = PosixFileSystem(root, fold=str.casefold)
    await file_system.start()
    return file_system


def own_ids() -> list[str]:
    with open("/proc/thread-self/status") as status:
        return [line.split()[4] for line in status if line.startswith(("Uid:", "Gid:"))]


def test_the_thread_has_its_own_rights_back() -> None:
    assert act_as(ALICE, own_ids) == ["7001", "7101"]
    assert own_ids()[0] == "0"

    def fail() -> None:
        raise ValueError("of the call")

    with pytest.raises(ValueError, match="of the call"):
        act_as(BOB, fail)
    assert own_ids()[0] == "0"
    assert os.getgroups() is not None


def test_other_threads_are_not_touched(tmp_path: Path) -> None:
    async def main() -> list[str]:
        def beside() -> list[str]:
            return trio.from_thread.run_sync(own_ids)

        return await trio.to_thread.run_sync(lambda: act_as(ALICE, beside))

    assert trio.run(main)[0] == "0"


def test_groups_count(tmp_path: Path) -> None:
    path = tmp_path / "of-the-group"
    path.write_text("x")
    os.chown(path, 0, 7200)
    path.chmod(0o640)
    tmp_path.chmod(0o755)
    directory = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    try:
        for caller, may in ((ALICE, True), (BOB, False), (ALICE, True)):
            try:
                os.close(act_as(caller, lambda: os.open("of-the-group", os.O_RDONLY, dir_fd=directory)))
                assert may
            except PermissionError:
                assert not may
    finally:
        os.close(directory)


def test_what_cannot_be_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(number: int) -> int:
        return 0

    monkeypatch.setattr(identity, "_setfsuid", never)
    with pytest.raises(PermissionError, match="cannot act as user 7009"):
        act_as(Caller(7009, 7009), own_ids)


def test_the_process_ends_if_it_stays_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        pass

    def end(status: int) -> None:
        raise Ended(status)

    real: Callable[[int], int] = identity._setfsuid
    stuck = [True]

    def sticky(number: int) -> int:
        return real(-1) if number == 0 and stuck[0] else real(number)

    monkeypatch.setattr(identity, "_setfsuid", sticky)
    monkeypatch.setattr(os, "_exit", end)
    try:
        with pytest.raises(Ended):
            act_as(ALICE, own_ids)
    finally:
        stuck[0] = False
        real(0)
    assert own_ids()[0] == "0"


async def test_the_kernel_judges_the_caller(fs: PosixFileSystem) -> None:
    assert Capability.CALLERS in fs.capabilities
    top = await fs.root()
    await top.set_stat(StatChange(mode=0o1777))
    mine = await fs.create_file(top, "mine", 0o600, READ, ALICE)
    stat = await mine.stat()
    assert (stat.uid, stat.gid, stat.mode & 0o777) == (7001, 7101, 0o600)
    for_bob = await fs.lookup(top, "mine", caller=BOB)
    await refused(for_bob.open_io(READ, BOB))
    await for_bob.open_io(READ, ALICE)
    await refused(fs.remove(top, "mine", mine, BOB))
    await refused(fs.rename(top, "mine", top, "yours", mine, replace=False, caller=BOB))
    await fs.rename(top, "mine", top, "still mine", mine, replace=False, caller=ALICE)
    await fs.remove(top, "still mine", mine, ALICE)
    for handle in (mine, for_bob, top):
        await handle.aclose()
    await fs.aclose()


async def test_who_finds_a_file_to_open_it_is_judged_once(fs: PosixFileSystem, became: list[int]) -> None:
    top = await fs.root()
    await (await fs.create_file(top, "file", 0o600, READ, Caller(ALICE.uid, ALICE.gid, overrules=True))).aclose()
    became.clear()

    async def open_at_once(finder: Caller, opener: Caller, access: IoAccess = READ) -> None:
        found = await fs.find(top, "file", caller=finder, opening=READ)
        assert found is not None
        try:
            await found.open_io(access, opener)
            assert await found.read_into(0, memoryview(bytearray(1))) == 0
        finally:
            found.discard()

    run_inline(open_at_once(ALICE, ALICE))
    assert became == [ALICE.uid]
    overruling = Caller(ALICE.uid, ALICE.gid, ALICE.groups, overrules=True)
    run_inline(open_at_once(ALICE, overruling))
    assert became == [ALICE.uid] * 2
    # Not for others, nor for more than was asked; and who is refused hears it from the storage when it is opened.
    for finder, opener, access in ((ALICE, BOB, READ), (BOB, BOB, READ), (BOB, ALICE, READ)):
        became.clear()
        if opener is ALICE:
            run_inline(open_at_once(finder, opener, access))
        else:
            with pytest.raises(VfsError) as caught:
                run_inline(open_at_once(finder, opener, access))
            assert caught.value.kind is Kind.ACCESS_DENIED
        assert became == [finder.uid, opener.uid]
    await top.aclose()
    await fs.aclose()


async def test_what_was_allowed_once_does_not_last(fs: PosixFileSystem, became: list[int]) -> None:
    top = await fs.root()
    await (await fs.create_file(top, "file", 0o600, READ, Caller(ALICE.uid, ALICE.gid, overrules=True))).aclose()
    found = run_inline(fs.find(top, "file", caller=ALICE, opening=READ))
    assert found is not None
    await found.set_stat(StatChange(mode=0))
    became.clear()
    await refused(found.open_io(READ, ALICE))  # the pass has ended meanwhile
    assert became == [ALICE.uid]
    await found.aclose()
    await top.aclose()
    await fs.aclose()


async def test_who_overrules_is_not_refused(fs: PosixFileSystem) -> None:
    top = await fs.root()
    await refused(fs.create_file(top, "file", 0o600, READ, BOB))
    overruling = Caller(BOB.uid, BOB.gid, BOB.groups, overrules=True)
    file = await fs.create_file(top, "file", 0o600, READ, overruling)
    assert (await file.stat()).uid == BOB.uid
    await file.set_stat(StatChange(mode=0))
    await file.open_io(READ, overruling)
    await refused(fs.rename(top, "file", top, "other", file, replace=False, caller=BOB))
    await fs.rename(top, "file", top, "other", file, replace=False, caller=overruling)
    await fs.remove(top, "other", file, overruling)
    await file.aclose()
    await top.aclose()
    await fs.aclose()


async def test_the_way_is_the_callers(fs: PosixFileSystem) -> None:
    top = await fs.root()
    closed = await fs.create_directory(top, "Closed", 0o700, Caller(ALICE.uid, ALICE.gid, overrules=True))
    await (await fs.create_file(closed, "File", 0o644, READ, ALICE)).aclose()
    for path in ("Closed/File", "closed/file"):
        await refused(fs.lookup(top, path, caller=BOB))
        found = await fs.lookup(top, path, caller=ALICE)
        assert found.path == "Closed/File"
        await found.aclose()
    await closed.aclose()
    await top.aclose()
    await fs.aclose()


async def test_where_streams_are_kept_is_hidden_from_callers(fs: PosixFileSystem, tmp_path: Path) -> None:
    (tmp_path / "root" / NAME).mkdir(mode=0o755)
    (tmp_path / "root" / NAME / "file").touch()
    top = await fs.root()
    for path in (NAME, NAME.upper(), f"{NAME}/file"):
        assert await fs.find(top, path, caller=BOB) is None
    await top.aclose()
    await fs.aclose()


async def test_names_that_are_not_there(fs: PosixFileSystem) -> None:
    top = await fs.root()
    assert await fs.find(top, "missing", caller=BOB) is None
    with pytest.raises(VfsError) as caught:
        await fs.find(top, "missing/file", caller=BOB)
    assert caught.value.kind is Kind.PATH_NOT_FOUND
    await top.aclose()
    await fs.aclose()


async def test_quotas_of_others_bind(fs: PosixFileSystem) -> None:
    def effective() -> int:
        with open("/proc/thread-self/status") as status:
            return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))

    assert not effective() >> 24 & 1
    await fs.aclose()


async def test_posix_acls(fs: PosixFileSystem) -> None:
    skip_unless(Capability.POSIX_ACLS in fs.capabilities, Need.ACLS)
    top = await fs.root()
    file = await fs.create_file(top, "file", 0o600, READ)
    assert await file.get_posix_acls() == (None, None)
    acl = bytes.fromhex(
        "02000000 01000600ffffffff 02000400591b0000 04000000ffffffff 10000400ffffffff 20000000ffffffff".replace(" ", "")
    )
    await file.set_posix_acls(acl, None)
    assert await file.get_posix_acls() == (acl, None)
    assert (await file.stat()).mode & 0o777 == 0o640
    await (await fs.lookup(top, "file")).open_io(READ, ALICE)
    await file.set_posix_acls(None, None)
    assert await file.get_posix_acls() == (None, None)
    await file.aclose()
    await top.aclose()
    await fs.aclose()


@pytest.mark.parametrize("getxattrat", [True, pytest.param(False, marks=pytest.mark.replaces)])
@pytest.mark.parametrize("lists", [True, False])
async def test_permissions_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, getxattrat: bool, lists: bool
) -> None:
    if not getxattrat:
        monkeypatch.setattr("vfs_backends.posix.volume.has_getxattrat", lambda fd: False)
    kind = None if lists else FileSystemKind("unknown")
    fs = PosixFileSystem(tmp_path, fold=str.casefold, kind=kind)
    await fs.start()
    skip_unless(Capability.POSIX_ACLS in fs.capabilities, Need.ACLS)
    top = await fs.root()
    acl = bytes.fromhex(
        "02000000 01000600ffffffff 02000400591b0000 04000000ffffffff 10000400ffffffff 20000000ffffffff".replace(" ", "")
    )
    file = await fs.create_file(top, "file", 0o600, READ)
    directory = await fs.create_directory(top, "directory", 0o700)
    await file.set_xattr("other", b"1")
    assert await file.get_permissions(security=True, acls=True) == (None, None, None)
    await file.set_posix_acls(acl, None)
    await directory.set_posix_acls(acl, acl)
    await file.set_security(b"blob")
    for one, default in ((file, None), (directory, acl)):
        found = await fs.lookup(top, one.path)
        for handle in (one, found):
            blob = None if one is directory else b"blob"
            assert await handle.get_permissions(security=True, acls=True) == (blob, acl, default)
            assert await handle.get_permissions(security=True, acls=False) == (blob, None, None)
        await found.aclose()
        await one.aclose()
    await top.aclose()
    await fs.aclose()


@pytest.mark.replaces
@pytest.mark.parametrize("getxattrat", [True, False])
async def test_permissions_are_asked_for_with_the_attributes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, getxattrat: bool
) -> None:
    asked = []

    def count(call: Callable[..., bytes | int]) -> Callable[..., bytes | int]:
        def counted(*args: object, **named: object) -> bytes | int:
            asked.append(call.__name__)
            return call(*args, **named)

        return counted

    if not getxattrat:
        monkeypatch.setattr(volume, "has_getxattrat", lambda fd: False)
    for name in ("list_xattrs_at", "list_xattrs", "get_xattr_at", "get_xattr"):
        monkeypatch.setattr(volume, name, count(getattr(volume, name)))
    fs = PosixFileSystem(tmp_path, fold=str.casefold)
    await fs.start()
    skip_unless(Capability.POSIX_ACLS in fs.capabilities, Need.ACLS)
    top = await fs.root()
    for name in ("plain", "other"):
        await (await fs.create_file(top, name, 0o600, READ)).aclose()
    other = await fs.lookup(top, "other")
    await other.set_stat(StatChange(dos_attributes=3))
    await other.set_security(b"blob")
    await trio.sleep(0.1)  # until what is found out of them can be kept
    asked.clear()
    plain = await fs.lookup(top, "plain")
    assert (await plain.stat_found()).dos_attributes is None
    assert await plain.get_permissions(security=True, acls=True) == (None, None, None)
    assert len(asked) == 1
    found = await fs.lookup(top, "other")
    assert (await found.stat_found()).dos_attributes == 3
    assert await found.get_permissions(security=True, acls=True) == (b"blob", None, None)
    assert len(asked) == 4

    again = await fs.lookup(top, "plain")
    await again.stat_found()
    await plain.set_security(b"new")
    await again.stat()
    assert await again.get_permissions(security=True, acls=True) == (b"new", None, None)
    for handle in (plain, other, found, again, top):
        await handle.aclose()
    await fs.aclose()


async def refused(operation: Coroutine[Any, Any, object]) -> None:
    with pytest.raises(VfsError) as caught:
        await operation
    assert caught.value.kind is Kind.ACCESS_DENIED
