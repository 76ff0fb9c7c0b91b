"""The parameters of a share: the one table of their names, types, defaults and meanings.

Names and values are KSMBD's where it has them, else Samba's. Given in [global], they are the shares' defaults.
"""

from dataclasses import dataclass

from acl.ntacl_xattr import Policy
from gateway.config.choices import SHARE_ENCRYPTION_SYNONYMS, Backend, ShareEncryption
from gateway.config.kernel_parameters import KernelParameters
from gateway.config.macros import MACROS, STATIC, is_dynamic
from gateway.config.parameters import parameter
from gateway.config.values import Boolean, Choice, Duration, Integer, Mode, Names, Patterns, Text

__all__ = ["ShareConfig"]

_ALL = frozenset(MACROS)
_USERS = Names("names of users, and of groups after an @")
_HOSTS = Names("addresses, networks and host names")


@dataclass(frozen=True, kw_only=True)
class _Share:
    """The share."""

    path: str = parameter(
        "path",
        Text(what="an absolute path", pattern=r"/[^\0]*|"),
        "",
        "The directory that is shared. It must exist.",
        synonyms=("directory",),
        macros=_ALL,
    )
    backend: Backend = parameter(
        "backend",
        Choice(Backend),
        Backend.POSIX,
        "What stores the files: `posix` the directory `path`, `memory` the server's memory, for as long as it runs.",
    )
    comment: str = parameter("comment", Text(255), "", "A description, shown when shares are listed.", macros=STATIC)
    browseable: bool = parameter(
        "browseable", Boolean(), True, "Show the share when shares are listed.", synonyms=("browsable",)
    )
    max_connections: int = parameter(
        "max connections", Integer(0, 65536), 0, "How many clients may be connected to the share; 0 sets no limit."
    )
    smb_encrypt: ShareEncryption = parameter(
        "smb encrypt",
        Choice(ShareEncryption, SHARE_ENCRYPTION_SYNONYMS),
        ShareEncryption.DEFAULT,
        "Whether the share's messages are sealed: `desired` for clients that can, `mandatory` refuses the others.",
        synonyms=("server smb encrypt", "smb3 encryption"),
    )
    time_machine: bool = parameter(
        "time machine",
        Boolean(),
        False,
        "Let macOS use the share for its Time Machine.",
        synonyms=("fruit:time machine",),
    )


@dataclass(frozen=True, kw_only=True)
class _Access:
    """Who may do what."""

    read_only: bool = parameter(
        "read only",
        Boolean(),
        True,
        "Nobody may change anything, but for the `write list`.",
        inverted=("writable", "writeable", "write ok"),
    )
    guest_ok: bool = parameter("guest ok", Boolean(), False, "Let guests connect.", synonyms=("public",))
    guest_account: str = parameter(
        "guest account", Text(255), "nobody", "The system's user that the share's guests act as."
    )
    valid_users: tuple[str, ...] = parameter(
        "valid users", _USERS, (), "Who may connect; everybody if empty.", macros=_ALL
    )
    invalid_users: tuple[str, ...] = parameter(
        "invalid users", _USERS, (), "Who may not connect, even if among the `valid users`.", macros=_ALL
    )
    read_list: tuple[str, ...] = parameter(
        "read list", _USERS, (), "Who may only read, whatever `read only` and `write list` say.", macros=_ALL
    )
    write_list: tuple[str, ...] = parameter(
        "write list", _USERS, (), "Who may write even if the share is `read only`.", macros=_ALL
    )
    admin_users: tuple[str, ...] = parameter("admin users", _USERS, (), "Who acts as root on the share.", macros=_ALL)
    hosts_allow: tuple[str, ...] = parameter(
        "hosts allow",
        _HOSTS,
        (),
        "From where clients may connect; from everywhere if empty.",
        synonyms=("allow hosts",),
    )
    hosts_deny: tuple[str, ...] = parameter(
        "hosts deny", _HOSTS, (), "From where clients may not connect.", synonyms=("deny hosts",)
    )
    force_user: str = parameter(
        "force user", Text(255), "", "The system's user that all act as, whoever they are.", macros=_ALL
    )
    force_group: str = parameter(
        "force group", Text(255), "", "The system's group that all act in.", synonyms=("group",), macros=_ALL
    )


@dataclass(frozen=True, kw_only=True)
class _Descriptors:
    """Security descriptors."""

    nt_acl_support: bool = parameter(
        "nt acl support",
        Boolean(),
        True,
        "Keep security descriptors, where the storage can; without, owner and mode say who may do what.",
    )
    nt_acl_mismatch: Policy = parameter(
        "nt acl mismatch",
        Choice(Policy),
        Policy.INTERSECT,
        "What counts for a file whose owner, mode or ACL were changed after its descriptor was set: `ignore` the "
        "descriptor, `trust` it, or `intersect`, which grants only what both do.",
    )
    acl_xattr_ignore_system_acls: bool = parameter(
        "acl_xattr:ignore system acls",
        Boolean(),
        False,
        "Let descriptors alone count: owner, mode and ACL of files are neither heeded nor set.",
    )
    acl_flag_inherited_canonicalization: bool = parameter(
        "acl flag inherited canonicalization",
        Boolean(),
        True,
        "Take a list for automatically inherited only if a client says that it means that, as Windows does.",
    )
    hide_unreadable: bool = parameter(
        "hide unreadable", Boolean(), False, "Do not list files and directories that somebody may not read."
    )
    access_based_share_enum: bool = parameter(
        "access based share enum",
        Boolean(),
        False,
        "Show the share only to those who may connect to it, when shares are listed.",
    )


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Files and directories."""

    create_mask: int = parameter(
        "create mask", Mode(), 0o744, "The permission bits that a new file may have.", synonyms=("create mode",)
    )
    directory_mask: int = parameter(
        "directory mask",
        Mode(),
        0o755,
        "The permission bits that a new directory may have.",
        synonyms=("directory mode",),
    )
    force_create_mode: int = parameter("force create mode", Mode(), 0, "The permission bits that every new file has.")
    force_directory_mode: int = parameter(
        "force directory mode", Mode(), 0, "The permission bits that every new directory has."
    )
    inherit_owner: bool = parameter(
        "inherit owner", Boolean(), False, "A new file belongs to its directory's owner instead of its creator."
    )
    follow_symlinks: bool = parameter(
        "follow symlinks", Boolean(), False, "Follow symbolic links, as long as they stay within the share."
    )
    crossmnt: bool = parameter("crossmnt", Boolean(), True, "Go into file systems that are mounted within the share.")
    hide_dot_files: bool = parameter(
        "hide dot files", Boolean(), True, "Show files whose name begins with a dot as hidden."
    )
    hide_files: tuple[str, ...] = parameter(
        "hide files", Patterns(), (), "Names that are shown as hidden, such as /*.bak/desktop.ini/."
    )
    veto_files: tuple[str, ...] = parameter(
        "veto files", Patterns(), (), "Names that are neither shown nor opened nor created."
    )
    store_dos_attributes: bool = parameter(
        "store dos attributes",
        Boolean(),
        True,
        "Keep DOS attributes and the creation time in the extended attribute `user.DOSATTRIB`.",
    )
    write_time_delay: int = parameter(
        "write time delay",
        Duration(60),
        0,
        "How long it takes until a write shows in the time of the last write, if nothing brings it forward; 0 shows it "
        "at once, as Windows does since Windows Server 2019, before which it took two seconds.",
    )
    mangled_names: bool = parameter(
        "mangled names",
        Boolean(),
        False,
        "Let files be found and listed by 8.3 names too, for programs that know no others. To find one takes reading "
        "its directory.",
    )
    named_streams: bool = parameter(
        "named streams", Boolean(), True, "Let files have named streams (alternate data streams)."
    )
    oplocks: bool = parameter("oplocks", Boolean(), True, "Grant oplocks, so that clients may cache.")
    durable_handles: bool = parameter(
        "durable handles",
        Boolean(),
        True,
        "Keep files open for a client that has lost its connection, until it is back or somebody else needs them.",
    )
    use_sendfile: bool = parameter(
        "use sendfile",
        Boolean(),
        True,
        "Send what is in the page cache from there, where a client reads much at a time, neither signed nor sealed "
        "(sendfile(2), from Linux 6.5 on). Bytes that are cut off the file meanwhile are sent as zeros.",
    )
    vfs_objects: tuple[str, ...] = parameter(
        "vfs objects",
        Names(among=("acl_xattr", "streams_xattr")),
        (),
        "Keep security descriptors (`acl_xattr`) and named streams (`streams_xattr`) in extended attributes.",
    )


@dataclass(frozen=True, kw_only=True)
class ShareParameters(_Share, _Access, _Descriptors, _Files, KernelParameters):
    """What a share's section sets."""


@dataclass(frozen=True, kw_only=True)
class ShareConfig(ShareParameters):
    """A share."""

    name: str
    """As it was written; clients may write it in any case."""

    @property
    def directory(self) -> str | None:
        """The path, if it is the same for all clients; else `macros.expand_for` makes one of `path` for each."""
        return None if is_dynamic(self.path) else self.path.replace("%%", "%")
