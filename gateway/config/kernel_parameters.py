"""The parameters for local programs, and NFS servers, that use a share's directory itself; they are the share's."""

from dataclasses import dataclass

from gateway.config.choices import KERNEL_SHARE_MODES_SYNONYMS, KernelShareModes
from gateway.config.parameters import parameter
from gateway.config.values import Boolean, Choice

__all__ = ["KernelParameters"]


@dataclass(frozen=True, kw_only=True)
class KernelParameters:
    """Local programs on the share's directory."""

    kernel_notify: bool = parameter(
        "kernel notify",
        Boolean(),
        False,
        "Tell clients that watch a directory, or keep what is in it, of changes that local programs make there.",
        synonyms=("kernel change notify",),
    )
    kernel_locks: bool = parameter(
        "kernel locks",
        Boolean(),
        False,
        "Let local programs see the byte-range locks of clients as locks of fcntl(2), and clients theirs.",
        synonyms=("posix locking",),
    )
    strict_locking: bool = parameter(
        "strict locking",
        Boolean(),
        False,
        "Refuse clients to read and write what a program has locked by fcntl(2), as what another client has. Locks on "
        "the mount are heeded, and with `kernel locks` those on the share's directory; each read and write asks.",
    )
    kernel_leases: bool = parameter(
        "kernel leases",
        Boolean(),
        False,
        "Grant oplocks and leases only as far as the kernel can take them back (F_SETLEASE) when a local program opens "
        "the file, which then waits until the client has written what it kept.",
        synonyms=("kernel oplocks",),
    )
    kernel_share_modes: KernelShareModes = parameter(
        "kernel share modes",
        Choice(KernelShareModes, KERNEL_SHARE_MODES_SYNONYMS),
        KernelShareModes.NO,
        "`enforce`: a local program opens a file only if no client has it open that denies others reading or writing "
        "(EBUSY, or EPERM before Linux 6.13), and after clients have given up leases that conflict (fanotify).",
    )
