"""Clients and programs are who they are by one mapping."""

import re
import subprocess
from pathlib import Path

from acl import mask as m
from acl.ace import Acl, allow
from acl.descriptor import SecurityDescriptor
from acl.sid import Sid
from tests.fuse.mounts import Mount
from tests.fuse.peers import program, smb
from tests.interop.servers import USER, Configuration
from tests.requirements import SYSTEM_PYTHON, Need, needs

CONFIGURATION = Configuration({"administrators": USER})
FOREIGN = Sid.from_string("S-1-5-21-11-22-33-1104")


@needs(Need.ROOT)
async def test_who_is_given_a_number_over_smb_has_it_on_the_mount(mount: Mount) -> None:
    top = mount.path / "share"
    top.chmod(0o755)
    wanted = SecurityDescriptor(FOREIGN, dacl=Acl.of(allow(FOREIGN, m.FILE_GENERIC_READ)))
    async with smb(mount) as client:
        await client.close(await client.open("for one", contexts=[(b"SecD", wanted.to_bytes())]))
    table = (mount.server.directory / "state/idmap").read_text()
    (number,) = re.findall(rf"^{FOREIGN} both (\d+)$", table, re.MULTILINE)
    for uid, is_allowed in ((4711, False), (int(number), True)):
        done = await program(read_as, top, "for one", uid)
        assert (done.returncode == 0) is is_allowed, done.stderr
        assert is_allowed or "PermissionError" in done.stderr


def read_as(directory: Path, name: str, uid: int) -> "subprocess.CompletedProcess[str]":
    """A process of a user reads a file of a directory that it is in: the way there may be closed to them."""
    command = [SYSTEM_PYTHON, "-I", "-S", "-c", f"open({name!r}).read()"]
    return subprocess.run(
        command,
        check=False,
        cwd=directory,
        user=uid,
        group=4711,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=30,
    )
