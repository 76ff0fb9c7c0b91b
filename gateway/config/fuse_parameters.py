"""The parameters of the FUSE mount; they are the server's."""

from dataclasses import dataclass

from gateway.config.parameters import parameter
from gateway.config.values import Boolean, Duration, Text

__all__ = ["FuseParameters"]


@dataclass(frozen=True, kw_only=True)
class FuseParameters:
    """Mount for local programs (FUSE)."""

    fuse_mount: str = parameter(
        "fuse mount",
        Text(what="an absolute path", pattern=r"/[^\0]*|"),
        "",
        "A directory to mount the shares on, each under its name, so that local programs work on them together with "
        "SMB clients. It must be in no share, and no share in it.",
    )
    fuse_allow_other: bool = parameter(
        "fuse allow other",
        Boolean(),
        True,
        "Let all users of this machine in, each with their own rights. A server that is not root needs "
        "`user_allow_other` in /etc/fuse.conf for that.",
    )
    fuse_cache_timeout: int = parameter(
        "fuse cache timeout",
        Duration(3600),
        1,
        "For so long the kernel may answer from what it was told about names and attributes. Changes by SMB clients "
        "end that at once; changes made to a share's directory behind the server's back do not. 0 keeps nothing.",
    )
    fuse_sharing_timeout: int = parameter(
        "fuse sharing timeout",
        Duration(3600),
        5,
        "For so long a program's open waits for an SMB client that has the file open and shares it with nobody; "
        "then it fails with EBUSY.",
    )
