"""Clients written by others, and what happens when they meet an acceptor."""

from dataclasses import dataclass
from typing import Any

import spnego
from impacket import ntlm as impacket_ntlm

from tests.auth.conftest import NOW


@dataclass
class Result:
    identity: Any
    client: Any = None
    key: bytes = b""
    answers: tuple[bytes, ...] = ()


def spnego_client(user, password, protocol="negotiate", flags=spnego.ContextReq.default):
    options = spnego.NegotiateOptions.use_negotiate if protocol == "negotiate" else spnego.NegotiateOptions.none
    return spnego.client(
        user, password, hostname="files", service="cifs", protocol=protocol, context_req=flags, options=options
    )


def log_on(acceptor, client, change=lambda number, token: token):
    """Carry tokens between *client* (pyspnego) and *acceptor*; *change* may alter what the client sends."""
    answer, answers = None, []
    for number in range(6):
        token = client.step(answer)
        if token is None:
            break
        step = acceptor.step(change(number, token), NOW)
        answers.append(step.token)
        answer = step.token
        if step.identity is not None:
            if answer:
                client.step(answer)
            return Result(step.identity, client, client.session_key, tuple(answers))
    raise AssertionError("the client ended before the server")


def impacket_log_on(acceptor, user, password, domain="", nt_hash="", ntlmv2=True, signing=True):
    first = impacket_ntlm.getNTLMSSPType1("WS", domain, signingRequired=signing, use_ntlmv2=ntlmv2)
    challenge = acceptor.step(first.getData(), NOW).token
    last, key = impacket_ntlm.getNTLMSSPType3(
        first, challenge, user, password, domain, nthash=nt_hash, use_ntlmv2=ntlmv2
    )
    step = acceptor.step(last.getData(), NOW)
    return Result(step.identity, key=key, answers=(challenge, step.token))
