"""What is told of requests, if somebody wants to know."""

import logging
import re

from gateway.nt.constants import FILE_OPEN


async def test_each_request_is_told_of(server, caplog) -> None:
    caplog.set_level(logging.DEBUG, "gateway.smb")
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    await client.close_file(file)
    assert await client.create_status(tree, "missing", disposition=FILE_OPEN)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    of_session, _, _ = told[-1].partition(", ")
    assert re.fullmatch("session 0x[0-9a-f]+", of_session)
    assert told[-4:] == [
        f"{of_session}, message 3: TREE_CONNECT: STATUS_SUCCESS",
        f"{of_session}, message 4: CREATE: STATUS_SUCCESS",
        f"{of_session}, message 5: CLOSE: STATUS_SUCCESS",
        f"{of_session}, message 6: CREATE: STATUS_OBJECT_NAME_NOT_FOUND",
    ]


async def test_nothing_is_told_unless_it_is_wanted(server, caplog) -> None:
    client, tree = await server.with_tree()
    await client.close_file(await client.create(tree, "file"))
    assert not [record for record in caplog.records if record.levelno == logging.DEBUG]
