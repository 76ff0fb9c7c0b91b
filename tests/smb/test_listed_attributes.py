"""What a listing tells of the extended attributes of its entries, beside what is told of the files themselves."""

import struct

import pytest

from gateway.wire.query_directory import QueryDirectoryResponse
from tests.smb.client import Client, File
from tests.smb.test_queries import FULL_EA, change, full_ea, query

EA_INFORMATION = 7
EA_SIZE_AT = 64
NAME_AT = {2: 68, 3: 94, 37: 104, 38: 80, 60: 88}
"""Of each class, by where the name begins."""


async def listed(client: Client, directory: File, info_class: int, length: int = 65536) -> dict[str, int]:
    """EaSize by name, of all entries; `flags` of the first call begin anew."""
    sizes: dict[str, int] = {}
    flags = 0x10
    while True:
        call = client.list_call(directory, length, flags=flags)
        call.body.file_information_class = info_class
        (response,) = await client.ask(call)
        if response.status:
            return sizes
        flags, data = 0, bytes(response.parse(QueryDirectoryResponse).output)
        while data:
            following, name_length = struct.unpack_from("<I56xI", data)
            at = NAME_AT[info_class]
            name = data[at : at + name_length].decode("utf-16-le")
            sizes[name] = struct.unpack_from("<I", data, EA_SIZE_AT)[0]
            data = data[following:] if following else b""


async def told(client: Client, file: File) -> int:
    status, data = await query(client, file, EA_INFORMATION)
    assert status == 0
    return int.from_bytes(data, "little")


@pytest.mark.parametrize("info_class", sorted(NAME_AT))
async def test_as_the_files_say(any_server, info_class) -> None:
    client, tree = await any_server.with_tree()
    directory = await client.open_directory(tree)
    made = {name: await client.create(tree, name) for name in ("none", "one", "two", "gone")}
    assert await change(client, made["one"], FULL_EA, full_ea((b"ONE", b"first"))) == 0
    assert await change(client, made["two"], FULL_EA, full_ea((b"ONE", b"first"), (b"TWO", b"second"))) == 0
    assert await change(client, made["gone"], FULL_EA, full_ea((b"ONE", b"first"))) == 0
    assert await change(client, directory, FULL_EA, full_ea((b"TOP", b"1"))) == 0
    expected = {name: await told(client, file) for name, file in made.items()}
    expected |= dict.fromkeys((".", ".."), await told(client, directory))
    assert sorted(expected.values()) == [0, 13, 13, 17, 17, 31]
    for length in (65536, 300):  # at once, and by and by
        assert await listed(client, directory, info_class, length) == expected
    assert await change(client, made["gone"], FULL_EA, full_ea((b"ONE", b""))) == 0
    assert await change(client, made["none"], FULL_EA, full_ea((b"A", b""), (b"B", b"2"))) == 0
    expected |= {"gone": 0, "none": 4 + 5 + 1 + 1}
    assert await listed(client, directory, info_class) == expected


async def test_a_directory_below_another(any_server) -> None:
    client, tree = await any_server.with_tree()
    top = await client.open_directory(tree)
    await client.close_file(await client.create(tree, "below", options=1))
    below = await client.open_directory(tree, "below")
    assert await change(client, top, FULL_EA, full_ea((b"TOP", b"1"))) == 0
    assert await change(client, below, FULL_EA, full_ea((b"BELOW", b"12345"))) == 0
    assert await listed(client, below, 37) == {".": 4 + 5 + 5 + 5, "..": 4 + 5 + 3 + 1}
