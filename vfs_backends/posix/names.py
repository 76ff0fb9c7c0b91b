"""Names as `str` and as the bytes on disk, one-to-one.

Valid UTF-8 is taken as it is. SMB names are UTF-16 and may hold lone surrogates: those are stored in three bytes each,
as UTF-8 would if it allowed them. Bytes that are neither are shown as U+DC80..U+DCFF (PEP 383). Such a name is
only accepted if it comes back the same: neither as other bytes, nor, in UTF-16, as another character.
"""

import re
from typing import Final

from vfs_backends.errors import Kind, VfsError

__all__ = ["MAX_NAME", "name_from_bytes", "name_to_bytes", "path_to_bytes", "text_to_bytes"]

MAX_NAME: Final = 255
"""NAME_MAX: bytes in one name."""

_NO_NAMES: Final = frozenset({"", ".", ".."})
_FORBIDDEN: Final = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)|\0")
_STORED_SURROGATE: Final = re.compile(r"\udced([\udca0-\udcbf])([\udc80-\udcbf])")
# By number, since mypyc takes no literals of them.
_SECOND_HALF, _END = chr(0xDC00), chr(0xDFFF)
_ESCAPE, _LAST_ESCAPE = chr(0xDC80), chr(0xDCFF)


def name_from_bytes(raw: bytes) -> str:
    """How a name on disk is shown."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _decode_surrogates(raw.decode(errors="surrogateescape"))


def _decode_surrogates(name: str) -> str:
    """Replace three escaped bytes by the surrogate they stand for, wherever that can be undone."""
    following = ""  # What has been decoded already: we go backwards, since a pair must not come into being.
    end = len(name)
    for found in reversed(list(_STORED_SURROGATE.finditer(name))):
        second, third = [ord(part) & 0x3F for part in found.groups()]
        surrogate = chr(0xD000 | second << 6 | third)
        following = name[found.end() : end] + following
        end = found.end()
        is_escape = _ESCAPE <= surrogate <= _LAST_ESCAPE
        makes_pair = surrogate < _SECOND_HALF <= following[:1] <= _END
        if not is_escape and not makes_pair:
            following = surrogate + following
            end = found.start()
    return name[:end] + following


def text_to_bytes(text: str) -> bytes:
    """The bytes of a text that need not be a name. Raises NAME_INVALID if it would not come back the same."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raw = b"".join(map(_encode_character, text))
    if name_from_bytes(raw) != text:
        raise VfsError(Kind.NAME_INVALID, repr(text))
    return raw


def _encode_character(character: str) -> bytes:
    return character.encode(errors="surrogateescape" if _ESCAPE <= character <= _LAST_ESCAPE else "surrogatepass")


def name_to_bytes(name: str) -> bytes:
    """The bytes of one name. Raises NAME_INVALID, NAME_TOO_LONG."""
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        raw = text_to_bytes(name)
    if name in _NO_NAMES or "/" in name or "\0" in name:
        raise VfsError(Kind.NAME_INVALID, repr(name))
    if len(raw) > MAX_NAME:
        raise VfsError(Kind.NAME_TOO_LONG, repr(name))
    return raw


def path_to_bytes(path: str) -> bytes:
    """The bytes of names with `/` between them. Raises NAME_INVALID; the kernel judges the length."""
    # Most paths have none of these, and the expression takes longer than all five together.
    is_suspect = "/." in path or "//" in path or path[:1] in "./" or path[-1:] == "/" or "\0" in path
    if is_suspect and _FORBIDDEN.search(path):
        raise VfsError(Kind.NAME_INVALID, repr(path))
    try:
        return path.encode()
    except UnicodeEncodeError:
        return b"/".join(map(text_to_bytes, path.split("/")))
