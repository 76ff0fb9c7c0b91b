"""MD4 (RFC 1320), which the NT hash of a password is made of and OpenSSL does not offer any more.

Broken as a hash in every respect; [MS-NLMP] 3.3.1 leaves no choice.
"""

import struct

_ROUND_1 = tuple(range(16))
_ROUND_2 = (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
_ROUND_3 = (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)
_MASK = 0xFFFFFFFF


def _rotate(value: int, count: int) -> int:
    value &= _MASK
    return (value << count | value >> (32 - count)) & _MASK


def _compress(state: tuple[int, int, int, int], block: bytes) -> tuple[int, int, int, int]:
    a, b, c, d = state
    x = struct.unpack("<16I", block)
    for step, k in enumerate(_ROUND_1):
        a, b, c, d = d, _rotate(a + (b & c | ~b & d) + x[k], (3, 7, 11, 19)[step % 4]), b, c
    for step, k in enumerate(_ROUND_2):
        a, b, c, d = d, _rotate(a + (b & c | b & d | c & d) + x[k] + 0x5A827999, (3, 5, 9, 13)[step % 4]), b, c
    for step, k in enumerate(_ROUND_3):
        a, b, c, d = d, _rotate(a + (b ^ c ^ d) + x[k] + 0x6ED9EBA1, (3, 9, 11, 15)[step % 4]), b, c
    a0, b0, c0, d0 = state
    return (a0 + a) & _MASK, (b0 + b) & _MASK, (c0 + c) & _MASK, (d0 + d) & _MASK


def md4(data: bytes) -> bytes:
    """The MD4 digest of *data*, 16 bytes."""
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack("<Q", len(data) * 8)
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for at in range(0, len(padded), 64):
        state = _compress(state, padded[at : at + 64])
    return struct.pack("<4I", *state)
