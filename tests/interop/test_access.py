"""Who is let in, and which dialects and protections a server insists on."""

import pytest

from tests.interop.relay import relayed
from tests.interop.servers import Configuration
from tests.interop.smbclient import smbclient


@pytest.mark.parametrize("dialect", ["SMB2_10", "SMB3_11"])
@pytest.mark.parametrize("credentials", ["{user}%wrong", "{user}%", "nobody-here%Tester.123", "{user}%tester.123"])
def test_wrong_passwords_and_unknown_users_fail(server, dialect, credentials) -> None:
    user = credentials.format(user=server.user)
    assert "NT_STATUS_LOGON_FAILURE" in smbclient(server, "ls", user=user, dialect=dialect, check=False)


@pytest.mark.parametrize("domain", ["", "ANYDOMAIN/", "INTEROP/", "WORKGROUP/"])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_a_user_is_known_in_any_case_and_domain(server, user, domain, case) -> None:
    smbclient(server, "ls", user=f"{domain}{case(user.name)}%{user.password}")


@pytest.mark.parametrize("credentials", ["%", "guest%", "nobody%"])
def test_anonymous_and_guest_are_refused_by_default(server, credentials) -> None:
    output = smbclient(server, "ls", user=credentials, check=False)
    assert "NT_STATUS_ACCESS_DENIED" in output or "NT_STATUS_LOGON_FAILURE" in output


def test_unknown_shares(server) -> None:
    assert "NT_STATUS_BAD_NETWORK_NAME" in smbclient(server, "ls", share="nothing", check=False)


@pytest.mark.parametrize("dialect", ["NT1", "SMB2_02"])
def test_old_dialects_are_refused_by_default(server, dialect) -> None:
    smbclient(server, "ls", dialect=dialect, check=False)


def test_a_negotiation_that_begins_with_smb1_leads_to_smb2(server) -> None:
    with relayed(server.port) as relay:
        smbclient(server, "ls", options=("--option=client min protocol=NT1",), port=relay.port)
    assert relay.dialect == 0x0311


@pytest.mark.parametrize("dialect", ["SMB2_10", "SMB3_00", "SMB3_11"])
def test_signing_is_mandatory_by_default(server, dialect) -> None:
    with relayed(server.port) as relay:
        smbclient(server, "ls", dialect=dialect, protection="off", port=relay.port)
    assert relay.seen["signed"]
    assert not relay.seen["plain"]


def test_a_server_that_insists_on_sealing(serve) -> None:
    server = serve(Configuration({"smb3 encryption": "mandatory"}))
    with relayed(server.port) as relay:
        smbclient(server, "ls", port=relay.port)
    assert relay.seen["sealed"]
    assert not relay.seen["plain"]
    smbclient(server, "ls", dialect="SMB2_10", check=False)


def test_dialects_are_limited_as_configured(serve) -> None:
    server = serve(Configuration({"server min protocol": "SMB3_00", "server max protocol": "SMB3_02"}))
    with relayed(server.port) as relay:
        smbclient(server, "ls", port=relay.port)
    assert relay.dialect == 0x0302
    smbclient(server, "ls", dialect="SMB2_10", check=False)
    smbclient(server, "ls", dialect="SMB3_11", check=False)
