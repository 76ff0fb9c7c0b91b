"""A client that costs little: one connection, requests packed beforehand, as many in flight as wanted.

Built on the project's structures and cryptography, so it says nothing about their correctness; interoperability is
tested elsewhere. [MS-SMB2] 3.2.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import spnego

from gateway.crypto.keys import AES128_GCM, derive_keys, session_key_from
from gateway.crypto.preauth import PreauthHash
from gateway.crypto.sealing import NonceSequence, Sealer, make_sealer, transform_header
from gateway.crypto.signing import AES_GMAC, SIGNATURE_AT, Signer, make_signer
from gateway.nt.status import STATUS_MORE_PROCESSING_REQUIRED, STATUS_NO_MORE_FILES, STATUS_PENDING
from gateway.protocol.credits import credit_charge
from gateway.wire.codec import pad8
from gateway.wire.echo import EchoRequest
from gateway.wire.header import (
    HEADER_SIZE,
    NO_SIGNATURE,
    SMB2_FLAGS_RELATED_OPERATIONS,
    SMB2_FLAGS_SIGNED,
    Header,
    Opcode,
)
from gateway.wire.negotiate import (
    DIALECT_311,
    SMB2_GLOBAL_CAP_ENCRYPTION,
    SMB2_GLOBAL_CAP_LARGE_MTU,
    SMB2_NEGOTIATE_SIGNING_ENABLED,
    NegotiateRequest,
)
from gateway.wire.negotiate_contexts import EncryptionCapabilities, PreauthIntegrityCapabilities, SigningCapabilities
from gateway.wire.session_setup import SessionSetupRequest, SessionSetupResponse
from gateway.wire.transform import TRANSFORM_HEADER_SIZE
from gateway.wire.tree_connect import TreeConnectRequest

__all__ = ["MODES", "BenchError", "Element", "Frame", "Link", "Load", "Operation", "Steps"]

MODES = ("plain", "sign", "seal")
HOST = "127.0.0.1"
TIMEOUT_SECONDS = 60
_WANTED_CREDITS = 512
_BUFFER = 4 << 20
_CHUNK = 256 << 10
_PREFIX = struct.Struct(">I")
_MESSAGE_ID = struct.Struct("<Q")
_GLANCE = struct.Struct("<I2xH4xIQ")
"""Status, credits, next command and message id of a response, at 8."""
_GOOD = frozenset({0, STATUS_NO_MORE_FILES})


class Structure(Protocol):
    """A structure of `gateway.wire`."""

    def to_bytes(self) -> bytes: ...


Element = tuple[int, Structure]
"""A command and its body."""


class BenchError(Exception):
    """A server did something else than it was asked for."""


@dataclass(slots=True, eq=False)
class Frame:
    """One request, or a compound of them. Patch `data` behind the header before it is given out again."""

    data: bytearray
    """Four bytes of prefix, then the message."""
    starts: tuple[int, ...]
    """Where the elements begin."""
    charge: int
    """Credits of each element."""


Steps = Generator[Frame, memoryview, None]
"""One operation: gives out a frame and gets the response to its last element, from its header on."""
Operation = Callable[[], Steps]


class Link:
    """A connection with a session and a tree, protected by `mode`: one of MODES."""

    def __init__(
        self, port: int, share: str, user: str, password: str, mode: str = "plain", *, buffer: int = _BUFFER
    ) -> None:
        self.mode = mode
        self.session_id = self.tree_id = 0
        self._next_id, self._credits = 0, 1
        self._signer: Signer | None = None
        self._sealer: Sealer | None = None
        self._opener: Sealer | None = None
        self._nonces = NonceSequence(AES128_GCM, os.urandom(4))
        self._buffer = bytearray(buffer)
        self._begin = self._end = 0
        self._sock = socket.create_connection((HOST, port), TIMEOUT_SECONDS)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._log_on(user, password)
            self._connect_tree(share)
        except BaseException:  # whatever it is: nobody else has the socket
            self._sock.close()
            raise

    def close(self) -> None:
        self._sock.close()

    # --- log-on

    def _log_on(self, user: str, password: str) -> None:
        preauth = PreauthHash()
        negotiate = NegotiateRequest(
            security_mode=SMB2_NEGOTIATE_SIGNING_ENABLED,
            capabilities=SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_ENCRYPTION,
            client_guid=os.urandom(16),
            dialects=(DIALECT_311,),
            contexts=(
                PreauthIntegrityCapabilities((1,), os.urandom(32)).context(),
                EncryptionCapabilities((AES128_GCM,)).context(),
                SigningCapabilities((AES_GMAC,)).context(),
            ),
        )
        self._hashed(preauth, (Opcode.NEGOTIATE, negotiate))
        context = spnego.client(user, password, hostname=HOST, service="cifs", protocol="ntlm")
        token = context.step()
        while True:
            request = SessionSetupRequest(security_mode=SMB2_NEGOTIATE_SIGNING_ENABLED, security_buffer=token or b"")
            reply = self._hashed(preauth, (Opcode.SESSION_SETUP, request), is_last=context.complete)
            self.session_id = Header.parse(reply).session_id
            token = context.step(SessionSetupResponse.parse(reply).security_buffer)
            if Header.parse(reply).status != STATUS_MORE_PROCESSING_REQUIRED:
                break
        full = context.session_key
        keys = derive_keys(DIALECT_311, session_key_from(full), full, preauth.value, AES128_GCM)
        self._signer = make_signer(AES_GMAC, keys.signing_key)
        if self.mode == "seal":
            self._sealer = make_sealer(AES128_GCM, keys.decryption_key)
            self._opener = make_sealer(AES128_GCM, keys.encryption_key)

    def _hashed(self, preauth: PreauthHash, element: Element, *, is_last: bool = False) -> memoryview:
        """An exchange that the preauth hash covers, except for the response that ends the log-on."""
        frame = self.frame(element)
        reply = self.call(frame, also_good=STATUS_MORE_PROCESSING_REQUIRED)
        preauth.update(memoryview(frame.data)[4:])
        if not is_last and not (element[0] == Opcode.SESSION_SETUP and Header.parse(reply).status == 0):
            preauth.update(reply)
        return reply

    def _connect_tree(self, share: str) -> None:
        mode, self.mode = self.mode, "seal" if self.mode == "seal" else "sign"  # at 3.1.1 it must not be plain
        reply = self.call(self.frame((Opcode.TREE_CONNECT, TreeConnectRequest(path=rf"\\{HOST}\{share}"))))
        self.tree_id = Header.parse(reply).tree_id
        self.mode = mode
        while self._credits < _WANTED_CREDITS // 2:
            before = self._credits
            self.call(self.frame((Opcode.ECHO, EchoRequest())))
            if self._credits <= before:
                raise BenchError(f"no more than {before} credits are granted")

    # --- frames

    def frame(self, *elements: Element, size: int = 0) -> Frame:
        """Pack a request, or several as a related compound; each pays for `size` bytes of payload."""
        charge = credit_charge(size)
        data, starts = bytearray(4), []
        for number, (opcode, body) in enumerate(elements):
            packed = body.to_bytes()
            is_last = number == len(elements) - 1
            if not is_last:
                packed += pad8(len(packed))
            header = Header(
                credit_charge=charge,
                command=opcode,
                credits=_WANTED_CREDITS,
                flags=SMB2_FLAGS_RELATED_OPERATIONS if number else 0,
                next_command=0 if is_last else 64 + len(packed),
                tree_id=self.tree_id,
                session_id=self.session_id,
            )
            starts.append(len(data))
            data += header.to_bytes() + packed
        _PREFIX.pack_into(data, 0, len(data) - 4)
        return Frame(data, tuple(starts), charge)

    def ready(self, frame: Frame) -> tuple[int, bytes | bytearray]:
        """Number and protect a frame; the message id of its last element, and what to send."""
        data, charge = frame.data, frame.charge
        message_id = self._next_id
        for start in frame.starts:
            _MESSAGE_ID.pack_into(data, start + 24, message_id)
            message_id += charge
        self._next_id = message_id
        self._credits -= charge * len(frame.starts)
        if self._credits < 0:
            raise BenchError("out of credits")
        if self.mode == "sign" and self._signer is not None:
            view = memoryview(data)
            for start, stop in zip(frame.starts, (*frame.starts[1:], len(data)), strict=True):
                data[start + 16] |= SMB2_FLAGS_SIGNED
                data[start + SIGNATURE_AT : start + HEADER_SIZE] = NO_SIGNATURE  # of the last time
                self._signer.sign(view[start:stop], Header.parse(view[start:stop]), server=False)
        elif self._sealer is not None:
            prefix = _PREFIX.pack(TRANSFORM_HEADER_SIZE + len(data) - 4)
            sealed = self._sealer.seal(memoryview(data)[4:], self.session_id, self._nonces.next())
            return message_id - charge, b"".join((prefix, *sealed))
        return message_id - charge, bytes(data)

    # --- exchanges

    def call(self, frame: Frame, *, also_good: int = 0) -> memoryview:
        """One exchange; the response to the last element, as a copy."""
        wanted, data = self.ready(frame)
        self._sock.sendall(data)
        while True:
            for message_id, status, reply in self.replies():
                if status not in {*_GOOD, also_good}:
                    raise BenchError(f"command {frame.data[16]:#x} was answered with {status:#010x}")
                if message_id == wanted:
                    return memoryview(bytearray(reply))

    def run(self, operation: Operation, depth: int, count: int, seconds: float) -> list[int]:
        """Do `count` operations, or as many as fit, `depth` at a time; the latency of each in nanoseconds."""
        load = Load(self, operation, depth, count)
        load.begin(time.perf_counter_ns() + int(seconds * 1e9))
        while load.is_busy:
            load.go_on()
        return load.latencies

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, data: bytes | bytearray) -> None:
        """Send what is to come as it is."""
        self._sock.sendall(data)

    def replies(self) -> Iterator[tuple[int, int, memoryview]]:
        """What has arrived, element by element: message id, status, and the element, good until the next call."""
        for message in self._messages():
            opened = self._open(message, self._opener) if message[0] == 0xFD and self._opener else message
            while True:
                status, credit, following, message_id = _GLANCE.unpack_from(opened, 8)
                self._credits += credit
                element = opened[:following] if following else opened
                if status != STATUS_PENDING:
                    self._check(element)
                    yield message_id, status, element
                if not following:
                    break
                opened = opened[following:]

    @staticmethod
    def _open(message: memoryview, opener: Sealer) -> memoryview:
        _, nonce, signature = transform_header(message)
        return memoryview(opener.unseal(message, nonce, signature))

    def _check(self, element: memoryview) -> None:
        if self.mode == "sign" and self._signer is not None and self.session_id:
            if not element[16] & SMB2_FLAGS_SIGNED:
                raise BenchError(f"the response to a signed command {element[12]:#x} is not signed")
            if not self._signer.verify(element, Header.parse(element), server=True):
                raise BenchError("the signature of a response is wrong")

    def _messages(self) -> Sequence[memoryview]:
        """Wait for at least one whole message, and return all there are."""
        buffer, view = self._buffer, memoryview(self._buffer)
        found: list[memoryview] = []
        if self._begin:
            rest = self._end - self._begin
            buffer[:rest] = buffer[self._begin : self._end]
            self._begin, self._end = 0, rest
        while not found:
            count = self._sock.recv_into(view[self._end : self._end + _CHUNK])
            if not count:
                raise BenchError("the server ended the connection")
            self._end += count
            while self._end - self._begin >= 4:
                stop = self._begin + 4 + _PREFIX.unpack_from(buffer, self._begin)[0]
                if stop > self._end:
                    if stop - self._begin > len(buffer) - _CHUNK:
                        raise BenchError(f"a frame of {stop - self._begin} bytes")
                    break
                found.append(view[self._begin + 4 : stop])
                self._begin = stop
        return found


class Load:
    """One operation that is done again and again on a link, `depth` at a time, `count` times in all."""

    def __init__(self, link: Link, operation: Operation, depth: int, count: int = sys.maxsize) -> None:
        self.link = link
        self.latencies: list[int] = []
        """Of each operation that is done, in nanoseconds."""
        self._operation, self._depth, self._left = operation, depth, count
        self._until = 0
        self._waiting: dict[int, tuple[Steps, int]] = {}
        self._out: list[bytes | bytearray] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting)

    def begin(self, until: int) -> None:
        """Ask for the first ones. After `until`, on the clock perf_counter_ns, nothing is begun any more."""
        self._until = until
        for _ in range(min(self._depth, self._left)):
            self._start(time.perf_counter_ns())
        self._send()

    def go_on(self) -> None:
        """Wait for something to arrive, and ask for what comes after it."""
        waiting = self._waiting
        for message_id, status, reply in self.link.replies():
            if status not in _GOOD:
                raise BenchError(f"command {reply[12]:#x} was answered with {status:#010x}")
            if message_id not in waiting:
                continue  # another element of a compound
            steps, since = waiting.pop(message_id)
            try:
                self._put(steps, steps.send(reply), since)
            except StopIteration:
                moment = time.perf_counter_ns()
                self.latencies.append(moment - since)
                if self._left and moment < self._until:
                    self._start(moment)
        self._send()

    def _start(self, moment: int) -> None:
        self._left -= 1
        steps = self._operation()
        self._put(steps, next(steps), moment)

    def _put(self, steps: Steps, frame: Frame, since: int) -> None:
        message_id, data = self.link.ready(frame)
        self._waiting[message_id] = steps, since
        self._out.append(data)

    def _send(self) -> None:
        self.link.send(b"".join(self._out))
        self._out.clear()
