"""The enumerations among the values of parameters."""

import enum
from collections.abc import Mapping

__all__ = [
    "DIALECT_SYNONYMS",
    "ENCRYPTION_SYNONYMS",
    "KERNEL_SHARE_MODES_SYNONYMS",
    "SIGNING_SYNONYMS",
    "Backend",
    "Dialect",
    "Encryption",
    "KernelShareModes",
    "MapToGuest",
    "ShareEncryption",
    "Signing",
]


class Dialect(enum.IntEnum):
    """A dialect, with the number it has in [MS-SMB2] 2.2.3."""

    SMB2_02 = 0x0202
    SMB2_10 = 0x0210
    SMB3_00 = 0x0300
    SMB3_02 = 0x0302
    SMB3_11 = 0x0311


DIALECT_SYNONYMS: Mapping[str, Dialect] = {"smb2": Dialect.SMB2_10, "smb3": Dialect.SMB3_11}


class Signing(enum.Enum):
    """Whether messages are signed."""

    AUTO = enum.auto()
    """If the client wants it."""
    MANDATORY = enum.auto()
    DISABLED = enum.auto()
    """Not asked for; a client that requires it still gets it, as [MS-SMB2] demands."""


SIGNING_SYNONYMS: Mapping[str, Signing] = {
    **dict.fromkeys(("yes", "true", "enabled", "if required", "if_required", "desired"), Signing.AUTO),
    **dict.fromkeys(("required", "force", "forced", "enforced"), Signing.MANDATORY),
    **dict.fromkeys(("no", "false", "off"), Signing.DISABLED),
}


class Encryption(enum.Enum):
    """Whether a server's messages are sealed."""

    AUTO = enum.auto()
    """Offered; a session seals if its client asks for it, or a share demands it."""
    DESIRED = enum.auto()
    """Demanded of clients that can."""
    MANDATORY = enum.auto()
    """Demanded; clients that cannot are refused."""
    DISABLED = enum.auto()
    """Not offered."""


_ENCRYPTION_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("enabled", "if_required", "if required"), "AUTO"),
    **dict.fromkeys(("required", "force", "forced", "enforced", "yes", "true", "on"), "MANDATORY"),
    **dict.fromkeys(("no", "false", "off"), "DISABLED"),
}
ENCRYPTION_SYNONYMS: Mapping[str, Encryption] = {
    "default": Encryption.AUTO,
    **{word: Encryption[name] for word, name in _ENCRYPTION_WORDS.items()},
}


class ShareEncryption(enum.Enum):
    """Whether a share's messages are sealed."""

    DEFAULT = enum.auto()
    """As the session is."""
    DESIRED = enum.auto()
    """Demanded of clients that can."""
    MANDATORY = enum.auto()
    """Demanded; clients that cannot are refused."""


SHARE_ENCRYPTION_SYNONYMS: Mapping[str, ShareEncryption] = {
    word: ShareEncryption.MANDATORY if name == "MANDATORY" else ShareEncryption.DEFAULT
    for word, name in (*_ENCRYPTION_WORDS.items(), ("auto", "AUTO"), ("disabled", "DISABLED"))
}


class MapToGuest(enum.Enum):
    """Who becomes a guest."""

    NEVER = enum.auto()
    BAD_USER = enum.auto()
    """Whoever names a user that does not exist."""


class Backend(enum.Enum):
    """What stores a share's files."""

    POSIX = enum.auto()
    MEMORY = enum.auto()


class KernelShareModes(enum.Enum):
    """Whether those who do not open files through a share have to respect its share modes."""

    NO = enum.auto()
    ENFORCE = enum.auto()


KERNEL_SHARE_MODES_SYNONYMS: Mapping[str, KernelShareModes] = {
    **dict.fromkeys(("yes", "true", "on"), KernelShareModes.ENFORCE),
    **dict.fromkeys(("false", "off"), KernelShareModes.NO),
}
