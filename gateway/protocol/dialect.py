"""What a connection agrees on: dialect, cipher, signing, capabilities and sizes. [MS-SMB2] 3.3.5.3, 3.3.5.4."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.crypto.keys import AES128_CCM, AES128_GCM, AES256_CCM, AES256_GCM
from gateway.crypto.preauth import SHA512
from gateway.crypto.signing import AES_CMAC, AES_GMAC, HMAC_SHA256, signing_algorithm
from gateway.nt.status import STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, StatusError
from gateway.wire.contexts import TypedContext
from gateway.wire.negotiate import (
    DIALECT_202,
    DIALECT_210,
    DIALECT_300,
    DIALECT_302,
    DIALECT_311,
    SMB2_GLOBAL_CAP_DIRECTORY_LEASING,
    SMB2_GLOBAL_CAP_ENCRYPTION,
    SMB2_GLOBAL_CAP_LARGE_MTU,
    SMB2_GLOBAL_CAP_LEASING,
    SMB2_GLOBAL_CAP_MULTI_CHANNEL,
    SMB2_NEGOTIATE_SIGNING_ENABLED,
    SMB2_NEGOTIATE_SIGNING_REQUIRED,
    NegotiateRequest,
)
from gateway.wire.negotiate_contexts import (
    CompressionCapabilities,
    EncryptionCapabilities,
    NetnameNegotiateContextId,
    PreauthIntegrityCapabilities,
    RdmaTransformCapabilities,
    SigningCapabilities,
    TransportCapabilities,
)

__all__ = ["ALL_DIALECTS", "STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP", "NegotiatePolicy", "Negotiated", "negotiate"]

ALL_DIALECTS: Final = (DIALECT_202, DIALECT_210, DIALECT_300, DIALECT_302, DIALECT_311)
STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP: Final = 0xC05D0000
SMALL_SIZE: Final = 65536
"""What is read, written or transacted at most without credits that count."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NegotiatePolicy:
    """What the server offers, most wanted first. Sizes in bytes."""

    min_dialect: int = DIALECT_210
    max_dialect: int = DIALECT_311
    signing_required: bool = True
    encryption: bool = True
    """Whether ciphers are offered at all."""
    ciphers: tuple[int, ...] = (AES128_GCM, AES256_GCM, AES128_CCM, AES256_CCM)
    signing_algorithms: tuple[int, ...] = (AES_GMAC, AES_CMAC, HMAC_SHA256)
    leases: bool = False
    """Whether leases are offered, of directories, too."""
    multi_channel: bool = False
    """Whether a session may use several connections."""
    max_transact_size: int = 8 << 20
    max_read_size: int = 8 << 20
    max_write_size: int = 8 << 20

    @property
    def security_mode(self) -> int:
        required = SMB2_NEGOTIATE_SIGNING_REQUIRED if self.signing_required else 0
        return SMB2_NEGOTIATE_SIGNING_ENABLED | required


@dataclass(slots=True)
class Negotiated:
    """What came of it ([MS-SMB2] 3.3.1.7). `cipher` is 0 where nothing can be sealed."""

    dialect: int
    client_security_mode: int
    client_capabilities: int
    client_guid: bytes
    client_dialects: tuple[int, ...]
    security_mode: int
    capabilities: int
    cipher: int
    signing_algorithm: int
    max_transact_size: int
    max_read_size: int
    max_write_size: int
    contexts: tuple[TypedContext, ...] = field(default=())
    """For the response."""

    @property
    def multi_credit(self) -> bool:
        return bool(self.capabilities & SMB2_GLOBAL_CAP_LARGE_MTU)


def negotiate(request: NegotiateRequest, policy: NegotiatePolicy, salt: bytes) -> Negotiated:
    """Agree on the best that both sides have. `salt`: 32 random bytes for the preauth context.

    Raises `StatusError` if there is nothing both have, and `WireError` for malformed contexts.
    """
    if not request.dialects:
        raise StatusError(STATUS_INVALID_PARAMETER)
    common = [
        one for one in ALL_DIALECTS if one in request.dialects and policy.min_dialect <= one <= policy.max_dialect
    ]
    if not common:
        raise StatusError(STATUS_NOT_SUPPORTED)
    dialect = common[-1]
    result = _without_contexts(request, policy, dialect)
    if dialect == DIALECT_311:
        _agree_contexts(request, policy, salt, result)
    return result


def _without_contexts(request: NegotiateRequest, policy: NegotiatePolicy, dialect: int) -> Negotiated:
    large = dialect > DIALECT_202
    capabilities = SMB2_GLOBAL_CAP_LARGE_MTU if large else 0
    if policy.leases and large:
        capabilities |= SMB2_GLOBAL_CAP_LEASING
        if dialect >= DIALECT_300:
            capabilities |= request.capabilities & SMB2_GLOBAL_CAP_DIRECTORY_LEASING
    if policy.multi_channel and dialect >= DIALECT_300:
        capabilities |= request.capabilities & SMB2_GLOBAL_CAP_MULTI_CHANNEL
    cipher = 0
    can_seal = request.capabilities & SMB2_GLOBAL_CAP_ENCRYPTION and policy.encryption
    if DIALECT_300 <= dialect < DIALECT_311 and can_seal and AES128_CCM in policy.ciphers:
        cipher = AES128_CCM
        capabilities |= SMB2_GLOBAL_CAP_ENCRYPTION
    return Negotiated(
        dialect=dialect,
        client_security_mode=request.security_mode,
        client_capabilities=request.capabilities,
        client_guid=request.client_guid,
        client_dialects=request.dialects,
        security_mode=policy.security_mode,
        capabilities=capabilities,
        cipher=cipher,
        signing_algorithm=signing_algorithm(dialect),
        max_transact_size=policy.max_transact_size if large else SMALL_SIZE,
        max_read_size=policy.max_read_size if large else SMALL_SIZE,
        max_write_size=policy.max_write_size if large else SMALL_SIZE,
    )


def _agree_contexts(request: NegotiateRequest, policy: NegotiatePolicy, salt: bytes, result: Negotiated) -> None:
    """[MS-SMB2] 3.3.5.4: the contexts of 3.1.1. Each may come once; unknown ones are passed over."""
    data: dict[int, memoryview] = {}
    for context in request.contexts:
        if context.type in data and context.type in _ONCE:
            raise StatusError(STATUS_INVALID_PARAMETER)
        data[context.type] = memoryview(context.data)
    answer = [_agree_preauth(data, salt)]
    if EncryptionCapabilities.TYPE in data and policy.encryption:
        offered = EncryptionCapabilities.parse(data[EncryptionCapabilities.TYPE]).ciphers
        if not offered:
            raise StatusError(STATUS_INVALID_PARAMETER)
        result.cipher = _first(policy.ciphers, offered, 0)
        answer.append(EncryptionCapabilities((result.cipher,)).context())
    if SigningCapabilities.TYPE in data:
        algorithms = SigningCapabilities.parse(data[SigningCapabilities.TYPE]).signing_algorithms
        if not algorithms:
            raise StatusError(STATUS_INVALID_PARAMETER)
        chosen = _first(policy.signing_algorithms, algorithms, None)
        if chosen is not None:
            result.signing_algorithm = chosen
            answer.append(SigningCapabilities((chosen,)).context())
    _check_ignored(data)
    result.contexts = tuple(answer)


def _agree_preauth(data: dict[int, memoryview], salt: bytes) -> TypedContext:
    if PreauthIntegrityCapabilities.TYPE not in data:
        raise StatusError(STATUS_INVALID_PARAMETER)
    algorithms = PreauthIntegrityCapabilities.parse(data[PreauthIntegrityCapabilities.TYPE]).hash_algorithms
    if not algorithms:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if SHA512 not in algorithms:
        raise StatusError(STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP)
    return PreauthIntegrityCapabilities((SHA512,), salt).context()


def _check_ignored(data: dict[int, memoryview]) -> None:
    """Contexts that nothing is made of must still be what they claim to be."""
    for context in (
        NetnameNegotiateContextId,
        TransportCapabilities,
        CompressionCapabilities,
        RdmaTransformCapabilities,
    ):
        if context.TYPE in data:
            context.parse(data[context.TYPE])


def _first(wanted: Sequence[int], offered: Sequence[int], otherwise: T) -> int | T:
    """The first of `wanted` that is offered."""
    return next((one for one in wanted if one in offered), otherwise)


_ONCE: Final = frozenset(
    {
        PreauthIntegrityCapabilities.TYPE,
        EncryptionCapabilities.TYPE,
        CompressionCapabilities.TYPE,
        RdmaTransformCapabilities.TYPE,
        SigningCapabilities.TYPE,
    }
)
