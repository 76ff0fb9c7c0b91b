"""The keys that a connection has at hand."""

from gateway.crypto.signing import AES_CMAC, make_signer
from gateway.protocol.security import ChannelSecurity, KeyRing


def keys_of(session_id: int) -> ChannelSecurity:
    keys = ChannelSecurity(session_id)
    keys.signer = make_signer(AES_CMAC, bytes(16))
    keys.signing_required = keys.sealing_required = True
    return keys


def test_keys_of_sessions() -> None:
    ring, one = KeyRing(), keys_of(1)
    ring.enter(one)
    assert ring.find(1) is one
    assert ring.find(2) is None
    ring.leave(2)


def test_keys_of_a_session_that_has_ended() -> None:
    """They verify and sign, and demand nothing."""
    ring, one = KeyRing(), keys_of(1)
    ring.enter(one)
    ring.leave(1)
    ended = ring.find(1)
    assert ended is not None
    assert ended.signer is one.signer
    assert not ended.signing_required
    assert not ended.sealing_required
    assert one.signing_required


def test_nothing_is_kept_of_who_was_never_logged_on() -> None:
    ring = KeyRing()
    ring.enter(ChannelSecurity(1))
    ring.leave(1)
    assert ring.find(1) is None


def test_of_ended_sessions_only_the_last_are_kept() -> None:
    """A new session with the id of an ended one is not forgotten with it."""
    ring, new = KeyRing(), keys_of(0)
    for number in range(8):
        ring.enter(keys_of(number))
        ring.leave(number)
    ring.enter(new)
    for number in range(8, 10):
        ring.enter(keys_of(number))
        ring.leave(number)
    assert ring.find(0) is new
    assert [number for number in range(1, 10) if ring.find(number) is None] == [1]
