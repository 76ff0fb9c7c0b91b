"""Frames as a client makes them, byte by byte."""

from gateway.crypto.sealing import NonceSequence, make_sealer
from gateway.crypto.signing import AES_CMAC, make_signer
from gateway.protocol.connection import Connection
from gateway.protocol.security import ChannelSecurity
from gateway.wire.echo import EchoRequest
from gateway.wire.header import HEADER_SIZE, SMB2_FLAGS_SIGNED, Header, Opcode

KEY = bytes(range(16))
AES128_GCM = 2


def message(command: int = Opcode.ECHO, message_id: int = 0, body: bytes | None = None, **fields) -> bytearray:
    """One message that is not signed."""
    header = Header(command=command, message_id=message_id, **{"credits": 1, "credit_charge": 1, **fields})
    return bytearray(header.to_bytes() + (EchoRequest().to_bytes() if body is None else body))


def signed(frame: bytearray, key: bytes = KEY, algorithm: int = AES_CMAC) -> bytearray:
    frame[16] |= SMB2_FLAGS_SIGNED
    make_signer(algorithm, key).sign(frame, Header.parse(memoryview(frame)), server=False)
    return frame


def compound(*messages: bytearray, sign: bool = False) -> bytearray:
    """The messages one behind the other, each at a multiple of eight."""
    whole = bytearray()
    for number, one in enumerate(messages):
        if number < len(messages) - 1:
            one.extend(bytes(-len(one) % 8))
            one[20:24] = len(one).to_bytes(4, "little")
        whole += signed(one) if sign else one
    return whole


def split(frame: bytes | bytearray) -> list[tuple[Header, bytes]]:
    """Headers and whole elements of a frame that a server made, its prefix taken off."""
    elements = []
    rest = memoryview(frame)
    while True:
        header = Header.parse(rest)
        end = header.next_command or len(rest)
        elements.append((header, bytes(rest[:end])))
        if not header.next_command:
            return elements
        assert end % 8 == 0
        assert end >= HEADER_SIZE
        rest = rest[end:]


def security(session_id: int, *, seals: bool = False) -> ChannelSecurity:
    """The keys of a session: signing with `KEY`, sealing with it in both directions."""
    one = ChannelSecurity(session_id)
    one.signer = make_signer(AES_CMAC, KEY)
    if seals:
        one.sealer = one.opener = make_sealer(AES128_GCM, KEY)
        one.nonces = NonceSequence(AES128_GCM, bytes(4))
    return one


def connection(*sessions: ChannelSecurity, max_credits: int = 512, max_elements: int = 8) -> Connection:
    """A connection whose peer holds credits enough."""
    known = {one.session_id: one for one in sessions}
    made = Connection(known.get, max_credits, max_elements)
    made.multi_credit = True
    made.window.grant(100)
    return made
