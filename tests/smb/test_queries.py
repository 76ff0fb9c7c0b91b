"""QUERY_INFO, SET_INFO, QUERY_DIRECTORY and IOCTL over the wire, on memory and on a directory."""

import struct

import pytest
import trio

from gateway.nt.constants import FILE_NO_EA_KNOWLEDGE, FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_DIRECTORY_NOT_EMPTY,
    STATUS_EA_LIST_INCONSISTENT,
    STATUS_EA_TOO_LARGE,
    STATUS_FILE_CLOSED,
    STATUS_FS_DRIVER_REQUIRED,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_EA_NAME,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_FILES,
    STATUS_NO_SUCH_FILE,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
)
from gateway.wire.query_directory import (
    SMB2_REOPEN,
    SMB2_RESTART_SCANS,
    SMB2_RETURN_SINGLE_ENTRY,
    QueryDirectoryResponse,
)
from gateway.wire.query_info import QueryInfoResponse
from tests.smb.client import ANY_FILE, Client, File
from vfs_backends.faults import Fault

BASIC, STANDARD, RENAME, LINK, DISPOSITION, POSITION, ALL, ALLOCATION, END_OF_FILE = 4, 5, 10, 11, 13, 14, 18, 19, 20
FULL_EA, MODE, VALID_DATA_LENGTH, DISPOSITION_EX = 15, 16, 39, 64
FILE, FILE_SYSTEM, SECURITY, QUOTA = 1, 2, 3, 4


async def query(
    client: Client, file: File, level: int, kind: int = FILE, length: int = 4096, **fields
) -> tuple[int, bytes]:
    """Status and data of a QUERY_INFO."""
    call = client.query_info_call(file, level, length)
    call.body.info_type = kind
    for name, value in fields.items():
        setattr(call.body, name, value)
    (response,) = await client.ask(call)
    if response.status not in (0, STATUS_BUFFER_OVERFLOW):
        return response.status, b""
    return response.status, bytes(response.parse(QueryInfoResponse).output)


async def change(client: Client, file: File, level: int, data: bytes, kind: int = FILE, **fields) -> int:
    call = client.set_info_call(file, level, data)
    call.body.info_type = kind
    for name, value in fields.items():
        setattr(call.body, name, value)
    return (await client.ask(call))[0].status


def target(name: str, *, replace: bool = False) -> bytes:
    encoded = name.encode("utf-16-le")
    return struct.pack("<B7xQI", replace, 0, len(encoded)) + encoded


async def names(client: Client, directory: File, pattern: str = "*", flags: int = 0, length: int = 65536) -> list[str]:
    """The names that one QUERY_DIRECTORY gives; none at the end."""
    (response,) = await client.ask(client.list_call(directory, length, pattern, flags))
    if response.status in (STATUS_NO_MORE_FILES, STATUS_NO_SUCH_FILE):
        return []
    assert response.status == 0
    output = bytes(response.parse(QueryDirectoryResponse).output)
    found = []
    while output:
        following, size = struct.unpack_from("<I56xI", output)
        found.append(output[104 : 104 + size].decode("utf-16-le"))
        if not following:
            break
        output = output[following:]
    return found


@pytest.fixture
async def opened(any_server):
    """A client with an open file of seven bytes."""
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file")
    await client.write(file, b"content")
    return client, tree, file


# --- asking


@pytest.mark.parametrize(
    "level", [4, 5, 6, 7, 8, 14, 16, 17, 18, 22, 28, 34, 35, 48, 59], ids=lambda level: f"class {level}"
)
async def test_classes_of_files(opened, level) -> None:
    client, _, file = opened
    status, data = await query(client, file, level)
    if level == 22:
        assert (status, b":\0:\0$\0D\0" in data) == (0, True)
    else:
        assert status == 0
        assert data or level == 22


async def test_what_they_tell(opened) -> None:
    client, _, file = opened
    _, data = await query(client, file, STANDARD)
    allocated, size, links, pending, directory = struct.unpack("<QQI??2x", data)
    assert (size, links, pending, directory) == (7, 1, False, False)
    assert allocated >= 7
    _, data = await query(client, file, ALL)
    assert data.endswith("\\file".encode("utf-16-le"))
    _, data = await query(client, file, 59)
    assert data[8:16] != bytes(8)


@pytest.mark.parametrize("level", [1, 2, 3, 12, 37, 46, 99, 255])
async def test_classes_that_are_none(opened, level) -> None:
    client, _, file = opened
    status, _ = await query(client, file, level)
    assert status in (STATUS_INVALID_INFO_CLASS, STATUS_NOT_SUPPORTED, STATUS_INVALID_PARAMETER)


async def test_too_little_room(opened) -> None:
    client, _, file = opened
    assert (await query(client, file, STANDARD, length=5))[0] == STATUS_INFO_LENGTH_MISMATCH
    status, data = await query(client, file, ALL, length=106)
    assert (status, len(data)) == (STATUS_BUFFER_OVERFLOW, 106)
    assert (await query(client, file, 0, SECURITY, 8, additional_information=7))[0] == STATUS_BUFFER_TOO_SMALL


@pytest.mark.parametrize("level", [1, 3, 4, 5, 7, 8, 11])
async def test_classes_of_file_systems(opened, level) -> None:
    client, _, file = opened
    status, data = await query(client, file, level, FILE_SYSTEM)
    assert status == 0
    assert data


async def test_other_kinds(opened) -> None:
    client, _, file = opened
    assert (await query(client, file, 0, QUOTA))[0] == STATUS_NOT_SUPPORTED
    assert (await query(client, file, 0, 9))[0] == STATUS_INVALID_PARAMETER
    assert (await query(client, file, 99, FILE_SYSTEM))[0] >= 0xC0000000
    assert await change(client, file, 5, bytes(8), FILE_SYSTEM) == STATUS_NOT_SUPPORTED


async def test_security(opened) -> None:
    client, tree, file = opened
    status, data = await query(client, file, 0, SECURITY, additional_information=7)
    assert (status, data[0]) == (0, 1)
    assert (await query(client, file, 0, SECURITY, additional_information=8))[0] == STATUS_ACCESS_DENIED
    reader = await client.create(tree, "file", access=0x80)
    assert (await query(client, reader, 0, SECURITY, additional_information=7))[0] == STATUS_ACCESS_DENIED


async def test_extended_attributes(opened) -> None:
    client, _, file = opened

    def attribute(name: bytes, value: bytes) -> bytes:
        return struct.pack("<IBBH", 0, 0, len(name), len(value)) + name + b"\0" + value

    assert (await query(client, file, FULL_EA))[0] in (0, 0xC0000052, 0x80000012)
    assert await change(client, file, FULL_EA, attribute(b"ONE", b"first")) == 0
    assert await change(client, file, FULL_EA, attribute(b"TWO", b"second")) == 0
    status, data = await query(client, file, FULL_EA, flags=1)
    assert status == 0
    assert b"first" in data
    assert b"second" in data
    status, single = await query(client, file, FULL_EA, flags=3)
    assert (status, b"first" in single, b"second" in single) == (0, True, False)
    wanted = struct.pack("<IB", 0, 3) + b"TWO\0"
    call = client.query_info_call(file, FULL_EA)
    call.body.input = memoryview(wanted)
    (response,) = await client.ask(call)
    assert b"second" in bytes(response.parse(QueryInfoResponse).output)
    assert await change(client, file, FULL_EA, attribute(b"ONE", b"")) == 0
    assert await change(client, file, FULL_EA, attribute(b"NEVER", b"")) == 0
    _, data = await query(client, file, FULL_EA, flags=1)
    assert b"first" not in data


def full_ea(*attributes: tuple[bytes, bytes], flags: int = 0) -> bytes:
    """A list of FILE_FULL_EA_INFORMATION."""
    data = b""
    for number, (name, value) in enumerate(attributes):
        entry = struct.pack("<BBH", flags, len(name), len(value)) + name + b"\0" + value
        entry += bytes(-len(entry) % 4)
        data += struct.pack("<I", 0 if number == len(attributes) - 1 else 4 + len(entry)) + entry
    return data


async def test_extended_attributes_in_create(opened) -> None:
    client, tree, _ = opened
    context = (b"ExtA", full_ea((b"ONE", b"first"), (b"TWO", b"second")))
    file = await client.create(tree, "new", contexts=[context])
    status, data = await query(client, file, FULL_EA, flags=1)
    assert (status, b"first" in data, b"second" in data) == (0, True, True)
    too_large = [(b"ExtA", full_ea((b"A", bytes(65000)), (b"B", bytes(530))))]
    assert await client.create_status(tree, "other", contexts=too_large) == STATUS_EA_TOO_LARGE
    for data, status in (
        (full_ea((b"A*", b"1")), STATUS_INVALID_EA_NAME),
        (full_ea((b"A", b"1"), flags=1), STATUS_INVALID_EA_NAME),
        (full_ea((b"A", b"1"))[:-4], STATUS_EA_LIST_INCONSISTENT),
    ):
        assert await client.create_status(tree, "other", contexts=[(b"ExtA", data)]) == status
        assert await change(client, file, FULL_EA, data) == status
    assert await client.create_status(tree, "other", disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_attributes_that_are_needed(opened) -> None:
    client, tree, file = opened
    needed, other = full_ea((b"ONE", b"first"), flags=0x80), full_ea((b"TWO", b"somewhat"))
    assert await change(client, file, FULL_EA, needed) == 0
    assert await change(client, file, FULL_EA, other) == 0
    _, data = await query(client, file, FULL_EA, flags=1)
    assert (needed[4:] in data, other[4:] in data) == (True, True)
    no_knowledge = {"options": FILE_NO_EA_KNOWLEDGE}
    assert await client.create_status(tree, "file", disposition=FILE_OPEN, **no_knowledge) == STATUS_ACCESS_DENIED
    assert await client.create_status(tree, "file", disposition=FILE_OPEN) == 0
    assert await change(client, file, FULL_EA, full_ea((b"ONE", b"first"))) == 0
    assert await client.create_status(tree, "file", disposition=FILE_OPEN, **no_knowledge) == 0
    contexts = [(b"ExtA", needed)]
    assert await client.create_status(tree, "new", contexts=contexts, **no_knowledge) == STATUS_ACCESS_DENIED
    assert await client.create_status(tree, "new", contexts=contexts) == 0
    assert await client.create_status(tree, "new", disposition=FILE_OPEN, **no_knowledge) == STATUS_ACCESS_DENIED


# --- setting


async def test_times_and_attributes(opened) -> None:
    client, _, file = opened
    when = 132_000_000_000_000_000
    assert await change(client, file, BASIC, struct.pack("<QQQQI4x", when, when + 10, when + 20, 0, 2)) == 0
    _, data = await query(client, file, BASIC)
    created, accessed, written, _, attributes = struct.unpack("<QQQQI4x", data)
    assert (created, accessed, written) == (when, when + 10, when + 20)
    assert attributes & 2
    nothing = struct.pack("<QQQQI4x", 0, 0, 0, 0, 0)
    assert await change(client, file, BASIC, nothing) == 0
    assert (await query(client, file, BASIC))[1][:16] == data[:16]
    directory = struct.pack("<QQQQI4x", 0, 0, 0, 0, 16)
    assert await change(client, file, BASIC, directory) == STATUS_INVALID_PARAMETER


async def test_sizes(opened) -> None:
    client, tree, file = opened
    assert await change(client, file, END_OF_FILE, struct.pack("<Q", 3)) == 0
    assert await client.read(file, 10) == b"con"
    assert await change(client, file, ALLOCATION, struct.pack("<Q", 100_000)) == 0
    assert await client.read(file, 10) == b"con"
    assert await change(client, file, ALLOCATION, struct.pack("<Q", 2)) == 0
    assert await client.read(file, 10) == b"co"
    assert await change(client, file, VALID_DATA_LENGTH, struct.pack("<Q", 1)) in (0, STATUS_INVALID_PARAMETER)
    assert await change(client, file, VALID_DATA_LENGTH, struct.pack("<Q", 9)) == STATUS_INVALID_PARAMETER
    directory = await client.open_directory(tree)
    assert await change(client, directory, END_OF_FILE, struct.pack("<Q", 3)) == STATUS_INVALID_PARAMETER


async def test_position_and_mode(opened) -> None:
    client, _, file = opened
    assert await change(client, file, POSITION, struct.pack("<Q", 5)) == 0
    assert (await query(client, file, POSITION))[1] == struct.pack("<Q", 5)
    assert await change(client, file, MODE, struct.pack("<I", 2)) == 0
    assert struct.unpack("<I", (await query(client, file, MODE))[1])[0] & 2


async def test_renaming(opened) -> None:
    client, tree, file = opened
    await client.close_file(await client.create(tree, "other"))
    assert await change(client, file, RENAME, target("other")) == STATUS_OBJECT_NAME_COLLISION
    assert await change(client, file, RENAME, target("other", replace=True)) == 0
    assert await client.create_status(tree, "file", disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND
    assert (await query(client, file, ALL))[1].endswith("\\other".encode("utf-16-le"))
    for name in ("", "a\\", "a*b", "..\\a"):
        assert await change(client, file, RENAME, target(name)) in (
            STATUS_OBJECT_NAME_INVALID,
            STATUS_INVALID_PARAMETER,
            STATUS_ACCESS_DENIED,
            0xC0000039,
            0xC000003A,
            0xC000003B,
        )
    assert await client.read(file, 10) == b"content"


async def test_linking(opened) -> None:
    client, tree, file = opened
    assert await change(client, file, LINK, target("second")) == 0
    second = await client.create(tree, "second", disposition=FILE_OPEN)
    assert await client.read(second, 10) == b"content"
    assert struct.unpack_from("<QQI", (await query(client, second, STANDARD))[1])[2] == 2


@pytest.mark.parametrize(("level", "yes", "no"), [(DISPOSITION, b"\1", b"\0"), (DISPOSITION_EX, b"\1\0\0\0", bytes(4))])
async def test_deleting(opened, level, yes, no) -> None:
    client, tree, file = opened
    assert await change(client, file, level, yes) == 0
    assert (await query(client, file, STANDARD))[1][20] == 1
    assert await change(client, file, level, no) == 0
    assert (await query(client, file, STANDARD))[1][20] == 0
    assert await change(client, file, level, yes) == 0
    await client.close_file(file)
    assert await client.create_status(tree, "file", disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_deleting_what_is_not_empty(opened) -> None:
    client, tree, _ = opened
    directory = await client.create(tree, "directory", options=1)
    below = await client.create(tree, "directory\\below")
    assert await change(client, directory, DISPOSITION, b"\1") == STATUS_DIRECTORY_NOT_EMPTY
    assert await change(client, below, DISPOSITION, b"\1") == 0
    await client.close_file(below)
    assert await change(client, directory, DISPOSITION, b"\1") == 0
    await client.close_file(directory)
    assert await client.create_status(tree, "directory", disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND


@pytest.mark.parametrize("level", [1, 5, 6, 18, 34, 99])
async def test_what_cannot_be_set(opened, level) -> None:
    client, _, file = opened
    assert await change(client, file, level, bytes(64)) >= 0xC0000000
    assert await client.read(file, 10) == b"content"


@pytest.mark.parametrize("level", [BASIC, RENAME, LINK, DISPOSITION, POSITION, ALLOCATION, END_OF_FILE, MODE])
async def test_too_little_to_be_set(opened, level) -> None:
    client, _, file = opened
    assert await change(client, file, level, b"") >= 0x80000000
    assert await client.read(file, 10) == b"content"


# --- listing


async def test_listing(any_server) -> None:
    client, tree = await any_server.with_tree()
    for name in ("b", "a.txt", "Ä.txt", ".hidden"):
        await client.close_file(await client.create(tree, name))
    directory = await client.open_directory(tree)
    everything = await names(client, directory)
    assert everything[:2] == [".", ".."]
    assert set(everything[2:]) == {"b", "a.txt", "Ä.txt", ".hidden"}
    assert await names(client, directory) == []
    assert set(await names(client, directory, "*.TXT", SMB2_RESTART_SCANS)) == {"a.txt", "Ä.txt"}
    assert await names(client, directory, "ä.txt", SMB2_REOPEN) == ["Ä.txt"]
    (response,) = await client.ask(client.list_call(directory, pattern="none", flags=SMB2_REOPEN))
    assert response.status == STATUS_NO_SUCH_FILE
    (response,) = await client.ask(client.list_call(directory, pattern="", flags=SMB2_REOPEN))
    assert response.status == STATUS_OBJECT_NAME_INVALID


async def test_listing_one_by_one(any_server) -> None:
    client, tree = await any_server.with_tree()
    for number in range(5):
        await client.close_file(await client.create(tree, f"file {number}"))
    directory = await client.open_directory(tree)
    found: list[str] = []
    while one := await names(client, directory, flags=SMB2_RETURN_SINGLE_ENTRY):
        assert len(one) == 1
        found += one
    assert sorted(found) == [".", "..", *(f"file {number}" for number in range(5))]


async def test_listing_needs_a_directory_and_the_right(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    assert (await client.ask(client.list_call(file)))[0].status == STATUS_INVALID_PARAMETER
    directory = await client.open_directory(tree, access=0x80)
    assert (await client.ask(client.list_call(directory)))[0].status == STATUS_ACCESS_DENIED


@pytest.mark.parametrize("flags", [0, SMB2_RESTART_SCANS, SMB2_REOPEN])
async def test_listing_at_the_same_time(any_server, flags) -> None:
    """Several requests on one open, each of which has to wait: they take turns, and nothing is left open."""
    client, tree = await any_server.with_tree()
    for number in range(20):
        await client.close_file(await client.create(tree, f"file {number}"))
    directory = await client.open_directory(tree)
    any_server.files.faults.append(Fault("open_directory", delay=0.002))
    any_server.files.faults.append(Fault("read_directory", delay=0.002))
    calls = [client.list_call(directory, 1000, flags=flags) for _ in range(6)]
    frames = [client.frame(one) for one in calls]
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    found = [(await client.answer(one)).status for one in calls]
    assert found[0] == 0
    assert set(found) <= {0, STATUS_NO_MORE_FILES}


async def test_a_client_that_goes_while_it_lists(any_server) -> None:
    client, tree = await any_server.with_tree()
    await client.close_file(await client.create(tree, "file"))
    directory = await client.open_directory(tree)
    any_server.files.faults.append(Fault("read_directory", delay=0.01))
    for flags in (0, SMB2_REOPEN, SMB2_REOPEN):
        await client.send(client.list_call(directory, flags=flags))
    await trio.sleep(0.005)
    client.close()


# --- controls


async def test_controls(any_server) -> None:
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file")
    assert (await client.ask(client.ioctl_call(tree, 0x000900C0, b"", 64, file)))[0].status == 0
    assert (await client.ask(client.ioctl_call(tree, 0x000900C0, b"", 63, file)))[0].status == STATUS_BUFFER_TOO_SMALL
    assert (await client.ask(client.ioctl_call(tree, 0x00060194, bytes(20))))[0].status == STATUS_FS_DRIVER_REQUIRED
    assert (await client.ask(client.ioctl_call(tree, 0x0011C017, b"", file=file)))[0].status == (
        STATUS_INVALID_DEVICE_REQUEST
    )
    unknown = client.ioctl_call(tree, 0x77777777, b"", file=file)
    assert (await client.ask(unknown))[0].status == STATUS_INVALID_DEVICE_REQUEST
    gone = client.ioctl_call(tree, 0x77777777, b"", file=File(tree, (1, 2)))
    assert (await client.ask(gone))[0].status == STATUS_FILE_CLOSED
    nothing = client.ioctl_call(tree, 0x000900C0, b"", 64, File(tree, ANY_FILE))
    assert (await client.ask(nothing))[0].status == STATUS_FILE_CLOSED
    call = client.ioctl_call(tree, 0x000900C0, b"", 64, file)
    call.body.flags = 0
    assert (await client.ask(call))[0].status == STATUS_NOT_SUPPORTED
    call = client.ioctl_call(tree, 0x000900C0, b"", 64, file)
    call.body.max_input_response = 9 << 20
    assert (await client.ask(call))[0].status == STATUS_INVALID_PARAMETER
