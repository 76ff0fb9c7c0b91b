"""Samba's NDR, by python3-samba of the system's Python, packs our requests and unpacks our answers."""

import json
import subprocess
from typing import Any

import pytest

from tests.rpc.client import ADMINISTRATOR, SHARES, WKSSVC_ID, bound, call

pytestmark = pytest.mark.interop

PEER = r"""
import json, sys
from samba.dcerpc import srvsvc, wkssvc
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
        }
        requests = [json.loads(peer.stdout.readline()) for _ in range(24)]
        answers = [call(pipes[name], opnum, bytes.fromhex(stub)).hex() for name, opnum, stub in requests]
        out, _ = peer.communicate("\n".join(answers) + "\n", timeout=30)
        assert peer.returncode == 0
    return {(name, level): values for name, level, values in map(json.loads, out.splitlines())}


def test_samba_understands_every_answer() -> None:
    answers = exchange()
    assert len(answers) == 24
    names = [share.name for share in SHARES if not share.hidden] + ["IPC$"]
    for (name, level), values in answers.items():
        assert values["result"] in (0, [0, "WERR_OK"], {"": 0}) or "OK" in str(values["result"]), (name, level)
        if name.startswith("NetShareEnum"):
            listed = [entry["name"] for entry in values["out_info_ctr"]["ctr"]["array"]]
            assert listed == (names if name == "NetShareEnumAll" else [one for one in names if "$" not in one])
            assert values["out_totalentries"] == len(listed)
    level_502 = answers["NetShareGetInfo", 502]["out_info"]
    assert (level_502["path"], level_502["max_users"]) == ("C:\\srv\\data", 0xFFFFFFFF)
    assert answers["NetShareGetInfo", 1005]["out_info"]["dfs_flags"] == 0x30
    assert answers["NetSrvGetInfo", 102]["out_info"]["comment"] == "a comment"
    assert answers["NetRemoteTOD", 0]["out_info"]["year"] == 2023
    assert answers["NetWkstaGetInfo", 101]["out_info"]["domain_name"] == "WORKGROUP"
