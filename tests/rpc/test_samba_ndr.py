"""Samba's NDR, by python3-samba of the system's Python, packs our requests and unpacks our answers."""

import json
import subprocess
from typing import Any

import pytest

from acl.sid import Sid
from tests.rpc.client import ADMINISTRATOR, KNOWN, LSARPC_ID, MACHINE, SHARES, USER, WKSSVC_ID, bound, call

pytestmark = pytest.mark.interop

PEER = r"""
import json, sys
from samba.dcerpc import lsa, misc, security, srvsvc, wkssvc
from samba.ndr import ndr_pack_in, ndr_unpack_out

def calls():
    for opnum in ("NetShareEnumAll", "NetShareEnum"):
        for level in (0, 1, 2, 501, 502):
            if (opnum, level) == ("NetShareEnum", 501):
                continue
            r = getattr(srvsvc, opnum)()
            r.in_server_unc = "\\\\server"
            r.in_info_ctr = srvsvc.NetShareInfoCtr()
            r.in_info_ctr.level = level
            r.in_info_ctr.ctr = getattr(srvsvc, "NetShareCtr%d" % level)()
            r.in_max_buffer = 0xFFFFFFFF
            r.in_resume_handle = 0
            yield "srvsvc", r, level
    for level in (0, 1, 2, 501, 502, 1005):
        r = srvsvc.NetShareGetInfo()
        r.in_server_unc, r.in_share_name, r.in_level = "\\\\server", "DATA", level
        yield "srvsvc", r, level
    for level in (100, 101, 102):
        r = srvsvc.NetSrvGetInfo()
        r.in_server_unc, r.in_level = None, level
        yield "srvsvc", r, level
    r = srvsvc.NetRemoteTOD()
    r.in_server_unc = "x"
    yield "srvsvc", r, 0
    r = srvsvc.NetNameValidate()
    r.in_server_unc, r.in_name, r.in_name_type, r.in_flags = "x", "share", 9, 0
    yield "srvsvc", r, 0
    r = srvsvc.NetShareCheck()
    r.in_server_unc, r.in_device_name = "x", "C:\\srv\\data"
    yield "srvsvc", r, 0
    for level in (100, 101, 102):
        r = wkssvc.NetWkstaGetInfo()
        r.in_server_name, r.in_level = "\\\\server", level
        yield "wkssvc", r, level
    handle = misc.policy_handle("00000000-0000-0000-0000-000000000001")
    r = lsa.OpenPolicy2()
    r.in_system_name, r.in_attr, r.in_access_mask = "\\\\server", lsa.ObjectAttribute(), 0x2000000
    r.in_attr.sec_qos = lsa.QosInfo()
    yield "lsarpc", r, 0
    for level in (3, 5, 12):
        for kind in (lsa.QueryInfoPolicy, lsa.QueryInfoPolicy2):
            r = kind()
            r.in_handle, r.in_level = handle, level
            yield "lsarpc", r, level
    for kind, names in ((lsa.LookupSids, lsa.TransNameArray), (lsa.LookupSids2, lsa.TransNameArray2)):
        r = kind()
        r.in_handle, r.in_level, r.in_count, r.in_names = handle, 1, 0, names()
        r.in_sids = lsa.SidArray()
        pointers = []
        for text in ("S-1-5-21-11-22-33-3000", "S-1-1-0", "S-1-5-11"):
            pointer = lsa.SidPtr()
            pointer.sid = security.dom_sid(text)
            pointers.append(pointer)
        r.in_sids.sids, r.in_sids.num_sids = pointers, len(pointers)
        if kind is lsa.LookupSids2:
            r.in_lookup_options, r.in_client_revision = 0, 2
        yield "lsarpc", r, 0
    arrays = (lsa.TransSidArray, lsa.TransSidArray2, lsa.TransSidArray3)
    for kind, array in zip((lsa.LookupNames, lsa.LookupNames2, lsa.LookupNames3), arrays):
        r = kind()
        r.in_handle, r.in_level, r.in_count, r.in_sids = handle, 1, 0, array()
        names = []
        for text in ("SMBGATE\\staff", "Everyone"):
            name = lsa.String()
            name.string = text
            names.append(name)
        r.in_names, r.in_num_names = names, len(names)
        if kind is not lsa.LookupNames:
            r.in_lookup_options, r.in_client_revision = 0, 2
        yield "lsarpc", r, 0
    r = lsa.Close()
    r.in_handle = handle
    yield "lsarpc", r, 0

def plain(value, depth=0):
    if depth > 6 or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    names = [name for name in dir(value) if not name.startswith("_") and name not in ("opnum",)]
    return {name: plain(getattr(value, name), depth + 1) for name in names if not name.startswith("in_")
            and not callable(getattr(value, name))}

made = list(calls())
for pipe, r, level in made:
    print(json.dumps([pipe, r.opnum(), ndr_pack_in(r).hex()]))
print()
sys.stdout.flush()
for pipe, r, level in made:
    ndr_unpack_out(r, bytes.fromhex(sys.stdin.readline()))
    print(json.dumps([type(r).__name__, level, plain(r)]))
sys.stdout.flush()
"""


def exchange() -> dict[tuple[str, int], dict[str, Any]]:
    """Every call of the peer with its answer, by name and level, as Samba unpacked it."""
    with subprocess.Popen(
        ["/usr/bin/python3", "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdin
        assert peer.stdout
        pipes = {
            "srvsvc": bound(caller=ADMINISTRATOR),
            "wkssvc": bound("wkssvc", ADMINISTRATOR, uuid=WKSSVC_ID, major=1),
            "lsarpc": bound("lsarpc", USER, uuid=LSARPC_ID, major=0),
        }
        requests = [json.loads(line) for line in iter(peer.stdout.readline, "\n")]
        answers = [call(pipes[name], opnum, bytes.fromhex(stub)).hex() for name, opnum, stub in requests]
        out, _ = peer.communicate("\n".join(answers) + "\n", timeout=30)
        assert peer.returncode == 0
    return {(name, level): values for name, level, values in map(json.loads, out.splitlines())}


def plain(sid: Sid) -> dict[str, Any]:
    """A SID as the peer prints it."""
    return {
        "id_auth": list(sid.data[2:8]),
        "num_auths": len(sid.sub_authorities),
        "sid_rev_num": 1,
        "sub_auths": [*sid.sub_authorities, *(0,) * (15 - len(sid.sub_authorities))],
    }


def test_samba_understands_every_answer() -> None:
    answers = exchange()
    assert len(answers) == 37
    names = [share.name for share in SHARES if not share.hidden] + ["IPC$"]
    for (name, level), values in answers.items():
        assert values["result"][0] == 0, (name, level)
        if name.startswith("NetShareEnum"):
            listed = [entry["name"] for entry in values["out_info_ctr"]["ctr"]["array"]]
            assert listed == (names if name == "NetShareEnumAll" else [one for one in names if "$" not in one])
            assert values["out_totalentries"] == len(listed)
    level_502 = answers["NetShareGetInfo", 502]["out_info"]
    assert (level_502["path"], level_502["max_users"]) == ("C:\\srv\\data", 0xFFFFFFFF)
    assert answers["NetShareGetInfo", 1005]["out_info"]["dfs_flags"] == 0x30
    assert answers["NetSrvGetInfo", 102]["out_info"]["comment"] == "a comment"
    assert answers["NetRemoteTOD", 0]["out_info"]["year"] == 2023
    for level, told, sid in ((3, "WORKGROUP", None), (5, "SMBGATE", MACHINE), (12, "WORKGROUP", None)):
        for name in ("QueryInfoPolicy", "QueryInfoPolicy2"):
            info = answers[name, level]["out_info"]
            assert info["name"]["string"] == told
            assert info["sid"] == (sid and plain(sid)), info
    for name in ("LookupSids", "LookupSids2"):
        found = answers[name, 0]
        assert [one["name"]["string"] for one in found["out_domains"]["domains"]] == ["SMBGATE", "", "NT AUTHORITY"]
        translated = [(one["name"]["string"], one["sid_type"]) for one in found["out_names"]["names"]]
        assert translated == [("Bärbel-😀", 1), ("Everyone", 5), ("Authenticated Users", 5)]
        assert found["out_count"] == 3
    for name in ("LookupNames", "LookupNames2", "LookupNames3"):
        found = answers[name, 0]["out_sids"]["sids"]
        assert [(one["sid_type"], one["sid_index"]) for one in found] == [(4, 0), (5, 1)]
        if name == "LookupNames3":
            assert [one["sid"] for one in found] == [plain(KNOWN[2].sid), plain(KNOWN[4].sid)]
        else:
            assert [one["rid"] for one in found] == [3001, 0]
    assert answers["NetWkstaGetInfo", 101]["out_info"]["domain_name"] == "WORKGROUP"
