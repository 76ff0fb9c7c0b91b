"""Names of files and paths as clients send them, and what is wrong with them ([MS-FSCC] 2.1.5, [MS-FSA] 2.1.5.1).

A path of the wire has backslashes between its components and none before them; inside the gateway, and towards the
storage, the separator is `/`. Names are kept as they are sent: like NTFS, and unlike the Win32 functions on a client,
nothing strips trailing periods and spaces, or takes CON and NUL for devices. Lone surrogates are names like others.
"""

import re
from typing import Final, NamedTuple

from gateway.nt.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    StatusError,
)

__all__ = [
    "MAX_COMPONENT",
    "MAX_PATH",
    "PathName",
    "check_component",
    "check_search_pattern",
    "join_path",
    "parse_path",
    "plain_path",
    "split_parent",
    "split_path",
    "utf16_length",
    "wire_path",
]

MAX_COMPONENT: Final = 255
"""The longest file or stream name, in UTF-16 code units ([MS-FSCC] 2.1.5.2, 2.1.5.3)."""
MAX_PATH: Final = 32760
"""The longest path, in UTF-16 code units ([MS-FSCC] 2.1.5)."""

_SURELY_SHORT: Final = MAX_COMPONENT // 2
"""In characters, of which each may be two code units."""

_DATA: Final = "$DATA"
_INDEX: Final = "$INDEX_ALLOCATION"
_DIRECTORY_INDEX: Final = "$I30"

_RESERVED: Final = re.compile('[\x00-\x1f"*/:<>?|\\\\]')
_RESERVED_IN_PATTERN: Final = re.compile("[\x00-\x1f/:|\\\\]")
_RESERVED_IN_STREAM: Final = re.compile("[\x00/:\\\\]")
_PLAIN_NAME: Final = r'\.?[^\x00-\x1f"*/:<>?|\\.][^\x00-\x1f"*/:<>?|\\]*'
_match_plain: Final = re.compile(rf"(?:{_PLAIN_NAME}(?:\\{_PLAIN_NAME})*)?").fullmatch
_SUPPLEMENTARY: Final = re.compile("[\U00010000-\U0010ffff]")


class PathName(NamedTuple):
    """What a path of the wire means."""

    path: str
    """The file: its components with `/` between them; empty for the root of the share."""
    stream: str = ""
    """The named stream; empty for the file itself."""
    stream_type: str = ""
    """`$DATA`, `$INDEX_ALLOCATION` (which asks for a directory), or empty if it was not named."""
    trailing_separator: bool = False
    """It ended in a backslash: OBJECT_NAME_INVALID with FILE_NON_DIRECTORY_FILE, else a directory is created."""


def utf16_length(text: str) -> int:
    """How many UTF-16 code units `text` has."""
    if text.isascii():
        return len(text)
    return len(text) + len(_SUPPLEMENTARY.findall(text))


def plain_path(name: str) -> str | None:
    """What `parse_path` makes of a path that names a file and nothing else, as nearly all do; else None."""
    if len(name) <= _SURELY_SHORT and _match_plain(name) is not None:
        return name.replace("\\", "/")
    return None


def parse_path(name: str, *, absolute: bool = False) -> PathName:
    """Take apart a path relative to the share; with `absolute` one backslash may stand before it.

    Raises StatusError: INVALID_PARAMETER for a leading backslash ([MS-SMB2] 3.3.5.9) and for a named stream of type
    `$INDEX_ALLOCATION`, OBJECT_PATH_SYNTAX_BAD for `..` that lead out of the share, OBJECT_NAME_INVALID for everything
    else, which includes `.`: a dot directory name is not to be sent over the wire ([MS-FSCC] 2.1.5.1).
    """
    if absolute and name.startswith("\\"):
        name = name[1:]
    plain = plain_path(name)
    if plain is not None:
        return PathName(plain)
    if "/" in name:
        # No name has it, and Samba and KSMBD take it for what Unix programs mean by it.
        path, colon, stream = name.partition(":")
        name = path.replace("/", "\\") + colon + stream
    if name[0] == "\\":
        raise StatusError(STATUS_INVALID_PARAMETER)
    if utf16_length(name) > MAX_PATH:
        raise StatusError(STATUS_OBJECT_NAME_INVALID)
    trailing = name[-1] == "\\"
    *directories, last = _without_parents((name[:-1] if trailing else name).split("\\"))
    components = [_directory_component(component) for component in directories]
    last, stream, stream_type = _split_streams(last)
    if last or directories or not (stream_type or stream or ".." in name):
        check_component(last)
        components.append(last)
    return PathName("/".join(components), stream, stream_type, trailing)


def _without_parents(components: list[str]) -> list[str]:
    """Take `..` for what it says, as long as it does not lead out of the share: clients of Samba are used to it."""
    if ".." not in components:
        return components
    plain: list[str] = []
    for component in components:
        if component != "..":
            plain.append(component)
        elif plain:
            plain.pop()
        else:
            raise StatusError(STATUS_OBJECT_PATH_SYNTAX_BAD)
    return plain or [""]


def _directory_component(component: str) -> str:
    """A component that is not the last may only name the stream that makes it a directory."""
    name, stream, stream_type = _split_streams(component)
    if stream or stream_type == _DATA:
        raise StatusError(STATUS_OBJECT_NAME_INVALID)
    check_component(name)
    return name


def _split_streams(component: str) -> tuple[str, str, str]:
    """`name:stream:type` into its parts, without checking the name ([MS-FSA] 2.1.5.1, phases 5 to 7)."""
    name, colon, rest = component.partition(":")
    if not colon:
        return name, "", ""
    stream, typed, stream_type = rest.partition(":")
    stream_type = stream_type.upper() if stream_type.isascii() else stream_type
    if component.endswith(":") or (typed and stream_type not in (_DATA, _INDEX)):
        raise StatusError(STATUS_OBJECT_NAME_INVALID)
    if _RESERVED_IN_STREAM.search(stream) or utf16_length(stream) > MAX_COMPONENT:
        raise StatusError(STATUS_OBJECT_NAME_INVALID)
    if stream_type == _INDEX:
        if stream and stream.upper() != _DIRECTORY_INDEX:
            raise StatusError(STATUS_INVALID_PARAMETER)
        stream = ""
    return name, stream, stream_type


def check_component(name: str) -> None:
    """Raises StatusError (OBJECT_NAME_INVALID, OBJECT_PATH_SYNTAX_BAD) unless `name` may be the name of a file."""
    if name == "..":
        raise StatusError(STATUS_OBJECT_PATH_SYNTAX_BAD)
    if not name or name == "." or utf16_length(name) > MAX_COMPONENT or _RESERVED.search(name):
        raise StatusError(STATUS_OBJECT_NAME_INVALID)


def check_search_pattern(pattern: str) -> None:
    """Raises StatusError (OBJECT_NAME_INVALID) unless `pattern` may be searched for ([MS-FSA] 2.1.5.6.3).

    What a name may not have it may not have either, but for wildcards, `.` and `..`; it may be empty.
    """
    if utf16_length(pattern) > MAX_COMPONENT or _RESERVED_IN_PATTERN.search(pattern):
        raise StatusError(STATUS_OBJECT_NAME_INVALID)


def split_path(path: str) -> tuple[str, ...]:
    """The components of a `/`-joined path; none for the root."""
    return tuple(path.split("/")) if path else ()


def split_parent(path: str) -> tuple[str, str]:
    """The path of the directory that a `/`-joined path lies in, and its last component (empty for the root)."""
    parent, _, name = path.rpartition("/")
    return parent, name


def join_path(parent: str, name: str) -> str:
    """The `/`-joined path of `name` in `parent`."""
    return f"{parent}/{name}" if parent else name


def wire_path(path: str, stream: str = "") -> str:
    """A `/`-joined path as FILE_NAME_INFORMATION shows it: from the root of the share, with a leading backslash."""
    shown = "\\" + path.replace("/", "\\")
    return f"{shown}:{stream}" if stream else shown
