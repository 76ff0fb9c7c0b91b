"""Three users of two groups do the same over SMB and as local processes: what they may is the same.

The server runs as root and finds the users in the system; each logs on with a session of their own. The local processes
have the same uids and groups, and work on a copy of the tree.
"""

import itertools
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from smbprotocol.connection import Connection
from smbprotocol.exceptions import AccessDenied
from smbprotocol.file_info import FileInformationClass, FileLinkInformation, FileRenameInformation, InfoType
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    DirectoryAccessMask,
    FileAttributes,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2SetInfoRequest,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from acl.sddl import parse_sddl
from acl.sid import Sid
from tests.interop.servers import PASSWORD, Configuration, LocalUser, Server
from tests.requirements import SYSTEM_PYTHON, Need, needs

STAFF, DEVS = ("smbgate-staff", 7400), ("smbgate-devs", 7401)
ALICE = LocalUser("smbgate-alice", 7401, (STAFF, DEVS))
BOB = LocalUser("smbgate-bob", 7402, (STAFF,))
CAROL = LocalUser("smbgate-carol", 7403, (DEVS,))
USERS = (ALICE, BOB, CAROL)

CONFIGURATION = Configuration({"server signing": "auto"}, users=USERS)

pytestmark = needs(Need.ROOT, Need.NAMESPACES)

FILE, DIRECTORY = FilePipePrinterAccessMask, DirectoryAccessMask
EVERYTHING = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
OWNER_GROUP_DACL = 7

LOCALLY = """
import json, os, sys
def opened(path, flags):
    os.close(os.open(path, flags))
operations = {
    "stat": lambda top: os.stat(f"{top}/file"),
    "read": lambda top: opened(f"{top}/file", os.O_RDONLY),
    "write": lambda top: opened(f"{top}/file", os.O_WRONLY),
    "empty": lambda top: opened(f"{top}/file", os.O_WRONLY | os.O_TRUNC),
    "chmod": lambda top: os.chmod(f"{top}/file", 0o600),
    "list": os.listdir,
    "create": lambda top: opened(f"{top}/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "mkdir": lambda top: os.mkdir(f"{top}/new"),
    "delete": lambda top: os.unlink(f"{top}/file"),
    "rename": lambda top: os.rename(f"{top}/file", f"{top}/new"),
    "replace": lambda top: os.rename(f"{top}/file", f"{top}/other"),
    "move": lambda top: os.rename(f"{top}/file", f"free/{top}"),
    "link": lambda top: os.link(f"{top}/file", f"{top}/new"),
    "rmdir": lambda top: os.rmdir(f"{top}/empty"),
}
done = {}
for name in json.load(sys.stdin):
    try:
        operations[name.rpartition("-")[2]](name)
        done[name] = True
    except PermissionError:
        done[name] = False
json.dump(done, sys.stdout)
"""
OPERATIONS = (
    *("stat", "read", "write", "empty", "chmod", "list", "create", "mkdir"),
    *("delete", "rename", "replace", "move", "link", "rmdir"),
)
READING = frozenset({"stat", "read", "list"})


class Client:
    """A user who has logged on and does what local processes do; each operation says whether it was allowed."""

    def __init__(self, session: Session, tree: TreeConnect) -> None:
        self._session, self._tree = session, tree

    def attempt(self, name: str) -> bool:
        try:
            getattr(self, "_" + name.rpartition("-")[2])(f"smb\\{name}")
        except AccessDenied:
            return False
        return True

    def set_descriptor(self, path: str, sddl: str) -> None:
        """Give a file a DACL. Raises what smbprotocol raises."""
        with self._open(path, 0x0004_0000) as one:
            descriptor = parse_sddl(sddl, Sid.of(5, 21, 1, 2, 3))
            self._set(one, InfoType.SMB2_0_INFO_SECURITY, 0, descriptor.to_bytes(), 4)

    @contextmanager
    def _open(self, path: str, access: int, disposition: int = CreateDisposition.FILE_OPEN, options: int = 0) -> Any:
        one = Open(self._tree, path)
        one.create(
            ImpersonationLevel.Impersonation,
            access,
            FileAttributes.FILE_ATTRIBUTE_NORMAL,
            EVERYTHING,
            disposition,
            options,
        )
        try:
            yield one
        finally:
            one.close()

    def _set(self, one: Open, kind: int, file_class: int, data: bytes, additional: int = 0) -> None:
        request = SMB2SetInfoRequest()
        request["info_type"] = kind
        request["file_info_class"] = file_class
        request["additional_information"] = additional
        request["file_id"] = one.file_id
        request["buffer"] = data
        connection = self._session.connection
        connection.receive(connection.send(request, self._session.session_id, self._tree.tree_connect_id))

    def _rename_to(self, path: str, new: str, *, replace: bool = False) -> None:
        information = FileRenameInformation()
        information["replace_if_exists"] = replace
        information["file_name"] = new.encode("utf-16-le")
        with self._open(path, FILE.DELETE) as one:
            kind = FileInformationClass.FILE_RENAME_INFORMATION
            self._set(one, InfoType.SMB2_0_INFO_FILE, kind, information.pack())

    def _do(self, path: str, access: int, disposition: int = CreateDisposition.FILE_OPEN, options: int = 0) -> None:
        with self._open(path, access, disposition, options):
            pass

    def _stat(self, top: str) -> None:
        self._do(f"{top}\\file", FILE.FILE_READ_ATTRIBUTES)

    def _read(self, top: str) -> None:
        self._do(f"{top}\\file", FILE.FILE_READ_DATA)

    def _write(self, top: str) -> None:
        self._do(f"{top}\\file", FILE.FILE_WRITE_DATA)

    def _empty(self, top: str) -> None:
        self._do(f"{top}\\file", FILE.FILE_WRITE_DATA, CreateDisposition.FILE_OVERWRITE)

    def _chmod(self, top: str) -> None:
        self._do(f"{top}\\file", FILE.WRITE_DAC)

    def _list(self, top: str) -> None:
        with self._open(top, DIRECTORY.FILE_LIST_DIRECTORY, options=CreateOptions.FILE_DIRECTORY_FILE) as one:
            one.query_directory("*", FileInformationClass.FILE_NAMES_INFORMATION)

    def _create(self, top: str) -> None:
        self._do(f"{top}\\new", FILE.FILE_WRITE_DATA, CreateDisposition.FILE_CREATE)

    def _mkdir(self, top: str) -> None:
        options = CreateOptions.FILE_DIRECTORY_FILE
        self._do(f"{top}\\new", DIRECTORY.FILE_READ_ATTRIBUTES, CreateDisposition.FILE_CREATE, options)

    def _delete(self, top: str) -> None:
        self._do(f"{top}\\file", FILE.DELETE, options=CreateOptions.FILE_DELETE_ON_CLOSE)

    def _rmdir(self, top: str) -> None:
        options = CreateOptions.FILE_DELETE_ON_CLOSE | CreateOptions.FILE_DIRECTORY_FILE
        self._do(f"{top}\\empty", DIRECTORY.DELETE, options=options)

    def _rename(self, top: str) -> None:
        self._rename_to(f"{top}\\file", f"{top}\\new")

    def _replace(self, top: str) -> None:
        self._rename_to(f"{top}\\file", f"{top}\\other", replace=True)

    def _link(self, top: str) -> None:
        information = FileLinkInformation()
        information["file_name"] = f"{top}\\new".encode("utf-16-le")
        with self._open(f"{top}\\file", FILE.FILE_READ_ATTRIBUTES) as one:
            kind = FileInformationClass.FILE_LINK_INFORMATION
            self._set(one, InfoType.SMB2_0_INFO_FILE, kind, information.pack())

    def _move(self, top: str) -> None:
        self._rename_to(f"{top}\\file", f"smb\\free\\{top.partition(chr(92))[2]}")


@contextmanager
def logged_on(server: Server, name: str) -> Iterator[Client]:
    connection = Connection(uuid.uuid4(), "127.0.0.1", server.port)
    connection.connect(timeout=20)
    try:
        session = Session(connection, name, PASSWORD, require_encryption=False)
        session.connect()
        tree = TreeConnect(session, rf"\\127.0.0.1\{'share'}")
        tree.connect()
        yield Client(session, tree)
    finally:
        connection.disconnect(close=True)


def locally(top: Path, cases: list[str], who: LocalUser) -> dict[str, bool]:
    """What a process of a user may do of all that, in the current directory `top`."""
    done = subprocess.run(
        [SYSTEM_PYTHON, "-I", "-S", "-c", LOCALLY],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=top,
        user=who.uid,
        group=who.gid,
        extra_groups=who.gids,
    )
    found: dict[str, bool] = json.loads(done.stdout)
    return found


def own(path: Path, uid: int, gid: int, mode: int) -> None:
    os.chown(path, uid, gid)
    path.chmod(mode)


def lay_out(top: Path, name: str, directory_mode: int = 0o755, file_mode: int = 0o644, groups=(STAFF, STAFF)) -> Path:
    """A directory of Alice's with files of Bob's."""
    directory = top / name
    directory.mkdir()
    for file in ("file", "other"):
        (directory / file).write_text("x")
        own(directory / file, BOB.uid, groups[1][1], file_mode)
    (directory / "empty").mkdir()
    own(directory / "empty", BOB.uid, groups[1][1], 0o755)
    own(directory, ALICE.uid, groups[0][1], directory_mode)
    return directory


@pytest.fixture
def trees(share_path) -> Iterator[tuple[Path, Path]]:
    """What clients work on, and its copy; in each a directory in which everybody may do everything."""
    tops = share_path / "smb", share_path / "local"
    share_path.chmod(0o755)
    for top in tops:
        top.mkdir()
        (top / "free").mkdir()
        own(top / "free", 0, 0, 0o777)
        own(top, 0, 0, 0o755)
    yield tops
    for top in tops:
        subprocess.run(["rm", "-rf", str(top)], check=True)


def both(server: Server, trees: tuple[Path, Path], cases: list[str], who: LocalUser) -> dict[str, tuple[bool, bool]]:
    """For each case whether it is allowed over SMB, and locally; what is said to be done is."""
    with logged_on(server, who.name) as client:
        through = {name: client.attempt(name) for name in cases}
    there = locally(trees[1], cases, who)
    for name, is_allowed in through.items():
        check_effects(trees[0], name, who, is_allowed=is_allowed)
    assert set(through.values()) == set(there.values()) == {True, False}
    return {name: (through[name], there[name]) for name in cases}


def check_effects(top: Path, name: str, who: LocalUser, *, is_allowed: bool) -> None:
    directory, operation = top / name, name.rpartition("-")[2]
    new = directory / "new"
    if operation in {"create", "mkdir"}:
        assert new.exists() is is_allowed
        if is_allowed:
            assert (new.stat().st_uid, new.stat().st_gid) == (who.uid, who.gid)
    elif operation in {"delete", "rename", "replace", "move"}:
        assert (directory / "file").exists() is not is_allowed
        assert operation != "rename" or new.exists() is is_allowed
        assert operation != "move" or (top / "free" / name).exists() is is_allowed
    elif operation == "link":
        assert new.exists() is is_allowed
    elif operation == "rmdir":
        assert (directory / "empty").exists() is not is_allowed
    elif operation == "empty":
        assert ((directory / "file").stat().st_size == 0) is is_allowed


def check_same(found: dict[str, tuple[bool, bool]]) -> None:
    assert {name: pair for name, pair in found.items() if pair[0] != pair[1]} == {}


QUICK_DIRECTORIES, QUICK_FILES = (0o700, 0o711, 0o750, 0o755, 0o775, 0o1777), (0o400, 0o640, 0o646)
DIRECTORIES = (0o700, 0o711, 0o750, 0o751, 0o755, 0o770, 0o775, 0o777, 0o1777, 0o707)
FILES = (0o400, 0o600, 0o640, 0o644, 0o664, 0o646, 0o666, 0o060, 0o006, 0o000)
ALL_GROUPS = list(itertools.product((STAFF, DEVS), repeat=2))


@pytest.mark.parametrize("who", USERS, ids=lambda user: user.name)
@pytest.mark.parametrize(
    ("directories", "files", "groups"),
    [
        pytest.param(QUICK_DIRECTORIES, QUICK_FILES, [(DEVS, STAFF)], id="quick"),
        pytest.param(*(DIRECTORIES, FILES, ALL_GROUPS), id="full", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_modes(server, trees, who, directories, files, groups) -> None:
    cases = []
    for directory, file, (number, pair), operation in itertools.product(
        directories, files, enumerate(groups), OPERATIONS
    ):
        cases.append(f"{directory:o}-{file:o}-{number}-{operation}")
        for top in trees:
            lay_out(top, cases[-1], directory, file, pair)
    check_same(both(server, trees, cases, who))


ACLS = {
    "carol-may": (f"u:{CAROL.uid}:rwx", f"u:{CAROL.uid}:rw"),
    "carol-may-not": (f"u:{CAROL.uid}:---", f"u:{CAROL.uid}:---"),
    "devs-may": (f"g:{DEVS[1]}:rwx", f"g:{DEVS[1]}:rw"),
    "devs-may-read": (f"g:{DEVS[1]}:r-x", f"g:{DEVS[1]}:r"),
    "masked": (f"g:{DEVS[1]}:rwx,m::r-x", f"g:{DEVS[1]}:rw,m::r"),
    "alice-reads": (f"u:{ALICE.uid}:r-x", f"u:{ALICE.uid}:r,g::rw"),
}


@pytest.mark.parametrize("who", USERS, ids=lambda user: user.name)
def test_posix_acls(server, trees, who) -> None:
    cases = [f"{name}-{operation}" for name in ACLS for operation in OPERATIONS]
    for top, name in itertools.product(trees, cases):
        directory = lay_out(top, name, 0o750, 0o640)
        for path, entries in zip((directory, directory / "file"), ACLS[name.rpartition("-")[0]], strict=True):
            subprocess.run(["setfacl", "-m", entries, str(path)], check=True)
    check_same(both(server, trees, cases, who))


# Which rights POSIX can say: (directory, file). The owner, Alice, keeps all of hers.
OWNER = "(A;;FA;;;OW)"
DESCRIPTORS = {
    "everyone-reads": ("(A;;0x1200a9;;;WD)", "(A;;FR;;;WD)"),
    "everyone-writes": ("(A;;0x1301ff;;;WD)", "(A;;0x1301ff;;;WD)"),
    "bob-writes": (f"(A;;0x1301ff;;;S-1-22-1-{BOB.uid})", f"(A;;0x1301ff;;;S-1-22-1-{BOB.uid})"),
    "devs-read": (f"(A;;0x1200a9;;;S-1-22-2-{DEVS[1]})", f"(A;;FR;;;S-1-22-2-{DEVS[1]})"),
    "not-devs": (f"(D;;FA;;;S-1-22-2-{DEVS[1]})(A;;0x1200a9;;;WD)", f"(D;;FA;;;S-1-22-2-{DEVS[1]})(A;;FR;;;WD)"),
    "not-carol": (f"(D;;FW;;;S-1-22-1-{CAROL.uid})(A;;0x1301ff;;;WD)", f"(D;;FW;;;S-1-22-1-{CAROL.uid})(A;;FRFW;;;WD)"),
    "nobody": ("", ""),
}


@pytest.mark.parametrize("who", USERS, ids=lambda user: user.name)
def test_descriptors(server, trees, who) -> None:
    """What a client sets is what local users see: they may never more, and as much where POSIX can say it."""
    cases = [f"{name}-{operation}" for name in DESCRIPTORS for operation in OPERATIONS]
    for top, name in itertools.product(trees, cases):
        directory = lay_out(top, name)
        for path in (directory, directory / "file"):
            os.chown(path, ALICE.uid, STAFF[1])
    with logged_on(server, ALICE.name) as alice:
        for top, name in itertools.product(("smb", "local"), cases):
            dacls = DESCRIPTORS[name.rpartition("-")[0]]
            for place, dacl in zip((f"{top}\\{name}\\file", f"{top}\\{name}"), reversed(dacls), strict=True):
                alice.set_descriptor(place, f"D:P{dacl}{OWNER}")
    found = both(server, trees, cases, who)
    assert {name: pair for name, pair in found.items() if pair[1] and not pair[0]} == {}
    check_same({name: pair for name, pair in found.items() if is_said_by_posix(name)})


def is_said_by_posix(name: str) -> bool:
    """Who may remove a name is for its directory alone, and a member of one denied group may be one of others."""
    descriptor, _, operation = name.rpartition("-")
    return descriptor != "not-devs" and operation in {"read", "write", "empty", "list", "create", "mkdir", "chmod"}
