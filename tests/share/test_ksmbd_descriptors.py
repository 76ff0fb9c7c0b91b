"""Descriptors as KSMBD leaves them: built byte by byte, as its code writes them, and never by ours."""

import hashlib
import os
import struct
from pathlib import Path

import pytest

from acl import mask as m
from acl.ace import Acl, allow
from gateway.nt.status import STATUS_ACCESS_DENIED
from tests.requirements import Need, needs, set_xattr
from tests.share.secured import ALICE, BOB, CAROL, IDMAP, STAFF, Secured

HEAD = 0xA0


def ksmbd_attribute(stat: os.stat_result, owner: bytes, group: bytes, dacl: bytes) -> bytes:
    """Version 4; the POSIX permissions are hashed without any ACL; offsets count from the attribute's beginning."""
    hashed = struct.pack("<IIQQI", 0, 0, stat.st_uid, stat.st_gid, stat.st_mode)
    head = struct.pack("<HHIIH", 4, 4, 0x00020000, 0x00020004, 1) + bytes(64)
    head += b"posix_acl\0" + struct.pack("<Q", 0) + hashlib.sha256(hashed).digest().ljust(64, b"\0")
    assert len(head) == HEAD
    offsets = (HEAD + 20, HEAD + 20 + len(owner), 0, HEAD + 20 + len(owner) + len(group))
    return head + struct.pack("<BBH4I", 1, 0, 0x8004, *offsets) + owner + group + dacl


@pytest.fixture
def dacl() -> Acl:
    return Acl.of(allow(ALICE.user, m.FILE_ALL_ACCESS), allow(BOB.user, m.FILE_GENERIC_READ))


@needs(Need.ROOT)
async def test_it_counts(tmp_path: Path, dacl: Acl) -> None:
    secured = await Secured(tmp_path).start()
    await secured.share.close(await secured.make("file", ALICE))
    path = tmp_path / "file"
    path.chmod(0o600)
    group = IDMAP.group_sid(STAFF)
    blob = ksmbd_attribute(path.stat(), ALICE.user.data, group.data, dacl.to_bytes())
    set_xattr(path, "security.NTACL", blob, Need.SECURITY_XATTRS)
    one = await secured.open("file", BOB, m.FILE_READ_DATA | m.READ_CONTROL)
    got = await secured.descriptor(one)
    assert (got.owner, got.group, got.dacl) == (ALICE.user, group, dacl)
    assert await secured.attempt("file", BOB, m.FILE_WRITE_DATA) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", CAROL, m.FILE_READ_DATA) == STATUS_ACCESS_DENIED
    # What nobody of us has set does not widen it.
    path.chmod(0o666)
    assert await secured.attempt("file", CAROL, m.FILE_READ_DATA) == STATUS_ACCESS_DENIED
    assert await secured.attempt("file", BOB, m.FILE_WRITE_DATA) == STATUS_ACCESS_DENIED
    await secured.share.close(one)
    await secured.stop()
