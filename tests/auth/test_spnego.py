import pytest
from spnego._spnego import NegTokenInit as TheirInit
from spnego._spnego import NegTokenResp as TheirResp
from spnego._spnego import unpack_token

from gateway.auth.errors import AuthError
from gateway.auth.spnego import NTLMSSP_OID, NegState, NegTokenResp, pack_init, pack_resp, parse_init, parse_resp

NTLM = "1.3.6.1.4.1.311.2.2.10"


@pytest.mark.parametrize("length", [0, 1, 100, 127, 128, 200, 255, 256, 40_000])
def test_tokens_of_every_length_against_another_codec(length):
    data = bytes(length)
    mine = unpack_token(pack_resp(NegTokenResp(NegState.ACCEPT_INCOMPLETE, NTLMSSP_OID, data, b"mic")))
    assert (mine.neg_state, mine.supported_mech) == (1, NTLM)
    assert (mine.response_token or b"", mine.mech_list_mic) == (data, b"mic")
    assert parse_init(TheirInit(mech_types=[NTLM], mech_token=data or b"x").pack()).token == (data or b"x")
    theirs = parse_resp(TheirResp(response_token=data or b"x", mech_list_mic=b"mic").pack())
    assert (theirs.token, theirs.mic) == (data or b"x", b"mic")


@pytest.mark.parametrize(
    "resp", [NegTokenResp(), NegTokenResp(3), NegTokenResp(mic=b""), NegTokenResp(0, NTLMSSP_OID, b"", b"m")]
)
def test_fields_that_are_not_there(resp):
    assert parse_resp(pack_resp(resp)) == resp


def test_what_follows_a_token_is_left_alone():
    assert parse_resp(pack_resp(NegTokenResp(1)) + bytes(7)) == NegTokenResp(1)


def test_unknown_fields_are_left_alone():
    assert parse_resp(bytes.fromhex("a10b3009 a0030a0101 0400 8000")) == NegTokenResp(1)


@pytest.mark.parametrize(
    "token",
    [
        "a1",
        "a10a30",
        "a1073005a003020101",
        "a1053003a0010a",
        "a1043002a200",
        "a1063004a2020200",
        "a10630 80 a0000000",
        "a1143012" + "8000" * 9,
        "6003020101",
    ],
)
def test_what_is_no_response(token):
    with pytest.raises(AuthError):
        parse_resp(bytes.fromhex(token))


def test_several_mechanisms_are_offered_in_order():
    assert parse_init(pack_init([b"\x2a\x03", NTLMSSP_OID])).mechanisms == [b"\x2a\x03", NTLMSSP_OID]
