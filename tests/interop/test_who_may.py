"""What shares say about who may come, who may write, and as whom: three users of the system, with smbclient."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.servers import PASSWORD, Configuration, LocalUser, Server
from tests.interop.smbclient import smbclient
from tests.interop.test_same_as_local import ALICE, BOB, CAROL, DEVS, STAFF, USERS
from tests.requirements import Need, needs

pytestmark = needs(Need.ROOT, Need.NAMESPACES)

CONFIGURATION = Configuration(
    {"server signing": "auto"},
    {
        "share": {},
        "valid": {"valid users": f"{ALICE.name} @{DEVS[0]}"},
        "invalid": {"invalid users": f"@{STAFF[0]}", "valid users": " ".join(user.name for user in USERS)},
        "read": {"read list": BOB.name},
        "write": {"read only": "yes", "write list": f"{ALICE.name} @{DEVS[0]}"},
        "near": {"hosts allow": "127.0.0.1", "hosts deny": "ALL"},
        "far": {"hosts allow": "192.0.2.0/24", "hosts deny": "ALL"},
        "barred": {"hosts deny": "127."},
        "forced": {"force user": BOB.name, "force group": DEVS[0]},
        "masked": {
            "create mask": "0640",
            "force create mode": "0004",
            "directory mask": "0750",
            "force directory mode": "0005",
        },
        "unread": {"hide unreadable": "yes"},
        "private": {"valid users": ALICE.name, "access based share enum": "yes"},
    },
    users=USERS,
)


@pytest.fixture(autouse=True)
def shares(server: Server) -> Iterator[dict[str, Path]]:
    """The directories, which all users can get to and write in."""
    for directory in {parent for path in server.shares.values() for parent in path.parents}:
        if not directory.stat().st_mode & 0o001:
            directory.chmod(0o755)
    for path in server.shares.values():
        path.chmod(0o777)
    yield server.shares
    for path in server.shares.values():
        for entry in path.iterdir():
            entry.rmdir() if entry.is_dir() else entry.unlink()


def may(server: Server, share: str, user: LocalUser, command: str) -> bool:
    told = smbclient(server, command, share=share, user=f"{user.name}%{PASSWORD}", check=None)
    refused = "NT_STATUS_ACCESS_DENIED" in told or "NT_STATUS_MEDIA_WRITE_PROTECTED" in told
    assert refused or "NT_STATUS" not in told, told
    return not refused


def who(server: Server, share: str, command: str = "ls") -> list[str]:
    return [user.name for user in USERS if may(server, share, user, command)]


def names(*users: LocalUser) -> list[str]:
    return [user.name for user in users]


@pytest.mark.parametrize(
    ("share", "users"),
    [
        ("share", (ALICE, BOB, CAROL)),
        ("valid", (ALICE, CAROL)),
        ("invalid", (CAROL,)),
        ("near", (ALICE, BOB, CAROL)),
        ("far", ()),
        ("barred", ()),
    ],
)
def test_who_may_come(server, share, users) -> None:
    assert who(server, share) == names(*users)


@pytest.mark.parametrize(("share", "users"), [("read", (ALICE, CAROL)), ("write", (ALICE, CAROL))])
def test_who_may_write(server, share, users) -> None:
    assert who(server, share) == names(*USERS)
    assert [user.name for user in USERS if may(server, share, user, f"mkdir {user.name}")] == names(*users)
    assert sorted(path.name for path in server.shares[share].iterdir()) == sorted(names(*users))


def test_as_whom(server) -> None:
    path = server.shares["forced"] / "made"
    assert may(server, "forced", ALICE, "mkdir made")
    assert (path.stat().st_uid, path.stat().st_gid) == (BOB.uid, DEVS[1])
    assert may(server, "share", ALICE, "mkdir made")
    path = server.shares["share"] / "made"
    assert (path.stat().st_uid, path.stat().st_gid) == (ALICE.uid, ALICE.gid)


def test_modes_of_what_is_new(server, tmp_path) -> None:
    (tmp_path / "source").write_text("x")
    assert may(server, "masked", ALICE, f"mkdir directory; put {tmp_path}/source file")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in server.shares["masked"].iterdir()}
    assert modes == {"directory": 0o755, "file": 0o644}


def test_what_cannot_be_read_is_not_listed(server) -> None:
    for share in ("unread", "share"):
        for name, mode in (("seen", 0o644), ("unseen", 0o600)):
            (server.shares[share] / name).write_text("x")
            (server.shares[share] / name).chmod(mode)
    told = {
        share: smbclient(server, "ls", share=share, user=f"{CAROL.name}%{PASSWORD}") for share in ("unread", "share")
    }
    assert "unseen" not in told["unread"]
    assert "seen" in told["unread"]
    assert "unseen" in told["share"]


def test_shares_that_are_not_for_all_are_not_listed_for_all(server) -> None:
    for user in USERS:
        told = smbclient(server, share=None, user=f"{user.name}%{PASSWORD}")
        assert "valid" in told
        assert ("private" in told) == (user is ALICE)
