"""Clients and programs are who they are by one mapping."""

import re

from acl import mask as m
from acl.ace import Acl, allow
from acl.descriptor import SecurityDescriptor
from acl.sid import Sid
from tests.fuse.mounts import Mount
from tests.fuse.peers import program, smb
from tests.fuse.programs import ERROR, as_user, let_all_get_to
from tests.interop.servers import USER, Configuration
from tests.requirements import Need, needs

CONFIGURATION = Configuration({"administrators": USER})
FOREIGN = Sid.from_string("S-1-5-21-11-22-33-1104")


@needs(Need.ROOT)
async def test_who_is_given_a_number_over_smb_has_it_on_the_mount(mount: Mount) -> None:
    top = mount.path / "share"
    let_all_get_to(top)
    wanted = SecurityDescriptor(FOREIGN, dacl=Acl.of(allow(FOREIGN, m.FILE_GENERIC_READ)))
    async with smb(mount) as client:
        await client.close(await client.open("for one", contexts=[(b"SecD", wanted.to_bytes())]))
    table = (mount.server.directory / "state/idmap").read_text()
    (number,) = re.findall(rf"^{FOREIGN} both (\d+)$", table, re.MULTILINE)
    opened = ERROR.format("open(args[0]).read()")

    async def read_as(uid: int, gid: int) -> str:
        return await program(lambda: as_user(opened, top / "for one", uid=uid, gid=gid))

    assert await read_as(4711, 4711) == "EACCES"
    assert await read_as(int(number), 4711) == "done"
