"""The accepting side of NTLM, version 2 only ([MS-NLMP] 3.2.5)."""

import hmac

from gateway.auth.accounts import Account
from gateway.auth.errors import AuthError
from gateway.auth.mechanism import Lookup, Step, Urandom
from gateway.auth.ntlm_keys import MessageSigner, hmac_md5, rc4, response_keys
from gateway.auth.ntlm_messages import (
    AV_DNS_COMPUTER_NAME,
    AV_DNS_DOMAIN_NAME,
    AV_NB_COMPUTER_NAME,
    AV_NB_DOMAIN_NAME,
    AV_TIMESTAMP,
    MIC,
    NEGOTIATE_56,
    NEGOTIATE_128,
    NEGOTIATE_ALWAYS_SIGN,
    NEGOTIATE_EXTENDED_SESSIONSECURITY,
    NEGOTIATE_KEY_EXCH,
    NEGOTIATE_NTLM,
    NEGOTIATE_SEAL,
    NEGOTIATE_SIGN,
    NEGOTIATE_TARGET_INFO,
    NEGOTIATE_UNICODE,
    NEGOTIATE_VERSION,
    REQUEST_TARGET,
    TARGET_TYPE_SERVER,
    Authenticate,
    Ntlmv2Response,
    malformed,
    negotiate_flags,
    pack_av_pairs,
    pack_challenge,
    parse_authenticate,
    parse_ntlmv2_response,
)
from gateway.auth.policy import AuthPolicy, Identity, MapToGuest
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_ACCOUNT_DISABLED,
    STATUS_INVALID_PARAMETER,
    STATUS_LOGON_FAILURE,
    STATUS_NOT_SUPPORTED,
)
from gateway.nt.time import filetime_from_ns

_ALWAYS = NEGOTIATE_UNICODE | REQUEST_TARGET | NEGOTIATE_NTLM | TARGET_TYPE_SERVER | NEGOTIATE_TARGET_INFO
_IF_ASKED = (
    NEGOTIATE_SIGN
    | NEGOTIATE_SEAL
    | NEGOTIATE_ALWAYS_SIGN
    | NEGOTIATE_EXTENDED_SESSIONSECURITY
    | NEGOTIATE_VERSION
    | NEGOTIATE_128
    | NEGOTIATE_KEY_EXCH
    | NEGOTIATE_56
)
_KEY_LENGTH = 16
_NTLMV1_RESPONSE = 24
# What the response of an unknown user is checked against, so that it takes as long as a wrong password.
_NO_HASH = bytes(_KEY_LENGTH)


class NtlmAcceptor:
    """One log-on by NTLM: NEGOTIATE in, CHALLENGE out, AUTHENTICATE in."""

    def __init__(self, policy: AuthPolicy, lookup: Lookup, urandom: Urandom) -> None:
        self._policy = policy
        self._lookup = lookup
        self._server_challenge = urandom(8)
        self._negotiate = b""
        self._challenge = b""
        self._flags = 0
        self._finished = False
        self._signer: MessageSigner | None = None

    def step(self, token: bytes, now: int) -> Step:
        """Take the client's next message, at *now* ns since 1970. Raises AuthError."""
        if self._finished:
            raise malformed("an NTLM message after the last one")
        if not self._challenge:
            return Step(self._answer_negotiate(token, now))
        self._finished = True
        return Step(b"", self._answer_authenticate(token))

    def sign(self, message: bytes) -> bytes | None:
        """The server's signature of *message* after the log-on; None where no key is shared with the client."""
        return self._signer.sign(message) if self._signer else None

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the client signed *message* so. Where no key is shared there is nothing to compare with: False."""
        return self._signer is not None and self._signer.verify(message, signature)

    def _answer_negotiate(self, token: bytes, now: int) -> bytes:
        asked = negotiate_flags(token)
        if not asked & NEGOTIATE_UNICODE:
            raise AuthError(STATUS_NOT_SUPPORTED, "an NTLM client without Unicode")
        self._flags = _ALWAYS | asked & _IF_ASKED
        self._negotiate = token
        self._challenge = pack_challenge(
            self._flags, self._policy.netbios_name, self._server_challenge, self._target_info(now)
        )
        return self._challenge

    def _target_info(self, now: int) -> bytes:
        policy = self._policy
        names = [
            (AV_NB_DOMAIN_NAME, policy.netbios_domain or policy.netbios_name),
            (AV_NB_COMPUTER_NAME, policy.netbios_name),
            (AV_DNS_DOMAIN_NAME, policy.dns_domain),
            (AV_DNS_COMPUTER_NAME, policy.dns_name or policy.netbios_name.lower()),
        ]
        pairs = [(number, name.encode("utf-16-le")) for number, name in names if name]
        pairs.append((AV_TIMESTAMP, filetime_from_ns(now).to_bytes(8, "little")))
        return pack_av_pairs(pairs)

    def _answer_authenticate(self, token: bytes) -> Identity:
        message = parse_authenticate(token)
        flags = message.flags & self._flags
        if message.is_anonymous:
            return self._anonymous(message, flags)
        if len(message.nt_response) <= _NTLMV1_RESPONSE:
            raise AuthError(STATUS_LOGON_FAILURE, "neither LM nor NTLM version 1 is accepted", message.user)
        response = parse_ntlmv2_response(message.nt_response)
        account = self._lookup(message.user, message.domain)
        key = self._proven_key(account, message, response)
        if account is None or key is None:
            if account is None and self._policy.map_to_guest is MapToGuest.BAD_USER:
                return self._guest(message)
            reason = "unknown user" if account is None else "wrong password"
            raise AuthError(STATUS_LOGON_FAILURE, reason, message.user)
        session_key = _session_key(hmac_md5(key, response.proof), message, flags)
        self._check_mic(token, session_key, message, response)
        if account.disabled:
            raise AuthError(STATUS_ACCOUNT_DISABLED, "the account is disabled", message.user)
        self._use_key(session_key, flags)
        return Identity(account.name, message.domain, message.workstation, session_key)

    def _proven_key(self, account: Account | None, message: Authenticate, response: Ntlmv2Response) -> bytes | None:
        """The key under which the client's proof is right, if any is."""
        nt_hash = _NO_HASH if account is None else account.nt_hash
        proved = self._server_challenge + response.client_challenge
        for key in response_keys(nt_hash, message.user, message.domain):
            if hmac.compare_digest(hmac_md5(key, proved), response.proof):
                return key
        return None

    def _check_mic(self, token: bytes, session_key: bytes, message: Authenticate, response: Ntlmv2Response) -> None:
        """Verify the MIC over the three messages as they went over the wire, [MS-NLMP] 3.2.5.1.2.

        Nobody in between can take the flag away that announces a MIC: the client's proof covers it.
        """
        if not response.has_mic:
            if self._policy.require_mic:
                raise AuthError(STATUS_INVALID_PARAMETER, "an NTLM exchange without a MIC", message.user)
            return
        without = token[: MIC.start] + bytes(MIC.stop - MIC.start) + token[MIC.stop :]
        expected = hmac_md5(session_key, self._negotiate + self._challenge + without)
        if not hmac.compare_digest(expected, token[MIC]):
            raise AuthError(STATUS_INVALID_PARAMETER, "the MIC of an NTLM exchange is wrong", message.user)

    def _anonymous(self, message: Authenticate, flags: int) -> Identity:
        if not self._policy.allow_anonymous:
            raise AuthError(STATUS_ACCESS_DENIED, "anonymous log-ons are not allowed")
        session_key = _session_key(bytes(_KEY_LENGTH), message, flags)
        self._use_key(session_key, flags)
        return Identity("", message.domain, message.workstation, session_key, is_anonymous=True)

    def _guest(self, message: Authenticate) -> Identity:
        """Whoever comes as guest has a key that the server cannot know, so nothing is signed."""
        user = self._policy.guest_account
        return Identity(user, message.domain, message.workstation, bytes(_KEY_LENGTH), is_guest=True)

    def _use_key(self, session_key: bytes, flags: int) -> None:
        # Without extended session security NTLM signs by a CRC; nobody who wants a mechListMIC leaves it out.
        if flags & NEGOTIATE_EXTENDED_SESSIONSECURITY:
            self._signer = MessageSigner(session_key, flags)


def _session_key(exchange_key: bytes, message: Authenticate, flags: int) -> bytes:
    """ExportedSessionKey, [MS-NLMP] 3.2.5.1.2."""
    if not flags & NEGOTIATE_KEY_EXCH:
        return exchange_key
    if len(message.encrypted_session_key) != _KEY_LENGTH:
        raise malformed("an NTLM session key of the wrong length")
    return rc4(exchange_key, message.encrypted_session_key)
