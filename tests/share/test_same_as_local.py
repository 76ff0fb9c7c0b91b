"""Three users of two groups do the same through the share and as local processes: what they may is the same.

The tree has no stored descriptors, so the kernel's rules are those of the share.
"""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from acl import mask as m
from acl.token import Token
from gateway.nt import constants as nt
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError
from gateway.share.renaming import rename
from tests.requirements import Need, needs
from tests.share.secured import ALICE, BOB, CAROL, STAFF, Secured
from vfs_backends.errors import Kind, VfsError

DIRECTORY_MODES = (0o700, 0o711, 0o750, 0o755, 0o770, 0o777, 0o1777)
FILE_MODES = (0o400, 0o600, 0o640, 0o644, 0o664, 0o646)
OPERATIONS = ("read", "write", "list", "create", "mkdir", "delete", "rename")

LOCALLY = """
import json, os, sys
done = {}
for name in json.load(sys.stdin):
    file = f"{name}/file"
    operation = name.rpartition("-")[2]
    try:
        if operation == "read": open(file).read()
        elif operation == "write": os.close(os.open(file, os.O_WRONLY))
        elif operation == "list": os.listdir(name)
        elif operation == "create": open(f"{name}/new", "x").close()
        elif operation == "mkdir": os.mkdir(f"{name}/new")
        elif operation == "delete": os.unlink(file)
        elif operation == "rename": os.rename(file, f"{name}/other")
        done[name] = True
    except PermissionError:
        done[name] = False
json.dump(done, sys.stdout)
"""


def lay_out(top: Path, name: str, directory_mode: int, file_mode: int) -> None:
    directory = top / name
    directory.mkdir()
    (directory / "file").write_text("x")
    for path, uid, mode in ((directory, ALICE.uid, directory_mode), (directory / "file", BOB.uid, file_mode)):
        os.chown(path, uid, STAFF)
        path.chmod(mode)


def names(who: str) -> list[str]:
    cases = itertools.product(DIRECTORY_MODES, FILE_MODES, OPERATIONS)
    return [f"{who}-{directory:o}-{file:o}-{operation}" for directory, file, operation in cases]


async def through_the_share(secured: Secured, name: str, who: Token) -> bool:
    file = f"{name}/file"
    share = secured.share

    async def opened(path: str, access: int, disposition: int = nt.FILE_OPEN, options: int = 0) -> None:
        await share.close(await secured.open(path, who, access, disposition, options))

    async def renamed() -> None:
        one = await secured.open(file, who, m.DELETE)
        try:
            await rename(share, one, f"{name}/other", replace=False)
        finally:
            await share.close(one)

    operations: dict[str, Callable[[], Awaitable[None]]] = {
        "read": lambda: opened(file, m.FILE_READ_DATA),
        "write": lambda: opened(file, m.FILE_WRITE_DATA),
        "list": lambda: opened(name, m.FILE_LIST_DIRECTORY),
        "create": lambda: opened(f"{name}/new", m.FILE_READ_DATA, nt.FILE_CREATE),
        "mkdir": lambda: opened(f"{name}/new", m.FILE_READ_DATA, nt.FILE_CREATE, nt.FILE_DIRECTORY_FILE),
        "delete": lambda: opened(file, m.DELETE, nt.FILE_OPEN, nt.FILE_DELETE_ON_CLOSE),
        "rename": renamed,
    }
    refusal: object = None
    try:
        await operations[name.rpartition("-")[2]]()
    except StatusError as error:
        refusal = error.status
    except VfsError as error:
        refusal = error.kind
    assert refusal in (None, STATUS_ACCESS_DENIED, Kind.ACCESS_DENIED)
    return refusal is None


def locally(top: Path, cases: list[str], who: Token) -> dict[str, bool]:
    done = subprocess.run(
        [os.path.realpath(sys.executable), "-I", "-S", "-c", LOCALLY],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        cwd=top,
        user=who.uid,
        group=who.gid,
        extra_groups=list(who.gids),
    )
    found: dict[str, bool] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("who", "token"), [("alice", ALICE), ("bob", BOB), ("carol", CAROL)])
@needs(Need.ROOT)
async def test_matrix(tmp_path: Path, who: str, token: Token) -> None:
    cases = names(who)
    for top in ("share", "local"):
        (tmp_path / top).mkdir()
        for name in cases:
            _, directory_mode, file_mode, _ = name.split("-")
            lay_out(tmp_path / top, name, int(directory_mode, 8), int(file_mode, 8))
    secured = await Secured(tmp_path / "share").start()
    through = {name: await through_the_share(secured, name, token) for name in cases}
    await secured.stop()
    (tmp_path / "local").chmod(0o755)
    there = locally(tmp_path / "local", cases, token)
    assert {name: (through[name], there[name]) for name in cases if through[name] != there[name]} == {}
    for name in cases:
        new = tmp_path / "share" / name / "new"
        if new.exists():
            assert new.stat().st_uid == token.uid
        # What is said to be deleted is.
        if name.endswith("-delete"):
            assert (tmp_path / "share" / name / "file").exists() is not through[name]
