"""How a share treats its files: what the configuration says, as far as the store is concerned."""

from dataclasses import dataclass

__all__ = ["ShareSettings"]


@dataclass(frozen=True, slots=True)
class ShareSettings:
    """Modes are POSIX permission bits."""

    create_mask: int = 0o744
    directory_mask: int = 0o755
    force_create_mode: int = 0
    force_directory_mode: int = 0
    store_dos_attributes: bool = True
    canonical_inheritance: bool = True
    """Whether SE_DACL_AUTO_INHERITED is set only if SE_DACL_AUTO_INHERIT_REQ comes with it (and so for the SACL)."""
    write_time_delay: int = 0
    """Seconds until the first write by an open shows in the time of the last write."""
    short_names: bool = False
    """Whether files are found, and listed, by 8.3 names too."""
    named_streams: bool = True
    """Whether there are named streams, where the storage can have them."""
    inherit_owner: bool = False
    """A new file belongs to its directory's owner."""
    kernel_notify: bool = False
    """Whether clients are told what others change in the storage."""
    strict_locking: bool = False
    """Whether locks of others stop what clients read and write there."""
    use_sendfile: bool = True
    """Whether large reads may be sent from where the storage keeps the file."""
    kernel_locks: bool = False
    """Whether others see the byte-range locks of clients, and clients those of others."""
    kernel_leases: bool = False
    """Whether leases and oplocks are granted only as far as others' opens can break them."""
    kernel_share_modes: bool = False
    """Whether others open a file only if those who have it open by the share let them."""

    def file_mode(self) -> int:
        """Permission bits of a new file."""
        return self.create_mask | self.force_create_mode

    def directory_mode(self) -> int:
        """Permission bits of a new directory."""
        return self.directory_mask | self.force_directory_mode

    @property
    def heeds_others(self) -> bool:
        """Whether anything is to be done about those who use the storage without the share."""
        return self.kernel_notify or self.kernel_locks or self.kernel_leases or self.kernel_share_modes
