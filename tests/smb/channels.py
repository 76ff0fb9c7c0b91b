"""Two connections of one session, and what binding fails with."""

import pytest

from tests.smb.client import Client, ClientSession, Refused
from tests.smb.server import Server

SMB3 = (0x0300, 0x0302, 0x0311)


async def two_channels(server: Server, **options) -> tuple[Client, Client, int]:
    """Two connections of one session, and a tree of it."""
    first, tree = await server.with_tree(**options)
    second = await server.negotiated(**options)
    await second.bind(first.session)
    return first, second, tree


async def bind_refusal(client: Client, session: ClientSession | None, *args) -> int:
    """What binding a session to a connection fails with."""
    with pytest.raises(Refused) as caught:
        await client.bind(session, *args)
    return caught.value.status
