"""What a server is put together from: state, accounts, addresses, limits, and the trees behind shares."""

import os
import socket
import stat

import pytest

from gateway.auth.accounts import Account, AccountDatabase
from gateway.auth.ntlm_keys import nt_hash_from_password
from gateway.auth.policy import Identity, MapToGuest
from gateway.config import Config
from gateway.nt.status import StatusError
from gateway.rpc.interface import Caller
from gateway.server import ServerError
from gateway.server.accounts import LiveAccounts
from gateway.server.addresses import listening_hosts
from gateway.server.assemble import make_identities, make_service
from gateway.server.exports import start_shares
from gateway.server.state import StateDirectory
from gateway.server.stores import client_of
from gateway.smb.exports import Visitor
from gateway.smb.service import Service

# --- state


def test_state_is_made_once_and_kept(tmp_path) -> None:
    path = tmp_path / "a" / "state"
    state = StateDirectory(path)
    state.prepare()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    sid, guid = state.machine_sid(), state.guid()
    again = StateDirectory(path)
    assert (again.machine_sid().data, again.guid()) == (sid.data, guid)
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.iterdir()} == {0o600}
    assert sorted(one.name for one in path.iterdir()) == ["machine.sid", "server.guid"]
    assert StateDirectory(tmp_path / "other").guid() != guid


@pytest.mark.parametrize("content", ["", "zz", "00" * 15, "ä"])
def test_state_that_is_broken(tmp_path, content) -> None:
    """It says which file, and is not replaced: it may be on backups."""
    state = StateDirectory(tmp_path)
    (tmp_path / "server.guid").write_text(content, encoding="utf-8")
    (tmp_path / "machine.sid").write_text(content, encoding="utf-8")
    with pytest.raises(ServerError, match=r"server\.guid"):
        state.guid()
    with pytest.raises(ServerError, match=r"machine\.sid"):
        state.machine_sid()
    assert (tmp_path / "server.guid").read_text(encoding="utf-8") == content


def test_state_that_cannot_be(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ServerError, match="state directory"):
        StateDirectory(tmp_path / "file" / "state").prepare()
    with pytest.raises(ServerError, match="state"):
        StateDirectory(tmp_path / "file" / "state").guid()


# --- accounts


def test_accounts_change_while_the_server_runs(tmp_path, caplog) -> None:
    path = tmp_path / "accounts"
    accounts = LiveAccounts(path, {"own": "Secret-1"})
    assert len(accounts) == 1
    assert accounts.lookup("OWN", "anywhere") is not None
    assert accounts.lookup("alice", "") is None
    database = AccountDatabase([Account("alice", nt_hash_from_password("Secret-2"))])
    database.save(path)
    found = accounts.lookup("alice", "")
    assert found is not None
    assert len(accounts) == 2
    # While the file is broken, what it said before stays.
    path.write_text("nonsense", encoding="utf-8")
    os.utime(path, (1, 1))
    assert accounts.lookup("alice", "") is not None
    assert "stay as they were" in caplog.text
    path.unlink()
    assert accounts.lookup("alice", "") is None
    assert accounts.lookup("own", "") is not None


def test_accounts_that_are_broken_from_the_start(tmp_path) -> None:
    path = tmp_path / "accounts"
    path.write_text("nonsense", encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ServerError, match="accounts"):
        LiveAccounts(path, {})


# --- addresses


def test_all_addresses(make_config) -> None:
    hosts = listening_hosts(make_config(bind_interfaces_only="no"))
    assert hosts[0] == "0.0.0.0"
    assert hosts[1:] in ([], ["::"])


@pytest.mark.parametrize(
    ("interfaces", "hosts"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("127.0.0.1 127.0.0.0/8", ["127.0.0.1"]),
        ("lo", ["127.0.0.1"]),
        ("l*", ["127.0.0.1"]),
        ("0.0.0.0", ["0.0.0.0"]),
    ],
)
def test_interfaces(make_config, interfaces, hosts) -> None:
    found = [host for host in listening_hosts(make_config(interfaces=interfaces)) if ":" not in host]
    assert found == hosts


@pytest.mark.parametrize("interfaces", ["198.51.100.1", "nonesuch0", "198.51.100.0/24"])
def test_interfaces_that_are_not_there(make_config, interfaces) -> None:
    with pytest.raises(ServerError, match=interfaces.partition("/")[0]):
        listening_hosts(make_config(interfaces=interfaces))


# --- policies and limits


def service_of(config: Config, descriptor_limit: int | None = None) -> Service:
    return make_service(config, make_identities(config), descriptor_limit)


def test_what_is_configured_holds(make_config) -> None:
    service = service_of(
        make_config(
            server_min_protocol="SMB2_02",
            server_max_protocol="SMB3_02",
            server_signing="auto",
            smb3_encryption="mandatory",
            map_to_guest="bad user",
            smb2_max_read="1M",
            smb2_max_credits="100",
            max_open_files_per_session="7",
            authentication_timeout="5",
            progress_timeout="6",
            netbios_name="files",
        )
    )
    policy, limits = service.negotiate_policy, service.limits
    assert (policy.min_dialect, policy.max_dialect, policy.signing_required) == (0x0202, 0x0302, False)
    assert (policy.encryption, service.encryption.required, policy.max_read_size) == (True, True, 1 << 20)
    assert (limits.max_credits, limits.max_opens_per_session) == (100, 7)
    assert (limits.authentication_seconds, limits.stall_seconds) == (5, 6)
    assert service.auth_policy.map_to_guest is MapToGuest.BAD_USER
    assert service.auth_policy.netbios_name == "FILES"
    assert service.auth_policy.dns_name == socket.gethostname().lower()


def test_what_holds_if_nothing_is_configured(make_config) -> None:
    service = service_of(make_config())
    assert (service.negotiate_policy.min_dialect, service.negotiate_policy.max_dialect) == (0x0210, 0x0311)
    assert service.negotiate_policy.signing_required
    assert not service.auth_policy.allow_anonymous
    assert service.auth_policy.map_to_guest is MapToGuest.NEVER
    assert service.limits.max_opens == 100_000
    assert (service.limits.authentication_seconds, service.limits.stall_seconds) == (30, 30)
    assert service.limits.max_unauthenticated_message <= 64 * 1024


@pytest.mark.parametrize(("descriptors", "opens"), [(1024, 64), (100_000, 100_000 - 1024 - 256)])
def test_descriptors_limit_the_opens(make_config, descriptors, opens) -> None:
    assert service_of(make_config(), descriptors).limits.max_opens == opens


# --- shares


def visitor(user: str, **more) -> Visitor:
    return Visitor(Identity(user, "WORKGROUP", "PC", b""), more.get("address", "192.0.2.7"), "192.0.2.1", "SMB3_11")


@pytest.mark.parametrize(
    ("parameters", "connects", "writes"),
    [
        ({}, "alice bob", ""),
        ({"read only": "no"}, "alice bob", "alice bob"),
        ({"valid users": "alice"}, "alice", ""),
        ({"valid users": "ALICE", "invalid users": "alice"}, "", ""),
        ({"write list": "bob"}, "alice bob", "bob"),
        ({"read only": "no", "read list": "bob"}, "alice bob", "alice"),
        ({"write list": "alice bob", "read list": "bob"}, "alice bob", "alice"),
        ({"valid users": "@nonesuch-group"}, "", ""),
    ],
)
def test_who_may(make_config, tmp_path, parameters, connects, writes) -> None:
    service = service_of(make_config({"files": {"path": str(tmp_path), **parameters}}))
    export = service.exports.get("FILES")
    assert export is not None
    assert [user for user in ("alice", "bob") if export.may_connect(visitor(user))] == connects.split()
    writers = [user for user in ("alice", "bob") if export.may_write(visitor(user))]
    assert [user for user in writers if user in connects] == writes.split()


async def test_a_tree_for_each(make_config, tmp_path) -> None:
    """Made when somebody first comes to it, and the same for the next one."""
    for user in ("alice", "bob"):
        (tmp_path / user).mkdir()
    service = service_of(make_config({"home": {"path": f"{tmp_path}/%U"}}))
    await start_shares(list(service.exports))
    export = service.exports.get("home")
    assert export is not None
    assert export.store is not None
    assert list(export.store) == []
    alice, bob = await export.store.open(visitor("alice")), await export.store.open(visitor("bob"))
    assert await export.store.open(visitor("alice")) is alice
    assert alice is not bob
    for user in ("carol", "..", "al/../ice"):
        with pytest.raises(StatusError):
            await export.store.open(visitor(user))
    assert list(export.store) == [alice, bob]
    await alice.aclose()
    await bob.aclose()


def test_what_macros_stand_for() -> None:
    client = client_of(visitor("alice"))
    assert (client.user, client.machine, client.address, client.dialect) == ("alice", "PC", "192.0.2.7", "SMB3_11")


def test_what_is_told_by_rpc(make_config, tmp_path) -> None:
    shares = {
        "shown": {"path": str(tmp_path), "comment": "A comment"},
        "hidden": {"path": str(tmp_path), "browseable": "no"},
    }
    service = service_of(make_config(shares))
    told = {one.name: one for one in service.rpc_info.shares(Caller("alice", ""))}
    assert set(told) == {"shown", "hidden", "IPC$"}
    assert (told["shown"].comment, told["shown"].hidden, told["shown"].path) == ("A comment", False, "")
    assert told["hidden"].hidden
    assert not told["IPC$"].hidden
