"""Short names over the wire: listed, asked for, and searched by."""

import struct

import pytest

from gateway.nt.shortnames import short_name
from gateway.share.settings import ShareSettings
from gateway.wire.query_directory import SMB2_RESTART_SCANS, QueryDirectoryResponse
from gateway.wire.query_info import QueryInfoResponse
from tests.smb.client import Client, File
from tests.smb.server import Exported

LONG = "A long name.text"
BOTH, NAMES, ID_BOTH = 3, 12, 37
ALTERNATE_NAME = 21


@pytest.fixture(params=[True, False], ids=["on", "off"])
async def opened(request, make_server, tmp_path):
    server = await make_server(Exported(path=tmp_path, settings=ShareSettings(short_names=request.param)))
    client, tree = await server.with_tree()
    for name in (LONG, "readme.txt"):
        await client.close_file(await client.create(tree, name))
    return client, tree, request.param


async def listed(client: Client, directory: File, info_class: int, pattern: str = "*") -> dict[str, str]:
    """Names to short names."""
    call = client.list_call(directory, 4096, pattern, SMB2_RESTART_SCANS)
    call.body.file_information_class = info_class
    (response,) = await client.ask(call)
    if response.status:
        return {}
    data = bytes(response.parse(QueryDirectoryResponse).output)
    found = {}
    while data:
        following, _, _, _, _, _, _, _, _, length, _, short_length = struct.unpack_from("<IIQQQQQQIIIB", data)
        start = {BOTH: 94, ID_BOTH: 104}[info_class]
        short = data[70 : 70 + short_length].decode("utf-16-le")
        found[data[start : start + length].decode("utf-16-le")] = short
        data = data[following:] if following else b""
    return found


async def alternate(client: Client, file: File) -> str:
    (response,) = await client.ask(client.query_info_call(file, ALTERNATE_NAME))
    return bytes(response.parse(QueryInfoResponse).output)[4:].decode("utf-16-le")


@pytest.mark.parametrize("info_class", [BOTH, ID_BOTH])
async def test_listing(opened, info_class) -> None:
    client, tree, on = opened
    directory = await client.open_directory(tree)
    short = short_name(LONG) if on else ""
    assert await listed(client, directory, info_class) == {".": "", "..": "", LONG: short, "readme.txt": ""}
    assert await listed(client, directory, info_class, short_name(LONG)) == ({LONG: short} if on else {})
    assert await listed(client, directory, info_class, "*~?.tex") == ({LONG: short} if on else {})


async def test_asking(opened) -> None:
    client, tree, on = opened
    file = await client.create(tree, short_name(LONG) if on else LONG, disposition=1)
    assert await alternate(client, file) == (short_name(LONG) if on else "")
    assert await alternate(client, await client.create(tree, "readme.txt")) == "README.TXT"
