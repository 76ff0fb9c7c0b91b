"""Streams, times and odd requests over the wire."""

import os
import struct

import pytest

from gateway.nt.constants import FILE_DIRECTORY_FILE, FILE_NAMED_STREAMS, FILE_OPEN, FILE_OPEN_BY_FILE_ID
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_A_DIRECTORY,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SHARING_VIOLATION,
    STATUS_SUCCESS,
)
from gateway.share.settings import ShareSettings
from gateway.wire.query_directory import QueryDirectoryResponse
from gateway.wire.query_info import QueryInfoResponse
from tests.smb.client import EXCLUSIVE, NOW, SHARED, Client, File
from tests.smb.server import Exported

BASIC, STANDARD, RENAME, ALL_INFORMATION, ALLOCATION, STREAMS = 4, 5, 10, 18, 19, 22
FS_ATTRIBUTES = 5
SUSPEND, RESUME = -1, -2


@pytest.fixture(params=["memory", "posix"])
async def client(request, make_server, tmp_path):
    server = await make_server(Exported(path=tmp_path if request.param == "posix" else None))
    return await server.with_tree()


async def streams(client: Client, file: File) -> list[tuple[str, int]]:
    (response,) = await client.ask(client.query_info_call(file, STREAMS))
    data = bytes(response.parse(QueryInfoResponse).output)
    found = []
    while data:
        following, length, size, _ = struct.unpack_from("<IIQQ", data)
        found.append((data[24 : 24 + length].decode("utf-16-le"), size))
        data = data[following:] if following else b""
    return sorted(found)


async def volume_attributes(client: Client, file: File) -> int:
    call = client.query_info_call(file, FS_ATTRIBUTES)
    call.body.info_type = 2
    (response,) = await client.ask(call)
    attributes: int = struct.unpack_from("<I", response.parse(QueryInfoResponse).output)[0]
    return attributes


async def rename(client: Client, file: File, name: str) -> int:
    encoded = name.encode("utf-16-le")
    data = struct.pack("<B7xQI", 1, 0, len(encoded)) + encoded
    (response,) = await client.ask(client.set_info_call(file, RENAME, data))
    return response.status


async def times(client: Client, file: File) -> tuple[int, ...]:
    """Creation, last access, last write, change."""
    (response,) = await client.ask(client.query_info_call(file, BASIC))
    return struct.unpack_from("<QQQQ", response.parse(QueryInfoResponse).output)


async def set_times(client: Client, file: File, *values: int, attributes: int = 0) -> None:
    (response,) = await client.ask(client.set_info_call(file, BASIC, struct.pack("<qqqqI4x", *values, attributes)))
    assert response.status == STATUS_SUCCESS


async def test_streams(client) -> None:
    client, tree = client
    stream = await client.create(tree, "file:One")
    await client.write(stream, b"data")
    file = await client.create(tree, "file::$DATA")
    await client.write(file, b"default")
    expected = [("::$DATA", 7), (":One:$DATA", 4)]
    assert await streams(client, file) == await streams(client, stream) == expected
    again = await client.create(tree, "FILE:ONE:$data", disposition=FILE_OPEN)
    assert await client.read(again, 10) == b"data"
    (response,) = await client.ask(client.query_info_call(again, ALL_INFORMATION))
    assert bytes(response.parse(QueryInfoResponse).output).endswith("\\file:One".encode("utf-16-le"))
    await client.close_file(again)
    assert await rename(client, stream, ":Two") == STATUS_SUCCESS
    assert await streams(client, file) == [("::$DATA", 7), (":Two:$DATA", 4)]
    assert await rename(client, stream, "file:Three") == STATUS_SHARING_VIOLATION
    assert await rename(client, file, "other:Three") == STATUS_OBJECT_NAME_INVALID
    assert await rename(client, file, ":Three") == STATUS_INVALID_PARAMETER
    # What others have open of it is in the way.
    assert await rename(client, file, "other") == STATUS_ACCESS_DENIED
    await client.close_file(stream)
    assert await rename(client, file, "other") == STATUS_SUCCESS


async def test_streams_of_a_directory(client) -> None:
    client, tree = client
    directory = await client.create(tree, "dir", options=FILE_DIRECTORY_FILE)
    assert await streams(client, directory) == []
    await client.close_file(await client.create(tree, "dir:one"))
    assert await streams(client, directory) == [(":one:$DATA", 0)]
    status = await client.create_status(tree, "dir::$DATA", options=FILE_DIRECTORY_FILE)
    assert status == STATUS_NOT_A_DIRECTORY
    assert await client.create_status(tree, "dir::$DATA") == STATUS_FILE_IS_A_DIRECTORY
    await client.close_file(await client.create(tree, "dir::$INDEX_ALLOCATION", disposition=FILE_OPEN))


async def test_volume_has_streams(client) -> None:
    client, tree = client
    root = await client.open_directory(tree)
    assert await volume_attributes(client, root) & FILE_NAMED_STREAMS


async def test_times_are_set_and_kept(client) -> None:
    client, tree = client
    file = await client.create(tree, "file")
    wanted = (116_000_000_000_000_001, 0, 127_000_000_000_000_001, 128_000_000_000_000_001)
    await set_times(client, file, *wanted)
    creation, _, write, change = await times(client, file)
    assert (creation, write, change) == (wanted[0], wanted[2], wanted[3])
    await client.write(file, b"data")
    assert (await times(client, file))[2:] == wanted[2:]
    await client.close_file(file)
    file = await client.create(tree, "file", disposition=FILE_OPEN)
    assert (await times(client, file))[2:] == wanted[2:]
    await set_times(client, file, SUSPEND, SUSPEND, SUSPEND, SUSPEND)
    await client.write(file, b"more")
    assert (await times(client, file))[2:] == wanted[2:]
    await set_times(client, file, RESUME, RESUME, RESUME, RESUME)
    assert (await times(client, file))[2:] == wanted[2:]
    await client.write(file, b"last")
    assert (await times(client, file))[2] > wanted[2]


async def test_times_of_the_last_access_are_set_and_kept(any_server) -> None:
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file")
    await client.write(file, b"data")
    early = 116_000_000_000_000_001
    for access_time in (early, SUSPEND):
        await set_times(client, file, 0, access_time, 0, 0)
        assert await client.read(file, 4) == b"data"
        assert (await times(client, file))[1] == early


async def test_requests_that_cannot_be_meant(client) -> None:
    client, tree = client
    file = await client.create(tree, "file")
    (response,) = await client.ask(client.lock_call(file, (0, 1, SHARED | NOW), (5, 1, EXCLUSIVE)))
    assert response.status == STATUS_INVALID_PARAMETER
    assert await client.create_status(tree, "names", options=FILE_OPEN_BY_FILE_ID) == STATUS_NOT_SUPPORTED
    call = client.create_call(tree, "file", contexts=((b"TWrp", struct.pack("<Q", 10000)),))
    (response,) = await client.ask(call)
    assert response.status == STATUS_OBJECT_NAME_NOT_FOUND


@pytest.mark.parametrize("name", ["f:s", "f:s:$DATA", "f::$DATA", "f:s:odd", "d::$INDEX_ALLOCATION"])
async def test_a_share_without_streams(make_server, tmp_path, name):
    """Streams that are there already stay, and are not told of."""
    plain = Exported("plain", tmp_path, settings=ShareSettings(named_streams=False))
    server = await make_server(Exported(path=tmp_path), plain)
    client, tree = await server.with_tree()
    await client.close_file(await client.create(tree, "f:s"))
    tree = await client.connect("plain")
    assert await client.create_status(tree, name) == STATUS_OBJECT_NAME_INVALID
    file = await client.create(tree, "f")
    assert [found for found, _ in await streams(client, file)] == ["::$DATA"]
    assert not await volume_attributes(client, file) & FILE_NAMED_STREAMS


TICKS_PER_SECOND = 10_000_000
UNIX_EPOCH = 116_444_736_000_000_000
"""1970, as a FILETIME."""


@pytest.mark.parametrize(
    "seconds",
    [-2_147_483_647, -63_158_400, -2, -1, 0, 1, 4_294_967_295, 10_000_000_000, 15_032_385_534],
    ids=["1901", "1968", "-2 s", "-1 s", "1970", "1 s", "2106", "2286", "2446"],
)
async def test_times_before_1970_and_far_away(client, seconds) -> None:
    """To 100 ns, in what is set, told of the file, and listed."""
    client, tree = client
    file = await client.create(tree, "file")
    base = UNIX_EPOCH + seconds * TICKS_PER_SECOND
    wanted = (base + 1, base + 1_234_567, base + 9_999_999, base + 7)
    await set_times(client, file, *wanted)
    assert await times(client, file) == wanted
    await client.close_file(file)
    assert await times(client, await client.create(tree, "file", disposition=FILE_OPEN)) == wanted
    directory = await client.open_directory(tree)
    (response,) = await client.ask(client.list_call(directory, pattern="file"))
    assert struct.unpack_from("<QQQQ", response.parse(QueryDirectoryResponse).output, 8) == wanted


async def test_a_creation_time_of_any_year(client) -> None:
    client, tree = client
    file = await client.create(tree, "file")
    for wanted in (1, 3_155_378_976_000_000_001):
        await set_times(client, file, wanted, 0, 0, 0)
        assert (await times(client, file))[0] == wanted


async def test_allocation(client) -> None:
    """What is reserved is told, does not change the size, and goes with what is cut off."""
    client, tree = client
    file = await client.create(tree, "file", contexts=[(b"AlSi", (100_000).to_bytes(8, "little"))])

    async def sizes() -> tuple[int, int]:
        (response,) = await client.ask(client.query_info_call(file, STANDARD))
        allocated, size = struct.unpack_from("<QQ", response.parse(QueryInfoResponse).output)
        return allocated, size

    allocated, size = await sizes()
    assert (allocated >= 100_000, size) == (True, 0)
    await client.write(file, bytes(5000))
    assert (await sizes())[1] == 5000
    (response,) = await client.ask(client.set_info_call(file, ALLOCATION, (200_000).to_bytes(8, "little")))
    allocated, size = await sizes()
    assert (response.status, allocated >= 200_000, size) == (STATUS_SUCCESS, True, 5000)
    (response,) = await client.ask(client.set_info_call(file, ALLOCATION, (1000).to_bytes(8, "little")))
    assert (response.status, (await sizes())[1]) == (STATUS_SUCCESS, 1000)
    (response,) = await client.ask(client.set_info_call(file, ALLOCATION, (-1).to_bytes(8, "little", signed=True)))
    assert (response.status, (await sizes())[1]) == (STATUS_INVALID_PARAMETER, 1000)


@pytest.mark.parametrize("name", ["AFP_AfpInfo", "AFP_Resource"])
async def test_streams_of_macs_are_streams(client, tmp_path, name) -> None:
    """What they hold is kept as it is, also where Samba looks for it."""
    client, tree = client
    file = await client.create(tree, "file")
    stream = await client.create(tree, f"file:{name}:$DATA")
    contents = b"AFP\0\0\1\0\0" + bytes(range(52))
    await client.write(stream, contents)
    assert await streams(client, file) == [("::$DATA", 0), (f":{name}:$DATA", 60)]
    assert await client.read(stream, 100) == contents
    if (tmp_path / "file").exists():
        assert os.getxattr(tmp_path / "file", f"user.DosStream.{name}:$DATA") == contents + b"\0"
