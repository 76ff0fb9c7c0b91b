"""What comes of a NEGOTIATE: dialects x policies x contexts."""

import pytest

from gateway.crypto.keys import AES128_CCM, AES128_GCM, AES256_CCM, AES256_GCM
from gateway.crypto.preauth import SHA512
from gateway.crypto.signing import AES_CMAC, AES_GMAC, HMAC_SHA256
from gateway.nt.status import STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, StatusError
from gateway.protocol.dialect import (
    ALL_DIALECTS,
    SMALL_SIZE,
    STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP,
    Negotiated,
    NegotiatePolicy,
    negotiate,
)
from gateway.wire.contexts import TypedContext
from gateway.wire.errors import WireError
from gateway.wire.negotiate import (
    DIALECT_202,
    DIALECT_210,
    DIALECT_300,
    DIALECT_302,
    DIALECT_311,
    SMB2_GLOBAL_CAP_ENCRYPTION,
    SMB2_GLOBAL_CAP_LARGE_MTU,
    SMB2_GLOBAL_CAP_MULTI_CHANNEL,
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

SALT = bytes(range(32))
PREAUTH = PreauthIntegrityCapabilities((SHA512,), b"client's salt").context()
CIPHERS = EncryptionCapabilities((AES128_CCM, AES256_CCM, AES128_GCM, AES256_GCM)).context()
SIGNING = SigningCapabilities((HMAC_SHA256, AES_CMAC, AES_GMAC)).context()


def ask(dialects=ALL_DIALECTS, contexts=(PREAUTH,), capabilities=0x7F, **policy) -> Negotiated:
    request = NegotiateRequest(
        security_mode=1, capabilities=capabilities, client_guid=bytes(16), dialects=dialects, contexts=contexts
    )
    return negotiate(request, NegotiatePolicy(**policy), SALT)


def refusal(*args, **kwargs) -> int:
    with pytest.raises(StatusError) as caught:
        ask(*args, **kwargs)
    return caught.value.status


def answers(negotiated: Negotiated) -> dict[int, bytes]:
    return {context.type: bytes(context.data) for context in negotiated.contexts}


@pytest.mark.parametrize(
    ("offered", "least", "most", "dialect"),
    [
        (ALL_DIALECTS, DIALECT_210, DIALECT_311, DIALECT_311),
        (tuple(reversed(ALL_DIALECTS)), DIALECT_210, DIALECT_311, DIALECT_311),
        (ALL_DIALECTS, DIALECT_210, DIALECT_302, DIALECT_302),
        (ALL_DIALECTS, DIALECT_202, DIALECT_202, DIALECT_202),
        ((DIALECT_202,), DIALECT_202, DIALECT_311, DIALECT_202),
        ((DIALECT_202, DIALECT_210), DIALECT_210, DIALECT_311, DIALECT_210),
        ((DIALECT_300,), DIALECT_210, DIALECT_311, DIALECT_300),
        ((0x0999, DIALECT_302, 0x0310), DIALECT_210, DIALECT_311, DIALECT_302),
    ],
)
def test_the_greatest_common_dialect(offered, least, most, dialect) -> None:
    assert ask(offered, min_dialect=least, max_dialect=most).dialect == dialect


@pytest.mark.parametrize(
    ("offered", "least", "most"),
    [
        ((DIALECT_202,), DIALECT_210, DIALECT_311),
        ((DIALECT_311,), DIALECT_210, DIALECT_302),
        ((DIALECT_202, DIALECT_210), DIALECT_300, DIALECT_311),
        ((0x0310,), DIALECT_202, DIALECT_311),
    ],
)
def test_nothing_in_common(offered, least, most) -> None:
    assert refusal(offered, min_dialect=least, max_dialect=most) == STATUS_NOT_SUPPORTED


def test_no_dialects_at_all() -> None:
    assert refusal(()) == STATUS_INVALID_PARAMETER


def test_2_0_2_is_off_unless_allowed() -> None:
    assert refusal((DIALECT_202,)) == STATUS_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("dialect", "size", "large"),
    [(DIALECT_202, SMALL_SIZE, False), *((one, 8 << 20, True) for one in ALL_DIALECTS[1:])],
)
def test_sizes_and_credits(dialect, size, large) -> None:
    result = ask((dialect,), min_dialect=DIALECT_202)
    assert (result.max_read_size, result.max_write_size, result.max_transact_size) == (size, size, size)
    assert result.multi_credit is large
    assert bool(result.capabilities & SMB2_GLOBAL_CAP_LARGE_MTU) is large


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_several_connections_are_offered_since_3_0_to_who_knows_of_them(dialect) -> None:
    for capabilities, offers in ((0x7F, True), (0x7F, False), (0x77, True)):
        offered = ask((dialect,), (PREAUTH,), capabilities, min_dialect=DIALECT_202, multi_channel=offers).capabilities
        expected = offers and dialect >= DIALECT_300 and bool(capabilities & SMB2_GLOBAL_CAP_MULTI_CHANNEL)
        assert bool(offered & SMB2_GLOBAL_CAP_MULTI_CHANNEL) is expected


def test_what_is_not_implemented_is_not_offered() -> None:
    for dialect in ALL_DIALECTS:
        offered = ask((dialect,), (PREAUTH,), 0xFFFFFFFF, min_dialect=DIALECT_202).capabilities
        assert not offered & ~(SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_ENCRYPTION)


def test_what_the_client_said_is_kept() -> None:
    result = ask((DIALECT_210, DIALECT_300), capabilities=0x44)
    assert (result.client_security_mode, result.client_capabilities) == (1, 0x44)
    assert (result.client_guid, result.client_dialects) == (bytes(16), (DIALECT_210, DIALECT_300))


@pytest.mark.parametrize(("required", "mode"), [(True, 3), (False, 1)])
def test_security_mode(required, mode) -> None:
    assert ask(signing_required=required).security_mode == mode


@pytest.mark.parametrize("dialect", [DIALECT_300, DIALECT_302])
@pytest.mark.parametrize(
    ("capabilities", "policy", "cipher"),
    [
        (SMB2_GLOBAL_CAP_ENCRYPTION, {}, AES128_CCM),
        (0, {}, 0),
        (SMB2_GLOBAL_CAP_ENCRYPTION, {"encryption": False}, 0),
        (SMB2_GLOBAL_CAP_ENCRYPTION, {"ciphers": (AES256_GCM,)}, 0),
    ],
)
def test_sealing_before_3_1_1(dialect, capabilities, policy, cipher) -> None:
    """AES-128-CCM, if both sides say so by capability."""
    result = ask((dialect,), (), capabilities, **policy)
    assert result.cipher == cipher
    assert bool(result.capabilities & SMB2_GLOBAL_CAP_ENCRYPTION) is bool(cipher)
    assert result.contexts == ()


@pytest.mark.parametrize("dialect", [DIALECT_202, DIALECT_210])
def test_no_sealing_before_3_0(dialect) -> None:
    result = ask((dialect,), min_dialect=DIALECT_202)
    assert (result.cipher, result.signing_algorithm) == (0, HMAC_SHA256)


@pytest.mark.parametrize("dialect", [DIALECT_300, DIALECT_302, DIALECT_311])
def test_signing_unless_something_else_is_agreed(dialect) -> None:
    assert ask((dialect,)).signing_algorithm == AES_CMAC


# --- the contexts of 3.1.1


def test_contexts_are_only_for_3_1_1() -> None:
    assert ask(ALL_DIALECTS, (PREAUTH, CIPHERS), max_dialect=DIALECT_302).contexts == ()


def test_the_preauth_context_is_answered_with_our_salt() -> None:
    result = ask()
    assert answers(result) == {PREAUTH.type: PreauthIntegrityCapabilities((SHA512,), SALT).to_bytes()}


def test_no_preauth_context() -> None:
    assert refusal(contexts=(CIPHERS,)) == STATUS_INVALID_PARAMETER


def test_preauth_without_hashes() -> None:
    assert refusal(contexts=(PreauthIntegrityCapabilities((), b"salt").context(),)) == STATUS_INVALID_PARAMETER


def test_no_common_preauth_hash() -> None:
    contexts = (PreauthIntegrityCapabilities((2, 3), b"salt").context(),)
    assert refusal(contexts=contexts) == STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP


@pytest.mark.parametrize(
    ("offered", "wanted", "cipher"),
    [
        ((AES128_CCM, AES128_GCM), NegotiatePolicy().ciphers, AES128_GCM),
        ((AES256_CCM, AES256_GCM), NegotiatePolicy().ciphers, AES256_GCM),
        ((AES128_CCM,), NegotiatePolicy().ciphers, AES128_CCM),
        ((AES128_GCM, AES256_GCM), (AES256_GCM, AES128_GCM), AES256_GCM),
        ((AES128_GCM,), (AES256_GCM,), 0),
        ((77,), NegotiatePolicy().ciphers, 0),
    ],
)
def test_ciphers(offered, wanted, cipher) -> None:
    """The server's preference counts; no common cipher is answered with 0 ([MS-SMB2] 3.3.5.4)."""
    result = ask(contexts=(PREAUTH, EncryptionCapabilities(offered).context()), ciphers=wanted)
    assert result.cipher == cipher
    assert answers(result)[CIPHERS.type] == EncryptionCapabilities((cipher,)).to_bytes()


def test_ciphers_where_sealing_is_disabled() -> None:
    result = ask(contexts=(PREAUTH, CIPHERS), encryption=False)
    assert result.cipher == 0
    assert CIPHERS.type not in answers(result)


@pytest.mark.parametrize(
    ("offered", "wanted", "algorithm"),
    [
        ((HMAC_SHA256, AES_CMAC, AES_GMAC), NegotiatePolicy().signing_algorithms, AES_GMAC),
        ((AES_CMAC,), NegotiatePolicy().signing_algorithms, AES_CMAC),
        ((HMAC_SHA256,), NegotiatePolicy().signing_algorithms, HMAC_SHA256),
        ((AES_GMAC, AES_CMAC), (AES_CMAC,), AES_CMAC),
    ],
)
def test_signing_algorithms(offered, wanted, algorithm) -> None:
    result = ask(contexts=(PREAUTH, SigningCapabilities(offered).context()), signing_algorithms=wanted)
    assert result.signing_algorithm == algorithm
    assert answers(result)[SIGNING.type] == SigningCapabilities((algorithm,)).to_bytes()


def test_no_common_signing_algorithm() -> None:
    """Nothing is answered then, and the dialect's own algorithm signs."""
    result = ask(contexts=(PREAUTH, SigningCapabilities((9,)).context()))
    assert result.signing_algorithm == AES_CMAC
    assert SIGNING.type not in answers(result)


@pytest.mark.parametrize("context", [EncryptionCapabilities(()).context(), SigningCapabilities(()).context()])
def test_empty_lists(context) -> None:
    assert refusal(contexts=(PREAUTH, context)) == STATUS_INVALID_PARAMETER


@pytest.mark.parametrize(
    "context",
    [
        PREAUTH,
        CIPHERS,
        SIGNING,
        CompressionCapabilities((1,)).context(),
        RdmaTransformCapabilities((1,)).context(),
    ],
    ids=lambda context: str(context.type),
)
def test_a_context_that_comes_twice(context) -> None:
    assert refusal(contexts=(PREAUTH, context, context)) == STATUS_INVALID_PARAMETER


def test_contexts_that_lead_to_nothing() -> None:
    """They are read, and not answered: what is not implemented is not offered."""
    ignored = (
        NetnameNegotiateContextId("files.example.com").context(),
        NetnameNegotiateContextId("files").context(),
        TransportCapabilities().context(),
        CompressionCapabilities((1, 2, 3)).context(),
        RdmaTransformCapabilities((1,)).context(),
        TypedContext(0x7777, b"anything"),
        TypedContext(0x7777, b"else"),
    )
    assert set(answers(ask(contexts=(PREAUTH, *ignored)))) == {PREAUTH.type}


@pytest.mark.parametrize("kind", [PREAUTH.type, CIPHERS.type, SIGNING.type, 3, 6, 7])
def test_malformed_contexts(kind) -> None:
    contexts = [one for one in (PREAUTH,) if one.type != kind]
    with pytest.raises(WireError):
        ask(contexts=(*contexts, TypedContext(kind, b"\x05")))
