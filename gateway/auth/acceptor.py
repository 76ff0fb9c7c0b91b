"""The accepting side of a log-on: SPNEGO or bare NTLM ([MS-SMB2] 3.3.5.5.3, RFC 4178 5)."""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from gateway.auth.errors import AuthError
from gateway.auth.mechanism import Lookup, Mechanism, MechanismFactory, Step, Urandom
from gateway.auth.ntlm import NtlmAcceptor
from gateway.auth.ntlm_messages import SIGNATURE, malformed
from gateway.auth.policy import AuthPolicy, Identity, MapToGuest
from gateway.auth.spnego import (
    NTLMSSP_OID,
    NegState,
    NegTokenResp,
    pack_init,
    pack_resp,
    parse_init,
    parse_resp,
)
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_LOGON_FAILURE, STATUS_NOT_SUPPORTED

__all__ = ["Acceptor", "AuthPolicy", "Identity", "Lookup", "MapToGuest", "Step", "Urandom", "initial_token"]

MECHANISMS: Mapping[bytes, MechanismFactory] = MappingProxyType({NTLMSSP_OID: NtlmAcceptor})
"""What is offered, the preferred one first. Kerberos, which SPNEGO is there for, goes in front of NTLM."""

_MAX_BYTES = 65_536
_MAX_ROUNDS = 8


class _Expects(Enum):
    FIRST = auto()
    RAW = auto()
    SPNEGO = auto()
    MIC = auto()
    NOTHING = auto()


def initial_token(policy: AuthPolicy) -> bytes:
    """What NEGOTIATE answers in its security buffer: the mechanisms on offer, [MS-SMB2] 3.3.5.4."""
    return pack_init(list(MECHANISMS))


class Acceptor:
    """One log-on, over as many SESSION_SETUPs as it takes. Good for one attempt."""

    def __init__(self, policy: AuthPolicy, lookup: Lookup, urandom: Urandom) -> None:
        """*lookup* finds accounts by user and domain and must not wait; *urandom* gives random bytes."""
        self._policy = policy
        self._lookup = lookup
        self._urandom = urandom
        self._expects = _Expects.FIRST
        self._bytes = 0
        self._rounds = 0
        self._mechanism: Mechanism = NtlmAcceptor(policy, lookup, urandom)
        self._mechanism_list = b""
        self._mic_required = False
        self._identity: Identity | None = None

    def step(self, token: bytes, now: int) -> Step:
        """Take the client's next token, at *now* ns since 1970.

        Raises AuthError; after that, and after a step with an identity, the acceptor takes nothing any more.
        """
        expects, self._expects = self._expects, _Expects.NOTHING
        self._rounds += 1
        self._bytes += len(token)
        if expects is _Expects.NOTHING or self._rounds > _MAX_ROUNDS or self._bytes > _MAX_BYTES:
            raise malformed("a log-on that goes on for too long")
        if expects is _Expects.FIRST:
            step = self._first(token, now)
        elif expects is _Expects.RAW:
            step = self._mechanism.step(token, now)
        elif expects is _Expects.SPNEGO:
            step = self._further(parse_resp(token), now)
        else:
            step = self._last(parse_resp(token))
        if step.identity is not None:
            self._expects = _Expects.NOTHING
        return step

    def _first(self, token: bytes, now: int) -> Step:
        if token.startswith(SIGNATURE):
            self._expects = _Expects.RAW
            return self._mechanism.step(token, now)
        init = parse_init(token)
        chosen = next((oid for oid in init.mechanisms if oid in MECHANISMS), None)
        if chosen is None:
            raise AuthError(STATUS_NOT_SUPPORTED, "the client offers no mechanism that is known here")
        self._mechanism = MECHANISMS[chosen](self._policy, self._lookup, self._urandom)
        self._mechanism_list = init.mechanism_list
        self._expects = _Expects.SPNEGO
        if chosen != init.mechanisms[0]:
            # Somebody may have taken better mechanisms off the list: both sides must prove that they saw the same.
            self._mic_required = True
            return Step(pack_resp(NegTokenResp(NegState.REQUEST_MIC, chosen)))
        if init.token is None:
            return Step(pack_resp(NegTokenResp(NegState.ACCEPT_INCOMPLETE, chosen)))
        return self._inner(init.token, None, now, chosen)

    def _further(self, resp: NegTokenResp, now: int) -> Step:
        if resp.state == NegState.REJECT:
            raise AuthError(STATUS_LOGON_FAILURE, "the client gives up")
        if resp.token is None:
            raise malformed("an SPNEGO token without the mechanism's")
        return self._inner(resp.token, resp.mic, now)

    def _inner(self, token: bytes, mic: bytes | None, now: int, chosen: bytes | None = None) -> Step:
        """A step of the mechanism inside of SPNEGO."""
        step = self._mechanism.step(token, now)
        if step.identity is None:
            self._expects = _Expects.SPNEGO
            return Step(pack_resp(NegTokenResp(NegState.ACCEPT_INCOMPLETE, chosen, step.token or None)))
        own_mic = None
        if mic is not None or self._mic_required:
            own_mic = self._mechanism.sign(self._mechanism_list)
            if own_mic is None and not step.identity.is_guest:
                raise AuthError(STATUS_NOT_SUPPORTED, "a mechListMIC is due that this client's flags do not allow")
        if own_mic is not None and mic is None:
            self._identity = step.identity
            self._expects = _Expects.MIC
            return Step(pack_resp(NegTokenResp(NegState.ACCEPT_INCOMPLETE, chosen, step.token or None, own_mic)))
        if own_mic is not None and mic is not None:
            self._check_mic(mic)
        # A guest has no key: a MIC can be neither checked nor made, and a client that insists on one will leave.
        done = NegTokenResp(NegState.ACCEPT_COMPLETED, chosen, step.token or None, own_mic)
        return Step(pack_resp(done), step.identity)

    def _last(self, resp: NegTokenResp) -> Step:
        """The client's mechListMIC, where it comes after the mechanism's own end."""
        if resp.mic is None:
            raise malformed("an SPNEGO token without the MIC that is due")
        self._check_mic(resp.mic)
        return Step(pack_resp(NegTokenResp(NegState.ACCEPT_COMPLETED)), self._identity)

    def _check_mic(self, mic: bytes) -> None:
        if not self._mechanism.verify(self._mechanism_list, mic):
            raise AuthError(STATUS_ACCESS_DENIED, "the list of mechanisms was changed on its way")
