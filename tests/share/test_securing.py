"""Descriptors that are stored, inherited, set, and heeded."""

import json
import logging
import os
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from acl import mask as m
from acl.ace import (
    CONTAINER_INHERIT,
    FAILED_ACCESS,
    INHERIT_ONLY,
    OBJECT_INHERIT,
    SUCCESSFUL_ACCESS,
    SYSTEM_AUDIT,
    Ace,
    Acl,
    allow,
    deny,
)
from acl.descriptor import (
    DACL_SECURITY_INFORMATION,
    GROUP_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION,
    SACL_SECURITY_INFORMATION,
    SE_DACL_PRESENT,
    SecurityDescriptor,
)
from acl.ntacl_xattr import Policy, parse_ntacl
from acl.sid import CREATOR_OWNER, EVERYONE, OWNER_RIGHTS, SYSTEM, Sid
from acl.token import ADMINISTRATOR_PRIVILEGES, SE_BACKUP, SE_TAKE_OWNERSHIP
from gateway.nt import constants as nt
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_OWNER,
    STATUS_PRIVILEGE_NOT_HELD,
    StatusError,
)
from gateway.share.changing import set_delete
from gateway.share.granting import maximal_access
from gateway.share.renaming import rename
from gateway.share.securing import set_security
from gateway.share.settings import ShareSettings
from tests.requirements import Need, need, needs, skip_unless
from tests.share.secured import ALICE, BOB, CAROL, DEVS, IDMAP, STAFF, Secured, sd, token
from vfs_backends.api import Capability, StatChange
from vfs_backends.errors import VfsError

FULL = m.FILE_ALL_ACCESS
BOTH = OBJECT_INHERIT | CONTAINER_INHERIT
FOREIGN = Sid.from_string("S-1-5-21-1-2-3-4")


@pytest.fixture(params=["memory", "posix"])
async def secured(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Secured]:
    if request.param == "posix":
        need(Need.ROOT)
    made = await Secured(tmp_path if request.param == "posix" else None).start()
    yield made
    await made.stop()


async def refused(status: int, operation: Coroutine[Any, Any, object]) -> None:
    with pytest.raises(StatusError) as caught:
        await operation
    assert caught.value.status == status


async def test_what_is_asked_for_at_creation_counts(secured: Secured) -> None:
    wanted = sd(allow(BOB.user, m.FILE_GENERIC_READ), allow(ALICE.user, FULL))
    one = await secured.make("file", ALICE, security=wanted)
    got = await secured.descriptor(one)
    assert got.dacl == wanted.dacl
    assert await secured.attempt("file", BOB, m.FILE_READ_DATA) == 0
    assert await secured.attempt("file", BOB, m.FILE_WRITE_DATA) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", CAROL, m.FILE_READ_DATA) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", CAROL, m.ACCESS_SYSTEM_SECURITY) == STATUS_PRIVILEGE_NOT_HELD
    assert await maximal_access(secured.share, BOB, one) & FULL == m.FILE_GENERIC_READ


async def test_rights_that_a_mode_cannot_say(secured: Secured) -> None:
    """What the kernel would refuse, a stored descriptor grants: it is the mode that is only what is left of it."""
    one = await secured.make("file", ALICE, security=sd(allow(BOB.user, m.FILE_WRITE_DATA | m.SYNCHRONIZE)))
    assert (await one.handle.stat()).mode & 0o77 == 0
    writing = await secured.open("file", BOB, m.FILE_WRITE_DATA)
    await secured.share.write(writing, 0, memoryview(b"by bob"))
    assert (await one.handle.stat()).size == 6
    assert await secured.attempt("file", BOB, m.FILE_APPEND_DATA) == STATUS_ACCESS_DENIED
    await secured.share.close(writing)


async def test_inheritance(secured: Secured) -> None:
    passed_on = sd(
        allow(ALICE.user, FULL),
        allow(CREATOR_OWNER, FULL, BOTH | INHERIT_ONLY),
        allow(IDMAP.group_sid(STAFF), m.FILE_GENERIC_READ | m.FILE_GENERIC_EXECUTE | m.FILE_ADD_FILE, BOTH),
    )
    await secured.make("directory", ALICE, directory=True, security=passed_on)
    one = await secured.make("directory/file", BOB)
    got = await secured.descriptor(one)
    assert got.owner == BOB.user
    assert got.dacl is not None
    assert [(ace.sid, ace.flags) for ace in got.dacl] == [(BOB.user, 0), (IDMAP.group_sid(STAFF), 0)]
    if secured.root is not None:
        stat = await one.handle.stat()
        # No more than the descriptor: the group may read and execute, but not add to it, and write in part only.
        assert (stat.uid, stat.mode & 0o777) == (BOB.uid, 0o750)
    await refused(STATUS_ACCESS_DENIED, secured.make("directory/mine", CAROL))


async def test_nothing_to_inherit(secured: Secured) -> None:
    """Then a new file is its owner's alone: no directory with a descriptor bars the way to it."""
    await secured.make("directory", ALICE, directory=True, security=sd(allow(EVERYONE, FULL)))
    one = await secured.make("directory/file", BOB)
    got = await secured.descriptor(one)
    assert got.dacl is not None
    assert [ace.sid for ace in got.dacl] == [BOB.user, SYSTEM]
    assert await secured.attempt("directory/file", ALICE, m.READ_CONTROL) == STATUS_ACCESS_DENIED
    if secured.root is not None:
        assert (await one.handle.stat()).mode & 0o777 == 0o700


async def test_a_mode_governs_where_nothing_is_stored(secured: Secured) -> None:
    one = await secured.make("file", ALICE)
    assert await one.handle.get_security() is None
    assert not (await secured.share.descriptors.governing(one.handle, await one.handle.stat())).is_stored
    assert await secured.attempt("file", BOB, m.FILE_READ_DATA) == 0
    assert await secured.attempt("file", BOB, m.FILE_WRITE_DATA) == STATUS_ACCESS_DENIED


async def test_setting(secured: Secured) -> None:
    one = await secured.make("file", ALICE)
    wanted = sd(deny(BOB.user, m.GENERIC_WRITE), allow(EVERYONE, m.GENERIC_ALL))
    await set_security(secured.share, one, wanted, DACL_SECURITY_INFORMATION)
    got = await secured.descriptor(one)
    assert got.dacl == Acl.of(deny(BOB.user, m.FILE_GENERIC_WRITE), allow(EVERYONE, FULL))
    assert await secured.attempt("file", BOB, m.FILE_READ_DATA) == 0
    assert await secured.attempt("file", BOB, m.READ_CONTROL) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", CAROL, m.FILE_WRITE_DATA) == 0
    await set_security(secured.share, one, SecurityDescriptor(), DACL_SECURITY_INFORMATION)
    null = await secured.descriptor(one)
    assert null.dacl is None
    assert null.control & SE_DACL_PRESENT
    assert await secured.attempt("file", BOB, FULL) == 0


async def test_reading_is_denied_by_parts(secured: Secured) -> None:
    one = await secured.make("file", ALICE)
    wanted = sd(deny(BOB.user, m.FILE_WRITE_DATA), allow(EVERYONE, FULL))
    await set_security(secured.share, one, wanted, DACL_SECURITY_INFORMATION)
    assert await secured.attempt("file", BOB, m.FILE_READ_DATA) == 0
    assert await secured.attempt("file", BOB, m.FILE_WRITE_DATA) == STATUS_ACCESS_DENIED


async def test_owners(secured: Secured) -> None:
    one = await secured.make("file", ALICE)
    theirs = SecurityDescriptor(BOB.user)
    await refused(STATUS_INVALID_OWNER, set_security(secured.share, one, theirs, OWNER_SECURITY_INFORMATION))
    taker = token(7002, STAFF, privileges=SE_TAKE_OWNERSHIP)
    taking = await secured.open("file", taker, m.WRITE_OWNER)
    await set_security(secured.share, taking, theirs, OWNER_SECURITY_INFORMATION)
    assert (await secured.descriptor(one)).owner == BOB.user
    if secured.root is not None:
        assert (await one.handle.stat()).uid == BOB.uid
    group = SecurityDescriptor(None, IDMAP.group_sid(DEVS))
    await set_security(secured.share, one, group, GROUP_SECURITY_INFORMATION)
    assert (await secured.descriptor(one)).group == IDMAP.group_sid(DEVS)
    await refused(
        STATUS_INVALID_OWNER, secured.make("other", ALICE, security=SecurityDescriptor(FOREIGN, None, Acl.of()))
    )


async def test_owner_rights(secured: Secured) -> None:
    one = await secured.make("file", ALICE, security=sd(allow(OWNER_RIGHTS, m.FILE_READ_DATA)))
    assert await secured.attempt("file", ALICE, m.FILE_READ_DATA) == 0
    assert await secured.attempt("file", ALICE, m.WRITE_DAC) == STATUS_ACCESS_DENIED
    await secured.share.close(one)


async def test_deletion_through_the_directory(secured: Secured) -> None:
    keeps = sd(allow(ALICE.user, FULL), allow(BOB.user, m.FILE_DELETE_CHILD | m.FILE_TRAVERSE))
    await secured.make("directory", ALICE, directory=True, security=keeps)
    await secured.share.close(await secured.make("directory/file", ALICE, security=sd(allow(ALICE.user, FULL))))
    assert await secured.attempt("directory/file", BOB, m.FILE_READ_DATA) == STATUS_ACCESS_DENIED
    deleting = await secured.open("directory/file", BOB, m.DELETE)
    await set_delete(secured.share, deleting, True)
    await secured.share.close(deleting)
    with pytest.raises(VfsError):
        await secured.attempt("directory/file", ALICE, m.FILE_READ_DATA)


async def test_deletion_by_the_file(secured: Secured) -> None:
    """DELETE on the file is enough, though its directory grants nothing, and the kernel asks only that."""
    await secured.make("directory", ALICE, directory=True, security=sd(allow(ALICE.user, FULL)))
    one = await secured.make("directory/file", ALICE, security=sd(allow(BOB.user, m.DELETE)))
    await secured.share.close(one)
    deleting = await secured.open("directory/file", BOB, m.DELETE, options=nt.FILE_DELETE_ON_CLOSE)
    await secured.share.close(deleting)
    with pytest.raises(VfsError):
        await secured.attempt("directory/file", ALICE, m.FILE_READ_DATA)


async def test_ones_own_file_in_a_directory_that_posix_governs(secured: Secured) -> None:
    one = await secured.make("file", ALICE)
    await secured.share.close(one)
    await secured.share.root.set_stat(StatChange(uid=0, gid=0))
    await secured.share.root.set_stat(StatChange(mode=0o755))
    assert await secured.attempt("file", ALICE, m.FILE_WRITE_DATA) == 0
    assert await secured.attempt("file", ALICE, m.DELETE) == STATUS_ACCESS_DENIED


async def test_renaming_takes_rights_in_both_directories(secured: Secured) -> None:
    for name, dacl in (("from", allow(EVERYONE, FULL, BOTH)), ("to", allow(EVERYONE, m.FILE_GENERIC_READ))):
        await secured.share.close(await secured.make(name, ALICE, directory=True, security=sd(dacl)))
    one = await secured.make("from/file", BOB)
    await refused(STATUS_ACCESS_DENIED, rename(secured.share, one, "to/file", replace=False))
    await rename(secured.share, one, "from/other", replace=False)
    assert one.path == "from/other"


async def test_backup_intent(secured: Secured) -> None:
    one = await secured.make("file", ALICE, security=sd(allow(ALICE.user, FULL)))
    operator = token(7003, 7203, privileges=SE_BACKUP)
    assert await secured.attempt("file", operator, m.FILE_READ_DATA) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", operator, m.FILE_READ_DATA, nt.FILE_OPEN_FOR_BACKUP_INTENT) == 0
    assert (
        await secured.attempt("file", CAROL, m.FILE_READ_DATA, nt.FILE_OPEN_FOR_BACKUP_INTENT) == STATUS_ACCESS_DENIED
    )
    await secured.share.close(one)


async def test_audit(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.audit")
    admin = token(7001, STAFF, privileges=ADMINISTRATOR_PRIVILEGES)
    one = await secured.make("file", admin, security=sd(allow(ALICE.user, FULL)))
    both = SUCCESSFUL_ACCESS | FAILED_ACCESS
    wanted = SecurityDescriptor(sacl=Acl.of(Ace(SYSTEM_AUDIT, both, m.FILE_WRITE_DATA, EVERYONE)))
    await set_security(secured.share, one, wanted, SACL_SECURITY_INFORMATION)
    assert (await secured.descriptor(one)).sacl == wanted.sacl
    caplog.clear()
    assert await secured.attempt("file", BOB, m.FILE_WRITE_DATA) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", ALICE, m.FILE_WRITE_DATA) == 0
    assert await secured.attempt("file", ALICE, m.FILE_READ_DATA) == 0
    records = [json.loads(record.getMessage()) for record in caplog.records if record.name == "gateway.audit"]
    assert [(record["user"], record["granted"]) for record in records] == [
        (str(BOB.user), False),
        (str(ALICE.user), True),
    ]
    assert records[0]["path"] == "file"
    await refused(STATUS_PRIVILEGE_NOT_HELD, secured.make("other", ALICE, security=wanted))


async def test_what_is_damaged_grants_nothing(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    one = await secured.make("file", ALICE)
    await one.handle.set_security(b"\4\0\4\0nonsense")
    assert await secured.attempt("file", BOB, m.FILE_READ_DATA) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", ALICE, m.WRITE_DAC) == 0
    assert "cannot be read" in caplog.text
    caplog.clear()


@pytest.mark.parametrize(
    ("policy", "may_bob", "may_carol"),
    [(Policy.INTERSECT, False, False), (Policy.TRUST, True, False), (Policy.IGNORE, False, True)],
)
@needs(Need.ROOT)
async def test_what_others_change(tmp_path: Path, policy: Policy, may_bob: bool, may_carol: bool) -> None:
    """chmod after the descriptor was set: Bob is in it, Carol in the mode."""
    secured = await Secured(tmp_path, policy).start()
    one = await secured.make("file", ALICE, security=sd(allow(BOB.user, m.FILE_GENERIC_READ), allow(ALICE.user, FULL)))
    assert await secured.attempt("file", BOB, m.FILE_READ_DATA) == 0
    os.chown(tmp_path / "file", ALICE.uid, DEVS)
    os.chmod(tmp_path / "file", 0o604)
    # Of the ACL that let Bob read, chmod has taken the mask.
    assert (await secured.attempt("file", BOB, m.FILE_READ_DATA) == 0) is may_bob
    assert (await secured.attempt("file", CAROL, m.FILE_READ_DATA) == 0) is may_carol
    await secured.share.close(one)
    await secured.stop()


@needs(Need.ROOT)
async def test_setfacl_does_not_widen(tmp_path: Path) -> None:
    secured = await Secured(tmp_path).start()
    skip_unless(Capability.POSIX_ACLS in secured.share.fs.capabilities, Need.ACLS)
    one = await secured.make("file", ALICE, security=sd(allow(BOB.user, m.FILE_GENERIC_READ), allow(ALICE.user, FULL)))
    access, _ = await one.handle.get_posix_acls()
    assert access is not None
    os.chmod(tmp_path / "file", 0o666)
    assert await secured.attempt("file", CAROL, m.FILE_READ_DATA) == STATUS_ACCESS_DENIED
    await secured.share.close(one)
    await secured.stop()


async def test_what_is_stored_names_the_permissions_it_was_stored_with(secured: Secured) -> None:
    one = await secured.make("file", ALICE, security=sd(allow(EVERYONE, m.FILE_GENERIC_READ)))
    blob = await one.handle.get_security()
    assert blob is not None
    ntacl = parse_ntacl(blob)
    assert ntacl.version == 4
    assert (await secured.share.descriptors.governing(one.handle, await one.handle.stat())).overrules


@needs(Need.ROOT)
async def test_inherited_owner(tmp_path: Path) -> None:
    secured = await Secured(tmp_path, settings=ShareSettings(inherit_owner=True)).start(mode=0o777)
    one = await secured.make("file", BOB)
    assert (await one.handle.stat()).uid == ALICE.uid
    await secured.make("directory", ALICE, directory=True, security=sd(allow(EVERYONE, FULL, BOTH)))
    below = await secured.make("directory/file", BOB)
    assert (await secured.descriptor(below)).owner == ALICE.user
    await secured.stop()


@needs(Need.ROOT)
async def test_ways_that_posix_bars(tmp_path: Path) -> None:
    """A closed directory of a tree without descriptors bars the way, one with a descriptor does not."""
    secured = await Secured(tmp_path).start()
    await secured.make("posix", ALICE, directory=True)
    (tmp_path / "posix").chmod(0o700)
    await secured.make("posix/file", ALICE)
    (tmp_path / "posix/file").chmod(0o644)
    with pytest.raises(VfsError):
        await secured.attempt("posix/file", BOB, m.FILE_READ_DATA)
    await secured.make("nt", ALICE, directory=True, security=sd(allow(ALICE.user, FULL)))
    await secured.make("nt/file", ALICE, security=sd(allow(EVERYONE, m.FILE_GENERIC_READ)))
    assert await secured.attempt("nt/file", BOB, m.FILE_READ_DATA) == 0
    assert await secured.attempt("NT/File", BOB, m.FILE_READ_DATA) == 0
    assert await secured.attempt("nt", BOB, m.FILE_LIST_DIRECTORY) == STATUS_ACCESS_DENIED
    await secured.stop()


async def test_a_descriptor_changed_while_it_is_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may be held up between the reading and whatever comes next: what was read then may be old by now."""
    secured = await Secured().start()
    one = await secured.make("file", ALICE)
    stat = await one.handle.stat()
    now = [stat.version + 1_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    reads = []

    async def get_security() -> None:
        reads.append(now[0])
        now[0] += 1_000_000_000

    monkeypatch.setattr(one.handle, "get_security", get_security)
    for _ in range(3):
        await secured.share.descriptors.governing(one.handle, stat)
    assert reads == [stat.version + 1_000_000, stat.version + 1_001_000_000], "not the first, but the second is kept"
    await secured.stop()
