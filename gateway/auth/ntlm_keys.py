"""Keys and signatures of NTLMv2 ([MS-NLMP] 3.3.2, 3.4)."""

import hashlib
import hmac
import struct
from collections.abc import Iterator

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from gateway.auth.md4 import md4
from gateway.auth.ntlm_messages import NEGOTIATE_56, NEGOTIATE_128, NEGOTIATE_KEY_EXCH
from gateway.nt.upcase import upcase

_SIGNATURE = struct.Struct("<I8sI")
_VERSION = 1
_SIGN = b"session key to %s signing key magic constant\x00"
_SEAL = b"session key to %s sealing key magic constant\x00"
_TO_SERVER = b"client-to-server"
_TO_CLIENT = b"server-to-client"


def nt_hash_from_password(password: str) -> bytes:
    """The NT hash of *password*, 16 bytes: NTOWFv1, [MS-NLMP] 3.3.1."""
    return md4(password.encode("utf-16-le", "surrogatepass"))


def rc4(key: bytes, data: bytes) -> bytes:
    """*data* through RC4 from the start of *key*'s stream."""
    return Cipher(ARC4(key), mode=None).encryptor().update(data)


def hmac_md5(key: bytes, data: bytes) -> bytes:
    """HMAC-MD5, which everything in NTLMv2 is made of."""
    return hmac.digest(key, data, "md5")


def response_key(nt_hash: bytes, user: str, domain: str) -> bytes:
    """NTOWFv2 with *user* in upper case already, [MS-NLMP] 3.3.2."""
    return hmac_md5(nt_hash, (user + domain).encode("utf-16-le"))


def response_keys(nt_hash: bytes, user: str, domain: str) -> Iterator[bytes]:
    """The keys that a client may have used for *user* of *domain*, the right one by the specification first.

    Clients upper-case the name as NTFS does (Windows, Samba) or as Unicode does (smbprotocol, impacket), which differs
    for few letters; and some upper-case the domain or leave it out of the computation, which smbd accepts too.
    """
    users = dict.fromkeys((upcase(user), user.upper()))
    domains = dict.fromkeys((domain, domain.upper(), ""))
    return (response_key(nt_hash, name, where) for name in users for where in domains)


class MessageSigner:
    """Signs and verifies one message in each direction with extended session security, [MS-NLMP] 3.4.4.2.

    That is all a log-on to SMB needs, for SPNEGO's mechListMIC: the sequence number is always 0.
    """

    __slots__ = ("_flags", "_session_key")

    def __init__(self, session_key: bytes, flags: int) -> None:
        self._session_key = session_key
        self._flags = flags

    def sign(self, message: bytes) -> bytes:
        """The server's signature."""
        return self._signature(_TO_CLIENT, message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether *signature* is the client's."""
        return hmac.compare_digest(signature, self._signature(_TO_SERVER, message))

    def _signature(self, direction: bytes, message: bytes) -> bytes:
        sequence = bytes(4)
        key = hashlib.md5(self._session_key + _SIGN % direction, usedforsecurity=False).digest()
        checksum = hmac_md5(key, sequence + message)[:8]
        if self._flags & NEGOTIATE_KEY_EXCH:
            checksum = rc4(self._sealing_key(direction), checksum)
        return _SIGNATURE.pack(_VERSION, checksum, 0)

    def _sealing_key(self, direction: bytes) -> bytes:
        length = 16
        if not self._flags & NEGOTIATE_128:
            length = 7 if self._flags & NEGOTIATE_56 else 5
        return hashlib.md5(self._session_key[:length] + _SEAL % direction, usedforsecurity=False).digest()
