"""Names as the kernel passes them, bytes, and as the storage does, `str`: see `vfs_backends.api`."""

import re

__all__ = ["from_kernel", "to_kernel"]

_ESCAPES = re.compile(r"[\udc80-\udcff]")


def from_kernel(name: bytes) -> str:
    """Lone surrogates that SMB clients have put into names are three bytes each; other bytes are escaped (PEP 383)."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        pass
    try:
        decoded = name.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return name.decode(errors="surrogateescape")
    # What could be an escaped byte as well is one.
    return name.decode(errors="surrogateescape") if _ESCAPES.search(decoded) else decoded


def to_kernel(name: str) -> bytes:
    """The bytes that `from_kernel` makes `name` of."""
    try:
        return name.encode()
    except UnicodeEncodeError:
        return b"".join([_encoded(character) for character in name])


def _encoded(character: str) -> bytes:
    return character.encode(errors="surrogateescape" if _ESCAPES.match(character) else "surrogatepass")
