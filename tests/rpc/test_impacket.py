"""impacket's client against our pipes, over a transport in memory."""

import pytest
from impacket.dcerpc.v5 import lsad, lsat, rpcrt, srvs, wkst
from impacket.dcerpc.v5.dtypes import MAXIMUM_ALLOWED
from impacket.uuid import uuidtup_to_bin

from gateway.rpc.interface import ShareInfo
from tests.rpc.client import ADMINISTRATOR, DESCRIPTOR, MACHINE, NOW, USER, pipe


class Memory:
    """What impacket's DCERPC_v5 needs of a transport."""

    def __init__(self, opened, chunk: int) -> None:
        self.opened = opened
        self.chunk = chunk
        self.max_fragment: int | None = None

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def send(self, data, forceWriteAndx=0, forceRecv=0) -> None:
        data = bytes(data)
        for start in range(0, len(data), self.chunk):
            self.opened.write(data[start : start + self.chunk])

    def recv(self, forceRecv=0, count=0) -> bytes:
        data, _ = self.opened.read(count or 65535)
        return bytes(data)

    def get_credentials(self) -> tuple[str | None, ...]:
        return ("", "", "", "", "", "", None, None)

    def get_kerberos(self) -> bool:
        return False

    def get_stringbinding(self) -> None:
        return None

    def set_max_fragment_size(self, size) -> None:
        self.max_fragment = size


UUIDS = {"srvsvc": srvs.MSRPC_UUID_SRVS, "wkssvc": wkst.MSRPC_UUID_WKST, "lsarpc": lsat.MSRPC_UUID_LSAT}


def connect(name="srvsvc", caller=ADMINISTRATOR, chunk=65536, **kwargs) -> rpcrt.DCERPC_v5:
    dce = rpcrt.DCERPC_v5(Memory(pipe(name, caller, **kwargs), chunk))
    dce.connect()
    dce.bind(UUIDS[name])
    return dce


@pytest.mark.parametrize("chunk", [10, 65536])
def test_shares_are_enumerated(chunk) -> None:
    answer = srvs.hNetrShareEnum(connect(chunk=chunk), 1)
    entries = answer["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"]
    found = {entry["shi1_netname"][:-1]: (entry["shi1_type"], entry["shi1_remark"][:-1]) for entry in entries}
    assert found == {
        "data": (0, "Daten für alle"),
        "empty": (0, ""),
        "Büro-😀": (0, "Unicode"),
        "ADMIN$": (0x80000000, "admin"),
        "IPC$": (0x80000003, "Remote IPC"),
    }


def test_a_thousand_shares_come_in_many_fragments() -> None:
    dce = connect(shares=[ShareInfo(f"share{number}", comment="x" * 48) for number in range(1000)])
    answer = srvs.hNetrShareEnum(dce, 1)
    assert answer["TotalEntries"] == 1001
    assert answer["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"][999]["shi1_netname"] == "share999\0"


def test_share_info_502() -> None:
    info = srvs.hNetrShareGetInfo(connect(), "Büro-😀\0", 502)["InfoStruct"]["ShareInfo502"]
    assert (info["shi502_max_uses"], info["shi502_current_uses"]) == (5, 2)
    assert info["shi502_path"] == "C:\\büro\0"
    info = srvs.hNetrShareGetInfo(connect(), "data\0", 502)["InfoStruct"]["ShareInfo502"]
    assert b"".join(info["shi502_security_descriptor"]) == DESCRIPTOR


def test_server_info() -> None:
    info = srvs.hNetrServerGetInfo(connect(), 102)["InfoStruct"]["ServerInfo102"]
    assert info["sv102_name"] == "SMBGATE\0"
    assert info["sv102_comment"] == "a comment\0"
    assert (info["sv102_version_major"], info["sv102_version_minor"], info["sv102_platform_id"]) == (10, 0, 500)


def test_time_of_day() -> None:
    info = srvs.hNetrRemoteTOD(connect())["BufferPtr"]
    assert info["tod_elapsedt"] == int(NOW)
    when = [info[f"tod_{unit}"] for unit in ("year", "month", "day", "hours", "mins", "secs", "hunds", "weekday")]
    assert when == [2023, 11, 14, 22, 13, 20, 25, 2]


def test_workstation_info() -> None:
    info = wkst.hNetrWkstaGetInfo(connect("wkssvc", USER), 101)["WkstaInfo"]["WkstaInfo101"]
    assert info["wki101_computername"] == "SMBGATE\0"
    assert info["wki101_langroup"] == "WORKGROUP\0"
    assert wkst.hNetrWkstaGetInfo(connect("wkssvc"), 102)["WkstaInfo"]["WkstaInfo102"]["wki102_logged_on_users"] == 0


def test_names_of_sids_and_sids_of_names() -> None:
    dce = connect("lsarpc", USER)
    policy = lsad.hLsarOpenPolicy2(dce, MAXIMUM_ALLOWED | lsat.POLICY_LOOKUP_NAMES)["PolicyHandle"]
    level = lsad.POLICY_INFORMATION_CLASS.PolicyAccountDomainInformation
    domain = lsad.hLsarQueryInformationPolicy2(dce, policy, level)["PolicyInformation"]["PolicyAccountDomainInfo"]
    assert (domain["DomainName"], domain["DomainSid"].formatCanonical()) == ("SMBGATE", str(MACHINE))
    answer = lsat.hLsarLookupSids(dce, policy, [f"{MACHINE}-3000", "S-1-5-11", "S-1-1-0", "S-1-5-32-544"])
    domains = [one["Name"] for one in answer["ReferencedDomains"]["Domains"]]
    found = [(domains[one["DomainIndex"]], one["Name"], one["Use"]) for one in answer["TranslatedNames"]["Names"]]
    assert found == [
        ("SMBGATE", "Bärbel-😀", 1),
        ("NT AUTHORITY", "Authenticated Users", 5),
        ("", "Everyone", 5),
        ("BUILTIN", "Administrators", 4),
    ]
    for lookup in (lsat.hLsarLookupNames, lsat.hLsarLookupNames2):
        answer = lookup(dce, policy, ["SMBGATE\\staff", "BUILTIN\\Administrators"])
        assert [one["RelativeId"] for one in answer["TranslatedSids"]["Sids"]] == [3001, 544]
    answer = lsat.hLsarLookupNames3(dce, policy, ["SMBGATE\\staff"])
    assert answer["TranslatedSids"]["Sids"][0]["Sid"].formatCanonical() == f"{MACHINE}-3001"
    with pytest.raises(lsat.DCERPCSessionError, match="STATUS_SOME_NOT_MAPPED"):
        lsat.hLsarLookupSids(dce, policy, ["S-1-1-0", "S-1-5-21-1-2-3-4"])
    with pytest.raises(lsat.DCERPCSessionError, match="STATUS_NONE_MAPPED"):
        lsat.hLsarLookupNames(dce, policy, ["nobody"])
    lsad.hLsarClose(dce, policy)


def test_refusals_are_understood() -> None:
    with pytest.raises(srvs.DCERPCSessionError, match="0x906"):
        srvs.hNetrShareGetInfo(connect(), "nothing\0", 1)
    with pytest.raises(rpcrt.DCERPCException, match="nca_s_op_rng_error"):
        srvs.hNetrShareDel(connect(), "data\0")


def test_other_interfaces_and_syntaxes_are_refused() -> None:
    dce = rpcrt.DCERPC_v5(Memory(pipe(), 65536))
    with pytest.raises(rpcrt.DCERPCException, match="abstract_syntax_not_supported"):
        dce.bind(uuidtup_to_bin(("12345678-1234-abcd-ef00-0123456789ac", "1.0")))
    dce = rpcrt.DCERPC_v5(Memory(pipe(), 65536))
    with pytest.raises(rpcrt.DCERPCException, match="transfer_syntaxes_not_supported"):
        dce.bind(srvs.MSRPC_UUID_SRVS, transfer_syntax=("71710533-beba-4937-8319-b5dbef9ccc36", "1.0"))


def test_an_altered_context_and_fragmented_requests() -> None:
    dce = connect()
    dce.set_max_fragment_size(16)
    assert srvs.hNetrShareGetInfo(dce, "data\0", 1)["InfoStruct"]["ShareInfo1"]["shi1_netname"] == "data\0"
    other = dce.alter_ctx(srvs.MSRPC_UUID_SRVS)
    assert srvs.hNetrShareGetInfo(other, "data\0", 0)["InfoStruct"]["ShareInfo0"]["shi0_netname"] == "data\0"
