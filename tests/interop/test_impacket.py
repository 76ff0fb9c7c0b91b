"""impacket puts and gets trees, and asks the named pipes of IPC$."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from impacket.dcerpc.v5 import srvs, transport, wkst
from impacket.smb3 import SMB2_DIALECT_21, SMB2_DIALECT_30, SMB2_DIALECT_311
from impacket.smbconnection import SessionError, SMBConnection

from tests.interop.servers import Configuration, Server
from tests.interop.trees import FULL_PYTHON_CLIENTS, SLOW_CLIENTS, checksums, tree_fixture

CONFIGURATION = Configuration(
    {"server signing": "auto"}, {"share": {"comment": "described"}, "hidden": {"browseable": "no"}}
)
HOST = "127.0.0.1"

pytestmark = pytest.mark.usefixtures("clean")


@contextmanager
def logged_on(server: Server, dialect: int | None = None, password: str | None = None) -> Iterator[SMBConnection]:
    connection = SMBConnection(HOST, HOST, sess_port=server.port, preferredDialect=dialect, timeout=60)
    try:
        connection.login(server.user, server.password if password is None else password)
        yield connection
    finally:
        connection.close()


tree = tree_fixture(SLOW_CLIENTS, FULL_PYTHON_CLIENTS)


def there(relative: Path) -> str:
    return "\\".join(relative.parts)


def put(connection: SMBConnection, root: Path) -> None:
    for path in sorted(root.rglob("*")):
        name = there(path.relative_to(root))
        if path.is_dir():
            connection.createDirectory("share", name)
        else:
            with path.open("rb") as source:
                connection.putFile("share", name, source.read)


def get(connection: SMBConnection, root: Path, relative: Path = Path()) -> None:
    for entry in connection.listPath("share", there(relative / "*")):
        name = entry.get_longname()
        if name in {".", ".."}:
            continue
        if entry.is_directory():
            (root / relative / name).mkdir()
            get(connection, root, relative / name)
            continue
        with (root / relative / name).open("wb") as sink:
            connection.getFile("share", there(relative / name), sink.write)
        assert (root / relative / name).stat().st_size == entry.get_filesize()


@pytest.mark.parametrize("dialect", [SMB2_DIALECT_21, SMB2_DIALECT_311], ids=["2.1", "3.1.1"])
def test_a_tree_is_put_and_got(server, share_path, tree, tmp_path, dialect) -> None:
    root, sums = tree
    with logged_on(server, dialect) as connection:
        assert connection.getDialect() == dialect
        put(connection, root)
        assert checksums(share_path) == sums
        get(connection, tmp_path)
        assert checksums(tmp_path) == sums


@pytest.mark.parametrize("dialect", [SMB2_DIALECT_21, SMB2_DIALECT_30, SMB2_DIALECT_311], ids=["2.1", "3.0", "3.1.1"])
def test_a_file_is_written_renamed_and_removed(server, share_path, dialect) -> None:
    data = os.urandom(200_000)
    with logged_on(server, dialect) as connection:
        connection.createDirectory("share", "d")
        connection.putFile("share", "d\\a", io.BytesIO(data).read)
        assert (share_path / "d" / "a").read_bytes() == data
        connection.rename("share", "d\\a", "d\\b")
        connection.deleteFile("share", "d\\b")
        connection.deleteDirectory("share", "d")
    assert list(share_path.iterdir()) == []


def test_a_wrong_password_fails(server) -> None:
    with pytest.raises(SessionError, match="STATUS_LOGON_FAILURE"), logged_on(server, password="wrong"):
        pass


def test_an_anonymous_log_on_is_refused(server) -> None:
    connection = SMBConnection(HOST, HOST, sess_port=server.port, timeout=60)

    def connect() -> None:
        connection.login("", "")
        connection.connectTree("share")

    with pytest.raises(SessionError, match=r"STATUS_(ACCESS_DENIED|LOGON_FAILURE)"):
        connect()
    connection.close()


@pytest.mark.parametrize("dialect", [SMB2_DIALECT_21, SMB2_DIALECT_311], ids=["2.1", "3.1.1"])
def test_shares_are_listed(server, dialect) -> None:
    with logged_on(server, dialect) as connection:
        shares = {share["shi1_netname"][:-1]: share["shi1_remark"][:-1] for share in connection.listShares()}
    assert shares["share"] == "described"
    assert "IPC$" in shares
    assert "hidden" not in shares


def call(connection: SMBConnection, server: Server, pipe: str, uuid):
    rpc = transport.SMBTransport(HOST, server.port, pipe, smb_connection=connection).get_dce_rpc()
    rpc.connect()
    rpc.bind(uuid)
    return rpc


def test_the_server_tells_about_itself(server) -> None:
    with logged_on(server) as connection:
        rpc = call(connection, server, r"\srvsvc", srvs.MSRPC_UUID_SRVS)
        info = srvs.hNetrServerGetInfo(rpc, 101)["InfoStruct"]["ServerInfo101"]
        assert info["sv101_name"].rstrip("\0").upper().endswith("INTEROP")
        assert info["sv101_comment"] == "the server under test\0"
        assert srvs.hNetrShareGetInfo(rpc, "hidden\0", 1)["InfoStruct"]["ShareInfo1"]["shi1_type"] == 0
        assert srvs.hNetrRemoteTOD(rpc)["BufferPtr"]["tod_elapsedt"] > 1_700_000_000
        rpc = call(connection, server, r"\wkssvc", wkst.MSRPC_UUID_WKST)
        info = wkst.hNetrWkstaGetInfo(rpc, 100)["WkstaInfo"]["WkstaInfo100"]
        assert info["wki100_computername"].rstrip("\0").upper().endswith("INTEROP")


@pytest.mark.parametrize("pipe", ["mdssvc-not", "MsFteWds", "nothing"])
def test_unknown_pipes_are_not_found(server, pipe) -> None:
    with logged_on(server) as connection:
        tree_id = connection.connectTree("IPC$")
        with pytest.raises(SessionError, match="STATUS_OBJECT_NAME_NOT_FOUND"):
            connection.openFile(tree_id, pipe)
