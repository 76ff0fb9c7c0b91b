"""Log-ons as tests make them: those that fail, in steps, as nobody."""

import pytest

from gateway.auth.policy import AuthPolicy, MapToGuest
from gateway.nt.status import (
    STATUS_MORE_PROCESSING_REQUIRED,
)
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.session_setup import (
    SessionSetupResponse,
)
from tests.smb.client import Client, LogOn, Refused

DIALECTS = (0x0210, 0x0302, 0x0311)
GUESTS = AuthPolicy("FILES", map_to_guest=MapToGuest.BAD_USER, allow_anonymous=True)


async def refusal(client: Client, *args, **kwargs) -> int:
    """What a log-on fails with."""
    with pytest.raises(Refused) as caught:
        await client.log_on(*args, **kwargs)
    return caught.value.status


async def lives(client: Client) -> bool:
    return (await client.call(Opcode.ECHO, EchoRequest())).status == 0


def interleaved(client: Client, user: str, password: str) -> LogOn:
    return LogOn(client, user, password, None, 0, 0, 1)


async def log_on_anonymously(client: Client) -> SessionSetupResponse:
    """Raw NTLM: NEGOTIATE, and an AUTHENTICATE that names nobody ([MS-NLMP] 3.2.5.1.2)."""
    first = await client.setup(b"NTLMSSP\0\1\0\0\0" + (0xE2088297).to_bytes(4, "little") + bytes(16))
    assert first.status == STATUS_MORE_PROCESSING_REQUIRED
    empty = bytes(4) + (72).to_bytes(4, "little")
    one_byte = b"\1\0\1\0" + (72).to_bytes(4, "little")
    last = b"NTLMSSP\0\3\0\0\0" + one_byte + empty * 5 + (0xA2088A97).to_bytes(4, "little") + bytes(8) + b"\0"
    response = await client.setup(last, first.header.session_id)
    if response.status:
        raise Refused(Opcode.SESSION_SETUP, response.status)
    return response.parse(SessionSetupResponse)
