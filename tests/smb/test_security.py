"""Security descriptors over the wire: which rights each part takes, sizes, and what is hidden."""

import pytest

from acl import descriptor as d
from acl import mask as m
from acl.ace import Acl, allow, deny
from acl.descriptor import SecurityDescriptor
from acl.sid import EVERYONE
from gateway.nt.constants import FILE_CREATE, FILE_DIRECTORY_FILE, FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_SECURITY_DESCR,
    STATUS_PRIVILEGE_NOT_HELD,
)
from gateway.smb.info.security import query_rights, set_rights
from gateway.wire.error import ErrorResponse
from gateway.wire.header import Opcode
from gateway.wire.query_info import QueryInfoRequest, QueryInfoResponse
from gateway.wire.set_info import SetInfoRequest
from tests.smb.client import Call, Client, File
from tests.smb.server import Exported, Server

ALL_PARTS = d.OWNER_SECURITY_INFORMATION | d.GROUP_SECURITY_INFORMATION | d.DACL_SECURITY_INFORMATION
SECURITY = 3


def query(file: File, information: int, length: int = 4096) -> Call:
    persistent, volatile = file.file_id
    request = QueryInfoRequest(
        info_type=SECURITY,
        additional_information=information,
        output_buffer_length=length,
        persistent_file_id=persistent,
        volatile_file_id=volatile,
    )
    return Call(Opcode.QUERY_INFO, request, file.tree)


def change(file: File, information: int, data: bytes) -> Call:
    persistent, volatile = file.file_id
    request = SetInfoRequest(
        info_type=SECURITY,
        additional_information=information,
        persistent_file_id=persistent,
        volatile_file_id=volatile,
        buffer=memoryview(data),
    )
    return Call(Opcode.SET_INFO, request, file.tree)


async def descriptor(client: Client, file: File, information: int = ALL_PARTS) -> SecurityDescriptor:
    (response,) = await client.ask(query(file, information))
    assert response.status == 0
    return SecurityDescriptor.parse(bytes(response.parse(QueryInfoResponse).output))


async def status(client: Client, call: Call) -> int:
    (response,) = await client.ask(call)
    code: int = response.status
    return code


async def test_set_and_query(any_server: Server) -> None:
    client, tree = await any_server.with_tree()
    file = await client.create(tree, "file", disposition=FILE_CREATE)
    before = await descriptor(client, file)
    assert before.owner is not None
    wanted = Acl.of(deny(EVERYONE, m.FILE_APPEND_DATA), allow(before.owner, m.FILE_ALL_ACCESS))
    data = SecurityDescriptor(dacl=wanted).to_bytes()
    assert await status(client, change(file, d.DACL_SECURITY_INFORMATION, data)) == 0
    after = await descriptor(client, file)
    assert (after.owner, after.group, after.dacl) == (before.owner, before.group, wanted)
    assert (await descriptor(client, file, d.OWNER_SECURITY_INFORMATION)).dacl is None
    assert await client.create_status(tree, "file", access=m.FILE_APPEND_DATA, disposition=FILE_OPEN) == (
        STATUS_ACCESS_DENIED
    )
    # So it has to have room for a client to ask again with.
    (response,) = await client.ask(query(file, ALL_PARTS, 10))
    assert response.status == STATUS_BUFFER_TOO_SMALL
    error = ErrorResponse.parse(memoryview(response.message))
    needed = int.from_bytes(error.contexts[0].data if error.contexts else error.error_data, "little")
    assert needed == len(after.to_bytes())
    assert (await client.ask(query(file, ALL_PARTS, needed)))[0].status == 0
    assert await status(client, query(file, ALL_PARTS, needed - 1)) == STATUS_BUFFER_TOO_SMALL
    assert await status(client, change(file, d.DACL_SECURITY_INFORMATION, b"nonsense")) == STATUS_INVALID_SECURITY_DESCR
    await client.close_file(file)


async def test_rights(server: Server) -> None:
    client, tree = await server.with_tree()
    await client.close_file(await client.create(tree, "file", disposition=FILE_CREATE))
    file = await client.create(tree, "file", access=m.FILE_READ_DATA, disposition=FILE_OPEN)
    data = SecurityDescriptor(dacl=Acl.of()).to_bytes()
    assert await status(client, query(file, d.DACL_SECURITY_INFORMATION)) == STATUS_ACCESS_DENIED
    assert await status(client, query(file, 0)) == 0
    assert await status(client, change(file, d.DACL_SECURITY_INFORMATION, data)) == STATUS_ACCESS_DENIED
    await client.close_file(file)
    refused = await client.create_status(tree, "file", access=m.ACCESS_SYSTEM_SECURITY, disposition=FILE_OPEN)
    assert refused == STATUS_PRIVILEGE_NOT_HELD


@pytest.mark.parametrize(
    ("information", "to_query", "to_set"),
    [
        (d.OWNER_SECURITY_INFORMATION, m.READ_CONTROL, m.WRITE_OWNER),
        (d.GROUP_SECURITY_INFORMATION, m.READ_CONTROL, m.WRITE_OWNER),
        (d.DACL_SECURITY_INFORMATION, m.READ_CONTROL, m.WRITE_DAC),
        (d.SACL_SECURITY_INFORMATION, m.ACCESS_SYSTEM_SECURITY, m.ACCESS_SYSTEM_SECURITY),
        (d.LABEL_SECURITY_INFORMATION, m.READ_CONTROL, m.WRITE_OWNER),
        (d.ATTRIBUTE_SECURITY_INFORMATION, m.READ_CONTROL, m.WRITE_DAC),
        (d.SCOPE_SECURITY_INFORMATION, m.READ_CONTROL, m.ACCESS_SYSTEM_SECURITY),
        (d.PROTECTED_DACL_SECURITY_INFORMATION, 0, m.WRITE_DAC),
        (d.UNPROTECTED_DACL_SECURITY_INFORMATION, 0, m.WRITE_DAC),
        (d.PROTECTED_SACL_SECURITY_INFORMATION, 0, m.ACCESS_SYSTEM_SECURITY),
        (d.UNPROTECTED_SACL_SECURITY_INFORMATION, 0, m.ACCESS_SYSTEM_SECURITY),
        (
            d.BACKUP_SECURITY_INFORMATION,
            m.READ_CONTROL | m.ACCESS_SYSTEM_SECURITY,
            m.WRITE_DAC | m.WRITE_OWNER | m.ACCESS_SYSTEM_SECURITY,
        ),
    ],
)
def test_rights_of_the_parts(information: int, to_query: int, to_set: int) -> None:
    assert (query_rights(information), set_rights(information)) == (to_query, to_set)


async def test_a_descriptor_at_creation(any_server: Server) -> None:
    client, tree = await any_server.with_tree()
    wanted = SecurityDescriptor(dacl=Acl.of(allow(EVERYONE, m.FILE_ALL_ACCESS)))
    contexts = [(b"SecD", wanted.to_bytes())]
    file = await client.create(tree, "file", disposition=FILE_CREATE, contexts=contexts)
    assert (await descriptor(client, file)).dacl == wanted.dacl
    await client.close_file(file)


async def test_what_is_not_readable_is_hidden(make_server) -> None:
    exported = Exported()
    server: Server = await make_server(exported)
    export = next(one for one in server.service.exports if one.name == exported.name)
    export.hide_unreadable = True
    client, tree = await server.with_tree()
    nothing = SecurityDescriptor(dacl=Acl.of()).to_bytes()
    for name, contexts in (("seen", []), ("hidden", [(b"SecD", nothing)])):
        await client.close_file(await client.create(tree, name, disposition=FILE_CREATE, contexts=contexts))
    top = await client.create(tree, "", disposition=FILE_OPEN, options=FILE_DIRECTORY_FILE, access=m.FILE_GENERIC_READ)
    (response,) = await client.ask(client.list_call(top))
    assert response.status == 0
    told = bytes(response.message)
    assert "seen".encode("utf-16-le") in told
    assert "hidden".encode("utf-16-le") not in told
    await client.close_file(top)
