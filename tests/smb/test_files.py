"""Files over the wire: what a share forbids, what contexts tell, and what fails leaves nothing behind."""

import struct

import pytest

from gateway.nt.constants import (
    FILE_CREATE,
    FILE_DELETE_ON_CLOSE,
    FILE_OPEN,
    FILE_OPEN_IF,
    FILE_OVERWRITE,
    FILE_OVERWRITE_IF,
    FILE_SUPERSEDE,
)
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_END_OF_FILE,
    STATUS_INTERNAL_ERROR,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_IO_DEVICE_ERROR,
    STATUS_NO_MORE_FILES,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_TOO_MANY_OPENED_FILES,
)
from gateway.smb.limits import Limits
from gateway.wire.close import SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB
from gateway.wire.create_contexts import MaximalAccessResponse, OnDiskIdResponse
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.query_directory import QueryDirectoryResponse
from gateway.wire.read import ReadResponse
from tests.smb.client import ALL_ACCESS, Call, Client, File
from tests.smb.server import Exported, Server
from vfs_backends.errors import Kind
from vfs_backends.faults import Fault
from vfs_backends.stack import StackedHandle

READ_ACCESS = 0x00120089
WRITE_ACCESS = 0x00120116
DISPOSITION, END_OF_FILE, RENAME, BASIC = 13, 20, 10, 4


def rename_to(name: str, *, replace: bool = False) -> bytes:
    encoded = name.encode("utf-16-le")
    return struct.pack("<B7xQI", replace, 0, len(encoded)) + encoded


# --- a share that is read-only


@pytest.fixture(params=["memory", "posix"])
async def read_only(request, make_server, tmp_path) -> Server:
    """A share that holds `file` and an empty `directory`, and may only be read."""
    one = Exported(path=tmp_path if request.param == "posix" else None)
    server: Server = await make_server(one)
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    await client.write(file, b"content")
    await client.close_file(file)
    await client.close_file(await client.create(tree, "directory", options=1))
    await client.disconnect(tree)
    one.read_only = True
    return server


@pytest.mark.parametrize(
    "options",
    [
        {"path": "new", "disposition": FILE_CREATE, "access": READ_ACCESS},
        {"path": "new", "disposition": FILE_OPEN_IF, "access": READ_ACCESS},
        {"path": "new", "disposition": FILE_OPEN_IF, "access": READ_ACCESS, "options": 1},
        {"path": "file", "disposition": FILE_OVERWRITE, "access": READ_ACCESS},
        {"path": "file", "disposition": FILE_OVERWRITE_IF, "access": READ_ACCESS},
        {"path": "file", "disposition": FILE_SUPERSEDE, "access": READ_ACCESS},
        {"path": "file", "disposition": FILE_OPEN, "access": WRITE_ACCESS},
        {"path": "file", "disposition": FILE_OPEN, "access": 0x4},
        {"path": "file", "disposition": FILE_OPEN, "access": 0x100},
        {"path": "file", "disposition": FILE_OPEN, "access": 0x10000},
        {"path": "file", "disposition": FILE_OPEN, "access": 0x40000},
        {"path": "file", "disposition": FILE_OPEN, "access": 0x10000000},
        {"path": "file", "disposition": FILE_OPEN, "access": READ_ACCESS | 0x10000, "options": FILE_DELETE_ON_CLOSE},
        {"path": "file", "disposition": FILE_OPEN, "access": 0x02000000, "options": FILE_DELETE_ON_CLOSE},
        {"path": "directory", "disposition": FILE_OPEN, "access": 0x2},
    ],
)
async def test_nothing_changes_in_a_read_only_share(read_only, options) -> None:
    """Neither is anything made, emptied or deleted by opening it."""
    client, tree = await read_only.with_tree()
    assert await client.create_status(tree, **options) == STATUS_ACCESS_DENIED
    file = await client.create(tree, "file", access=READ_ACCESS, disposition=FILE_OPEN)
    assert await client.read(file, 100) == b"content"
    assert await client.create_status(tree, "new", disposition=FILE_OPEN, access=0x80) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_what_may_be_done_in_a_read_only_share(read_only) -> None:
    client, tree = await read_only.with_tree()
    file = await client.create(tree, "file", access=0x02000000, disposition=FILE_OPEN)
    assert await client.read(file, 100) == b"content"
    for call in (
        client.write_call(file, b"changed"),
        client.flush_call(file),
        client.set_info_call(file, END_OF_FILE, bytes(8)),
        client.set_info_call(file, DISPOSITION, b"\1"),
        client.set_info_call(file, RENAME, rename_to("other")),
        client.set_info_call(file, BASIC, bytes(32) + struct.pack("<II", 1, 0)),
    ):
        assert (await client.ask(call))[0].status == STATUS_ACCESS_DENIED
    assert await client.read(file, 100) == b"content"
    directory = await client.open_directory(tree, access=READ_ACCESS)
    assert (await client.ask(client.list_call(directory)))[0].status == 0


# --- overwriting


@pytest.mark.parametrize("disposition", [FILE_OVERWRITE, FILE_OVERWRITE_IF, FILE_SUPERSEDE])
async def test_overwriting_is_refused_before_anything_is_lost(any_server, disposition) -> None:
    """By a share mode, or by an attribute."""
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file", share=1, attributes=2)
    await client.write(file, b"content")
    assert await client.create_status(tree, "file", disposition=disposition, attributes=2) == 0xC0000043
    assert await client.read(file, 100) == b"content"
    await client.close_file(file)
    assert await client.create_status(tree, "file", disposition=disposition) == STATUS_ACCESS_DENIED
    file = await client.create(tree, "file")
    assert await client.read(file, 100) == b"content"
    await client.close_file(file)
    assert await client.create_status(tree, "file", disposition=disposition, attributes=2) == 0
    file = await client.create(tree, "file")
    assert (await client.ask(client.read_call(file, 100)))[0].status == STATUS_END_OF_FILE


# --- contexts of CREATE


async def test_contexts(any_server) -> None:
    client, tree = await any_server.with_tree()
    asked = [(b"MxAc", b""), (b"QFid", b""), (b"AlSi", struct.pack("<Q", 1 << 20)), (b"What", b"ever")]
    file = await client.create(tree, "file", contexts=asked)
    answers = dict(file.response.contexts)
    assert set(answers) == {b"MxAc", b"QFid"}
    access = MaximalAccessResponse.parse(answers[b"MxAc"])
    assert (access.query_status, access.maximal_access) == (0, ALL_ACCESS)
    assert OnDiskIdResponse.parse(answers[b"QFid"]).disk_file_id


@pytest.mark.parametrize(
    "context",
    [(b"MxAc", b"\1"), (b"AlSi", b"\1\2\3"), (b"ExtA", b"\1\2\3")],
    ids=lambda one: one[0].decode(),
)
@pytest.mark.parametrize("disposition", [FILE_OPEN, FILE_CREATE])
async def test_malformed_contexts_have_no_effect(server, context, disposition) -> None:
    """Nothing is opened, nothing is made."""
    client, tree = await server.with_tree()
    path = "" if disposition == FILE_OPEN else "file"
    status = await client.create_status(tree, path, disposition=disposition, contexts=[context])
    assert status >= 0x80000000
    assert server.service.opens == 0
    assert await client.create_status(tree, "file", disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_maximal_access_that_cannot_be_told(server) -> None:
    """The file is open all the same, and the answer says what went wrong."""
    client, tree = await server.with_tree()
    await client.close_file(await client.create(tree, "file"))
    # The first look is at the file, the second one at its directory.
    server.files.faults.append(Fault("lookup", Kind.IO, skip=1))
    file = await client.create(tree, "file", access=READ_ACCESS, contexts=[(b"MxAc", b"")])
    server.files.faults.clear()
    answer = MaximalAccessResponse.parse(dict(file.response.contexts)[b"MxAc"])
    assert answer.query_status in (0, STATUS_IO_DEVICE_ERROR)
    await client.close_file(file)


# --- CLOSE


@pytest.mark.parametrize("fails", [False, True])
async def test_close_tells_the_attributes(any_server, fails) -> None:
    """If it can: it succeeds in any case."""
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file")
    await client.write(file, b"content")
    if fails:
        any_server.files.faults.append(Fault("stat", Kind.IO))
    closed = await client.close_file(file, SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB)
    any_server.files.faults.clear()
    assert (closed.flags, closed.end_of_file) == ((0, 0) if fails else (1, 7))
    assert any_server.service.opens == 0


async def test_file_ids_are_not_reused(server) -> None:
    client, tree = await server.with_tree()
    seen = set()
    for _ in range(20):
        file = await client.create(tree, "file")
        assert file.file_id not in seen
        assert file.file_id[1] not in (0, 2**64 - 1)
        seen.add(file.file_id)
        await client.close_file(file)
    assert (await client.ask(client.read_call(file, 1)))[0].status != 0


# --- what cannot be done


async def test_directories_are_no_files(server) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    for call in (
        client.read_call(directory, 1),
        client.write_call(directory, b"x"),
        client.lock_call(directory, (0, 1, 2)),
    ):
        assert (await client.ask(call))[0].status == STATUS_INVALID_DEVICE_REQUEST


async def test_access_is_what_was_granted(server) -> None:
    client, tree = await server.with_tree()
    await client.close_file(await client.create(tree, "file"))
    reader = await client.create(tree, "file", access=READ_ACCESS)
    writer = await client.create(tree, "file", access=0x4)
    assert (await client.ask(client.write_call(reader, b"x")))[0].status == STATUS_ACCESS_DENIED
    assert (await client.ask(client.read_call(writer, 1)))[0].status == STATUS_ACCESS_DENIED
    assert (await client.ask(client.query_info_call(writer, BASIC)))[0].status == STATUS_ACCESS_DENIED
    assert await client.write(writer, b"x") == 1


@pytest.mark.parametrize("offset", [2**63 - 1, 2**63, 2**64 - 1])
async def test_offsets_beyond_all_files(any_server, offset) -> None:
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file")
    assert (await client.ask(client.write_call(file, b"xy", offset)))[0].status == STATUS_INVALID_PARAMETER
    assert (await client.ask(client.read_call(file, 2, offset)))[0].status == STATUS_INVALID_PARAMETER


async def test_reading_at_the_end(any_server) -> None:
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file")
    await client.write(file, b"content")
    assert await client.read(file, 100, 5) == b"nt"
    assert (await client.ask(client.read_call(file, 1, 7)))[0].status == STATUS_END_OF_FILE
    call = client.read_call(file, 100)
    call.body.minimum_count = 8
    assert (await client.ask(call))[0].status == STATUS_END_OF_FILE
    assert await client.read(file, 0) == b""


async def test_listing_to_the_end(any_server) -> None:
    client, tree = await any_server.with_tree()
    for number in range(30):
        await client.close_file(await client.create(tree, f"file {number}"))
    directory = await client.open_directory(tree)
    size = 0
    while True:
        (response,) = await client.ask(client.list_call(directory, 1000))
        if response.status:
            break
        size += len(response.parse(QueryDirectoryResponse).output)
    assert response.status == STATUS_NO_MORE_FILES
    assert size > 30 * 104


async def test_pipes(server) -> None:
    """As much as RPC needs, and nothing of files."""
    client = await server.logged_on()
    tree = await client.connect("IPC$")
    pipe = await client.create(tree, "srvsvc")
    bind = (
        b"\5\0\x0b\3\x10\0\0\0\x48\0\0\0\1\0\0\0\xb8\x10\xb8\x10\0\0\0\0\1\0\0\0\0\0\1\0"
        + bytes.fromhex("c84f324b7016d30112785a47bf6ee188")
        + b"\3\0\0\0"
        + bytes.fromhex("045d888aeb1cc9119fe808002b104860")
        + b"\2\0\0\0"
    )
    assert await client.write(pipe, bind) == len(bind)
    (response,) = await client.ask(client.read_call(pipe, 10))
    assert response.status == STATUS_BUFFER_OVERFLOW
    first = bytes(response.parse(ReadResponse).data)
    rest = await client.read(pipe, 1000)
    assert (first + rest)[2] == 12
    assert (await client.ask(client.lock_call(pipe, (0, 1, 2))))[0].status == STATUS_INVALID_DEVICE_REQUEST
    assert (await client.ask(client.flush_call(pipe)))[0].status == 0
    (response,) = await client.ask(client.ioctl_call(tree, 0x0011C017, bind, file=pipe))
    assert response.status == 0


# --- handlers that fail


async def test_a_handler_that_crashes(server, expected_logs, monkeypatch) -> None:
    """INTERNAL_ERROR, a traceback in the log, and nobody else notices."""
    expected_logs.append("WRITE failed")
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")

    async def crash(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(StackedHandle, "write", crash)
    for _ in range(3):
        (response,) = await client.ask(client.write_call(file, b"x"))
        assert (response.status, response.signed) == (STATUS_INTERNAL_ERROR, True)
    monkeypatch.undo()
    assert await client.write(file, b"x") == 1
    assert (await client.call(Opcode.ECHO, EchoRequest())).status == 0


async def test_a_handler_that_crashes_in_a_task(server, expected_logs, monkeypatch) -> None:
    expected_logs.append("FLUSH failed")
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")

    async def crash(*args, **kwargs):
        from vfs_backends.inline import may_wait

        may_wait()
        raise ZeroDivisionError

    monkeypatch.setattr(StackedHandle, "flush", crash)
    assert (await client.ask(client.flush_call(file)))[0].status == STATUS_INTERNAL_ERROR
    monkeypatch.undo()
    assert (await client.ask(client.flush_call(file)))[0].status == 0


async def test_storage_that_fails(any_server) -> None:
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file")
    any_server.files.faults.append(Fault("write", Kind.NO_SPACE))
    assert (await client.ask(client.write_call(file, b"x")))[0].status == 0xC000007F
    any_server.files.faults.append(Fault("read_into", Kind.IO))
    assert (await client.ask(client.read_call(file, 1)))[0].status == STATUS_IO_DEVICE_ERROR


@pytest.mark.parametrize("command", [*range(0x14), 0x77, 0xFFFF])
async def test_bodies_that_are_none(server, command) -> None:
    """Of every command, known or not."""
    client, tree = await server.with_tree()
    if command in (Opcode.NEGOTIATE, Opcode.CANCEL, Opcode.LOGOFF, Opcode.TREE_DISCONNECT):
        return
    for body in (b"", b"\0", b"\xff" * 200):
        (response,) = await client.ask(Call(command, body, tree))
        assert response.status in (STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND), hex(response.status)
    assert await client.create_status(tree, "file") == 0


# --- how many


async def test_opens_of_a_session(make_server) -> None:
    server = await make_server(limits=Limits(max_opens_per_session=3))
    client, tree = await server.with_tree()
    files = [await client.create(tree, f"file {number}") for number in range(3)]
    assert await client.create_status(tree, "one more") == STATUS_TOO_MANY_OPENED_FILES
    other, their_tree = await server.with_tree()
    await other.create(their_tree, "one more")
    await client.close_file(files[0])
    await client.create(tree, "one more")


async def test_opens_of_all(make_server) -> None:
    server = await make_server(limits=Limits(max_opens=3))
    client, tree = await server.with_tree()
    ipc = await client.connect("IPC$")
    files: list[File] = [
        await client.create(tree, "one"),
        await client.create(tree, "two"),
        await client.create(ipc, "srvsvc"),
    ]
    other, their_tree = await server.with_tree()
    assert await other.create_status(their_tree, "three") == STATUS_TOO_MANY_OPENED_FILES
    await client.close_file(files[2])
    await other.create(their_tree, "three")
    client.close()


async def test_opens_at_once(make_server) -> None:
    """Also of those that come while others are being opened."""
    server = await make_server(limits=Limits(max_opens_per_session=5))
    server.files.faults.append(Fault("create_file", delay=0.02))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=100))
    calls = [client.create_call(tree, f"file {number}") for number in range(20)]
    frames = [client.frame(one) for one in calls]
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    found = [(await client.answer(one)).status for one in calls]
    assert found.count(0) == 5
    assert set(found) == {0, STATUS_TOO_MANY_OPENED_FILES}


async def test_a_client_that_says_nothing_more(any_server) -> None:
    """Whatever it had open is closed."""
    client: Client
    client, tree = await any_server.with_tree()
    for number in range(10):
        await client.create(tree, f"file {number}", options=FILE_DELETE_ON_CLOSE if number % 2 else 0)
    await any_server.hang_up()
    assert any_server.service.opens == 0
    client, tree = await any_server.with_tree()
    for number in range(10):
        status = await client.create_status(tree, f"file {number}", disposition=FILE_OPEN)
        assert status == (STATUS_OBJECT_NAME_NOT_FOUND if number % 2 else 0)
