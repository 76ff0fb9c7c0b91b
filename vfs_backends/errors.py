"""The one exception of a backend, and what it can be about."""

import enum

__all__ = ["Kind", "VfsError"]


class Kind(enum.Enum):
    """What went wrong, in terms every storage has; front ends map it to their own codes."""

    NOT_FOUND = "no such file"
    PATH_NOT_FOUND = "a directory on the way does not exist"
    EXISTS = "the name exists already"
    NOT_A_DIRECTORY = "not a directory"
    IS_A_DIRECTORY = "is a directory"
    NOT_EMPTY = "the directory is not empty"
    ACCESS_DENIED = "the storage refuses access"
    READ_ONLY = "the storage is read-only"
    NO_SPACE = "no space left"
    QUOTA = "quota exceeded"
    TOO_LARGE = "beyond the largest file or offset"
    NAME_INVALID = "the storage cannot hold this name"
    NAME_TOO_LONG = "the name or path is too long"
    SYMLINK = "a symbolic link is in the way"
    ESCAPES = "the path leads out of the tree"
    CROSS_DEVICE = "source and target are on different storage"
    TOO_MANY_LINKS = "too many links"
    TOO_MANY_OPEN_FILES = "too many open files"
    NO_ATTRIBUTE = "no such extended attribute"
    STALE = "the file is gone"
    BUSY = "in use"
    NOT_SUPPORTED = "not supported by this storage"
    INVALID = "invalid argument"
    NO_MEMORY = "out of memory"
    IO = "input/output error"


class VfsError(Exception):
    """A backend could not do what was asked; nothing has changed, unless the operation's docstring says so.

    `kind` says what went wrong; the cause, where there is one, is chained.
    """

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
