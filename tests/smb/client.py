"""A raw SMB2 client: it sends what it is told, right or wrong, and checks how the answers are protected.

Built on `gateway.wire` and `gateway.crypto`; who logs on does so by pyspnego.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import spnego
import trio

from gateway.crypto.keys import AES128_CCM, AES128_GCM, AES256_CCM, AES256_GCM, derive_keys
from gateway.crypto.preauth import SHA512, PreauthHash
from gateway.crypto.sealing import NonceSequence, make_sealer, nonce_length, transform_header
from gateway.crypto.signing import AES_CMAC, AES_GMAC, HMAC_SHA256, make_signer, signing_algorithm
from gateway.nt.constants import FILE_OPEN
from gateway.nt.status import STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING, name
from gateway.wire.cancel import CancelRequest
from gateway.wire.close import CloseRequest, CloseResponse
from gateway.wire.contexts import TypedContext
from gateway.wire.create import CreateResponse
from gateway.wire.header import (
    SMB2_FLAGS_ASYNC_COMMAND,
    SMB2_FLAGS_SERVER_TO_REDIR,
    SMB2_FLAGS_SIGNED,
    Header,
    Opcode,
    opcode_name,
)
from gateway.wire.logoff import LogoffRequest
from gateway.wire.negotiate import DIALECT_300, DIALECT_311, NegotiateRequest, NegotiateResponse
from gateway.wire.negotiate_contexts import EncryptionCapabilities, PreauthIntegrityCapabilities, SigningCapabilities
from gateway.wire.read import ReadResponse
from gateway.wire.session_setup import SMB2_SESSION_FLAG_BINDING, SessionSetupRequest, SessionSetupResponse
from gateway.wire.tree_connect import TreeConnectRequest, TreeConnectResponse
from gateway.wire.tree_disconnect import TreeDisconnectRequest
from gateway.wire.write import WriteResponse
from tests.smb.calls import (
    ALL_ACCESS,
    ANY,
    ANY_FILE,
    EXCLUSIVE,
    NOW,
    RELATED,
    SHARE_ALL,
    SHARED,
    UNLOCK,
    Call,
    Calls,
    ClientSession,
    File,
)

__all__ = [
    "ALL_ACCESS",
    "ALL_DIALECTS",
    "ANY",
    "ANY_FILE",
    "EXCLUSIVE",
    "NOW",
    "RELATED",
    "SHARED",
    "SHARE_ALL",
    "UNLOCK",
    "Call",
    "Client",
    "ClientSession",
    "ConnectionEnded",
    "File",
    "LogOn",
    "Refused",
    "Response",
]

ALL_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)

T = TypeVar("T")


class Refused(Exception):
    """A request failed that the test did not expect to fail."""

    def __init__(self, command: int, status: int) -> None:
        super().__init__(f"{opcode_name(command)}: {name(status)}")
        self.status = status


class ConnectionEnded(Exception):
    """The server closed the connection."""


@dataclass
class Response:
    """One element of a frame that the server sent; `frame` counts the frames."""

    header: Header
    message: memoryview
    sealed: bool
    signed: bool
    frame: int

    @property
    def status(self) -> int:
        return self.header.status

    def parse(self, kind: type[T]) -> T:
        parsed: T = kind.parse(self.message)  # type: ignore[attr-defined]  # all structures have it
        return parsed


class Client(Calls):
    """One connection. Requests are protected as `session` (the last one that logged on) wants them to be."""

    def __init__(self, stream: trio.SocketStream, address: str = "") -> None:
        self.stream = stream
        self.address = address
        self.next_id = 0
        self.dialect = 0
        self.cipher = 0
        self.signing = HMAC_SHA256
        self.preauth = PreauthHash()
        self.negotiated = NegotiateResponse()
        self.session: ClientSession | None = None
        self.sessions: dict[int, ClientSession] = {}
        self.signs = True
        """Whether requests of new sessions are signed."""
        self.granted = 1
        """Credits at hand."""
        self.sent: list[bytes] = []
        """All frames, in clear, if `records`."""
        self.records = False
        self._frames = 0
        self._inbox: list[Response] = []
        self._signed_ids: set[int] = set()
        self._unsigned_ids: set[int] = set()
        self._input = bytearray()

    # --- frames

    async def send_frame(self, frame: bytes | bytearray) -> None:
        """Send one frame as it is."""
        await self.send_bytes(len(frame).to_bytes(4, "big") + frame)

    async def send_bytes(self, data: bytes) -> None:
        try:
            await self.stream.send_all(data)
        except trio.BrokenResourceError as error:
            raise ConnectionEnded from error

    async def receive_frame(self) -> bytearray:
        """The next frame, without its prefix."""
        prefix = await self._exactly(4)
        return await self._exactly(int.from_bytes(prefix, "big"))

    async def _exactly(self, count: int) -> bytearray:
        while len(self._input) < count:
            try:
                data = await self.stream.receive_some(1 << 20)
            except trio.BrokenResourceError as error:
                raise ConnectionEnded from error
            if not data:
                raise ConnectionEnded
            self._input += data
        taken = self._input[:count]
        del self._input[:count]
        return taken

    def close(self) -> None:
        self.stream.socket.close()

    # --- messages

    def message(self, call: Call) -> bytearray:
        """The bytes of a request, not signed yet."""
        session = self.session if call.session is None else call.session
        session_id = session if isinstance(session, int) else session.session_id if session else 0
        if call.message_id is None:
            call.message_id = self.next_id
            if call.command != Opcode.CANCEL:
                self.next_id += max(call.charge, 1)
        header = Header(
            credit_charge=call.charge,
            status=call.sequence,
            command=call.command,
            credits=call.credits,
            flags=call.flags | (SMB2_FLAGS_ASYNC_COMMAND if call.async_id else 0),
            message_id=call.message_id,
            process_id=0xFEFF,
            tree_id=call.tree,
            async_id=call.async_id,
            session_id=ANY if call.flags & RELATED and call.session is None else session_id,
        )
        body = call.body if isinstance(call.body, bytes) else call.body.to_bytes()
        return bytearray(header.to_bytes() + body)

    def frame(self, *calls: Call) -> bytearray:
        """One frame of these requests, each signed if it is to be."""
        whole = bytearray()
        session = self.session
        for number, call in enumerate(calls):
            message = self.message(call)
            if number < len(calls) - 1:
                message += bytes(-len(message) % 8)
                message[20:24] = len(message).to_bytes(4, "little")
            if isinstance(call.session, ClientSession):
                session = call.session
            signs = call.sign if call.sign is not None else session is not None and session.signs
            if signs and session is not None and session.signer is not None and not session.seals:
                message[16] |= SMB2_FLAGS_SIGNED
                session.signer.sign(message, Header.parse(memoryview(message)), server=False)
                if call.command != Opcode.CANCEL and call.message_id is not None:
                    self._signed_ids.add(call.message_id)
            whole += message
        return whole

    async def send(self, *calls: Call, seal: bool | None = None) -> list[int]:
        """Send these requests in one frame; their message ids."""
        frame = self.frame(*calls)
        if self.records:
            self.sent.append(bytes(frame))
        first = calls[0].session
        session = first if isinstance(first, ClientSession) else self.session
        if seal if seal is not None else session is not None and session.seals:
            assert session is not None
            frame = self.seal(frame, session)
        await self.send_frame(frame)
        return [call.message_id or 0 for call in calls]

    def seal(self, frame: bytes | bytearray, session: ClientSession) -> bytearray:
        assert session.sealer is not None
        assert session.nonces is not None
        return bytearray(b"".join(session.sealer.seal(frame, session.session_id, session.nonces.next())))

    async def responses(self) -> list[Response]:
        """The elements of the next frame."""
        frame = await self.receive_frame()
        sealed = frame[:4] == b"\xfdSMB"
        if sealed:
            session_id, nonce, signature = transform_header(frame)
            opener = self.sessions[session_id].opener
            assert opener is not None
            frame = bytearray(opener.unseal(frame, nonce, signature))
        self._frames += 1
        found = []
        rest = memoryview(frame)
        while True:
            header = Header.parse(rest)
            end = header.next_command or len(rest)
            found.append(self._check(header, rest[:end], sealed))
            if not header.next_command:
                return found
            assert end % 8 == 0
            rest = rest[end:]

    def _check(self, header: Header, message: memoryview, sealed: bool) -> Response:
        """Every answer to a signed request is signed, with the right key; interims never are."""
        assert header.flags & SMB2_FLAGS_SERVER_TO_REDIR
        signed = bool(header.flags & SMB2_FLAGS_SIGNED)
        session = self.sessions.get(header.session_id)
        if signed and session is not None and session.signer is not None:
            assert session.signer.verify(message, header, server=True), "a wrong signature"
        if header.status == STATUS_PENDING:
            assert not signed, "an interim response is signed"
            assert header.flags & SMB2_FLAGS_ASYNC_COMMAND
        elif header.message_id in self._signed_ids - self._unsigned_ids and not sealed and session is not None:
            assert signed, f"the answer to a signed {opcode_name(header.command)} is not signed"
        self.granted += header.credits
        return Response(header, message, sealed, signed, self._frames)

    async def next(self, message_id: int, *, interim: bool = True) -> Response:
        """The next answer to a request; without `interim`, its final one."""
        while True:
            for number, response in enumerate(self._inbox):
                if response.header.message_id != message_id:
                    continue
                del self._inbox[number]
                if interim or response.status != STATUS_PENDING:
                    return response
                break
            else:
                self._inbox += await self.responses()

    async def final(self, message_id: int) -> Response:
        return await self.next(message_id, interim=False)

    async def answer(self, call: Call) -> Response:
        """The final answer to a request that was put into a frame."""
        assert call.message_id is not None
        return await self.final(call.message_id)

    async def ask(self, *calls: Call, seal: bool | None = None) -> list[Response]:
        """Send these requests in one frame, and wait for their final answers."""
        ids = await self.send(*calls, seal=seal)
        return [await self.final(one) for one in ids]

    async def call(self, command: int, body: Any, tree: int = 0, *, seal: bool | None = None, **options) -> Response:
        """Send one request and wait for its final answer, whatever that is."""
        return (await self.ask(Call(command, body, tree, **options), seal=seal))[0]

    async def well(self, command: int, body: Any, tree: int = 0, **options) -> Response:
        """Send one request, and raise `Refused` unless it succeeds."""
        response = await self.call(command, body, tree, **options)
        if response.status:
            raise Refused(command, response.status)
        return response

    def expects_unsigned(self, message_id: int) -> None:
        """The server will not see that this request was signed."""
        self._unsigned_ids.add(message_id)

    async def ended(self) -> bool:
        """Wait until the server closes the connection; whatever it still says does not matter."""
        try:
            while True:
                await self.receive_frame()
        except ConnectionEnded:
            return True

    # --- connection and session

    async def negotiate(
        self,
        dialects: Sequence[int] = (0x0210, 0x0300, 0x0302, 0x0311),
        *,
        ciphers: Sequence[int] = (AES128_GCM, AES128_CCM, AES256_GCM, AES256_CCM),
        algorithms: Sequence[int] = (AES_GMAC, AES_CMAC, HMAC_SHA256),
        contexts: Sequence[TypedContext] | None = None,
        capabilities: int = 0x7F,
        security_mode: int = 1,
        guid: bytes = b"the client's own",
    ) -> NegotiateResponse:
        """Agree on a dialect."""
        if contexts is None:
            made = [PreauthIntegrityCapabilities((SHA512,), bytes(32)).context()]
            if ciphers:
                made.append(EncryptionCapabilities(tuple(ciphers)).context())
            if algorithms:
                made.append(SigningCapabilities(tuple(algorithms)).context())
            contexts = made
        self.request = NegotiateRequest(
            security_mode=security_mode,
            capabilities=capabilities,
            client_guid=guid,
            dialects=tuple(dialects),
            contexts=tuple(contexts),
        )
        call = Call(Opcode.NEGOTIATE, self.request, credits=128, charge=0)
        frame = self.frame(call)
        if self.records:
            self.sent.append(bytes(frame))
        await self.send_frame(frame)
        response = await self.final(call.message_id or 0)
        if response.status:
            raise Refused(Opcode.NEGOTIATE, response.status)
        answer = self.negotiated = response.parse(NegotiateResponse)
        self.dialect = answer.dialect_revision
        self.signing = signing_algorithm(self.dialect)
        if self.dialect == DIALECT_311:
            self.preauth.update(frame)
            self.preauth.update(response.message)
            self._take_contexts(answer)
        elif self.dialect >= DIALECT_300 and answer.capabilities & 0x40:
            self.cipher = AES128_CCM
        return answer

    def _take_contexts(self, answer: NegotiateResponse) -> None:
        for context in answer.contexts:
            if context.type == EncryptionCapabilities.TYPE:
                self.cipher = EncryptionCapabilities.parse(context.data).ciphers[0]
            elif context.type == SigningCapabilities.TYPE:
                self.signing = SigningCapabilities.parse(context.data).signing_algorithms[0]

    async def log_on(
        self,
        user: str = "alice",
        password: str = "Secret-1",
        *,
        session: ClientSession | None = None,
        previous: int = 0,
        flags: int = 0,
        security_mode: int = 1,
    ) -> ClientSession:
        """Log on, or on again in `session`. Raises `Refused`."""
        return await LogOn(self, user, password, session, previous, flags, security_mode).run()

    async def bind(
        self, session: ClientSession | None, user: str = "alice", password: str = "Secret-1"
    ) -> ClientSession:
        """Make a session of another connection one of this one's, too. Raises `Refused`."""
        assert session is not None
        signs = replace(session, seals=False)  # nothing can be sealed before
        return await LogOn(self, user, password, signs, 0, SMB2_SESSION_FLAG_BINDING, 1).run()

    async def setup(self, token: bytes, session_id: int = 0, **options) -> Response:
        """One SESSION_SETUP."""
        return await self.call(
            Opcode.SESSION_SETUP,
            SessionSetupRequest(security_buffer=token, security_mode=1),
            session=session_id,
            **options,
        )

    async def log_off(self) -> None:
        await self.well(Opcode.LOGOFF, LogoffRequest())

    async def connect(self, share: str = "files", **options) -> int:
        """Connect to a share; its tree id."""
        request = TreeConnectRequest(path=f"\\\\server\\{share}")
        response = await self.well(Opcode.TREE_CONNECT, request, **options)
        self.tree_response = response.parse(TreeConnectResponse)
        return response.header.tree_id

    async def disconnect(self, tree: int) -> None:
        await self.well(Opcode.TREE_DISCONNECT, TreeDisconnectRequest(), tree)

    # --- files

    async def create(self, tree: int, path: str = "", **options) -> File:
        """Open or create. Raises `Refused`."""
        (response,) = await self.ask(self.create_call(tree, path, **options))
        return self.opened(tree, response)

    def opened(self, tree: int, response: Response) -> File:
        """The file that a CREATE gave."""
        if response.status:
            raise Refused(Opcode.CREATE, response.status)
        answer = response.parse(CreateResponse)
        return File(tree, (answer.persistent_file_id, answer.volatile_file_id), answer)

    async def create_status(self, tree: int, path: str = "", **options) -> int:
        """What a CREATE fails with."""
        try:
            file = await self.create(tree, path, **options)
        except Refused as refused:
            return refused.status
        await self.close_file(file)
        return 0

    async def open_directory(self, tree: int, path: str = "", **options) -> File:
        return await self.create(tree, path, options=1, disposition=FILE_OPEN, **options)

    async def close_file(self, file: File, flags: int = 0) -> CloseResponse:
        response = await self.well(Opcode.CLOSE, CloseRequest(24, flags, 0, *file.file_id), file.tree)
        return response.parse(CloseResponse)

    async def write(self, file: File, data: bytes, offset: int = 0) -> int:
        response = await self.well(**vars(self.write_call(file, data, offset)))
        return response.parse(WriteResponse).count

    async def read(self, file: File, length: int, offset: int = 0) -> bytes:
        response = await self.well(**vars(self.read_call(file, length, offset)))
        return bytes(response.parse(ReadResponse).data)

    async def cancel(self, message_id: int, async_id: int = 0, **more) -> None:
        """Send a CANCEL; there is no answer to it."""
        await self.send(
            Call(Opcode.CANCEL, CancelRequest(), message_id=message_id, async_id=async_id, credits=0, **more)
        )


class LogOn:
    """One log-on: the exchange of tokens, and the keys that come of it."""

    def __init__(
        self,
        client: Client,
        user: str,
        password: str,
        session: ClientSession | None,
        previous: int,
        flags: int,
        security_mode: int,
    ) -> None:
        self.client = client
        self.session = session
        self.session_id = session.session_id if session else 0
        self.previous, self.flags, self.security_mode = previous, flags, security_mode
        self.binds = bool(flags & SMB2_SESSION_FLAG_BINDING)
        self.hash = client.preauth.copy()
        self.context = spnego.client(
            user,
            password,
            hostname="server",
            service="cifs",
            protocol="negotiate",
            options=spnego.NegotiateOptions.use_negotiate,
        )

    async def run(self) -> ClientSession:
        token = self.context.step()
        while True:
            response = await self.step(token or b"")
            answer = response.parse(SessionSetupResponse)
            if answer.security_buffer and not self.context.complete:
                token = self.context.step(answer.security_buffer)
            if response.status == 0:
                return self.established(answer, response)

    async def step(self, token: bytes) -> Response:
        """Send one token; raises `Refused`, and returns what is to be gone on with."""
        client = self.client
        request = SessionSetupRequest(
            flags=self.flags,
            security_mode=self.security_mode,
            previous_session_id=self.previous,
            security_buffer=token,
        )
        call = Call(Opcode.SESSION_SETUP, request, session=self.session or self.session_id, credits=32)
        frame = client.frame(call)
        if client.records:
            client.sent.append(bytes(frame))
        self.hash.update(frame)
        seals = self.session is not None and self.session.seals
        await client.send_frame(client.seal(frame, self.session) if self.session and seals else frame)
        response = await client.final(call.message_id or 0)
        if self.binds and response.status and response.signed:
            assert self.session is not None
            assert self.session.signer is not None
            assert self.session.signer.verify(response.message, response.header, server=True), (
                "not the session's own key"
            )
        if response.status not in (0, STATUS_MORE_PROCESSING_REQUIRED):
            raise Refused(Opcode.SESSION_SETUP, response.status)
        self.session_id = response.header.session_id
        if response.status:
            self.hash.update(response.message)
        return response

    def established(self, answer: SessionSetupResponse, last: Response) -> ClientSession:
        client = self.client
        if self.session is not None and not self.binds:
            return self.session
        session = ClientSession(self.session_id, flags=answer.session_flags)
        client.session = client.sessions[self.session_id] = session
        if answer.session_flags & 3:
            return session
        key = self.context.session_key
        cipher = client.cipher
        keys = session.keys = derive_keys(client.dialect, key[:16].ljust(16, b"\0"), key, self.hash.value, cipher)
        session.signer = make_signer(client.signing, keys.signing_key)
        session.signs = client.signs
        assert last.signed
        assert session.signer.verify(last.message, last.header, server=True), "the last answer is signed wrongly"
        if self.session is not None:
            # A channel signs with a key of its own, and seals with the session's.
            first = self.session
            session.sealer, session.opener, session.nonces = first.sealer, first.opener, first.nonces
            session.seals = bool(answer.session_flags & 4)
        elif cipher:
            session.sealer = make_sealer(cipher, keys.decryption_key)
            session.opener = make_sealer(cipher, keys.encryption_key)
            session.nonces = NonceSequence(cipher, bytes(nonce_length(cipher) - 8))
            session.seals = bool(answer.session_flags & 4)
        return session
