"""The parameters of the whole server: the one table of their names, types, defaults and meanings.

Names and values are KSMBD's where it has them, else Samba's.
"""

from dataclasses import dataclass

from acl.idmap import Scheme
from gateway.config.choices import (
    DIALECT_SYNONYMS,
    ENCRYPTION_SYNONYMS,
    SIGNING_SYNONYMS,
    Dialect,
    Encryption,
    MapToGuest,
    Signing,
)
from gateway.config.fuse_parameters import FuseParameters
from gateway.config.interfaces import Interfaces
from gateway.config.macros import STATIC
from gateway.config.parameters import parameter
from gateway.config.values import Boolean, Choice, Duration, Integer, Names, Size, Text

__all__ = ["GlobalConfig"]

MIB = 1 << 20
GIB = 1 << 30
DAY = 86400
_MACROS = STATIC - {"S"}


@dataclass(frozen=True, kw_only=True)
class _Identity:
    """Identity."""

    netbios_name: str = parameter(
        "netbios name",
        Text(15, 'a name of 1 to 15 characters, none of them one of \\ / : * ? " < > |', r'[^\\/:*?"<>|]+'),
        "SMBGATE",
        "The server's name as clients of old see it, and the domain of its accounts.",
    )
    server_string: str = parameter(
        "server string",
        Text(255),
        "smbgate",
        "A description of the server, shown when its shares are listed.",
        macros=_MACROS,
    )
    workgroup: str = parameter(
        "workgroup",
        Text(15, "a name of 1 to 15 characters without spaces", r"\S+"),
        "WORKGROUP",
        "The workgroup that the server says it belongs to.",
    )


@dataclass(frozen=True, kw_only=True)
class _Network:
    """Network."""

    tcp_port: int = parameter(
        "tcp port",
        Integer(0, 65535),
        445,
        "The TCP port to listen on; 0 takes a free one. Ports below 1024 are for root.",
        synonyms=("smb ports",),
    )
    interfaces: tuple[str, ...] = parameter(
        "interfaces",
        Interfaces(),
        (),
        "Where to listen, if `bind interfaces only = yes`; and what clients are told of that may use several "
        "connections. Speeds are in bits per second.",
    )
    bind_interfaces_only: bool = parameter(
        "bind interfaces only",
        Boolean(),
        False,
        "Listen on the `interfaces` alone instead of on all there are.",
    )
    deadtime: int = parameter(
        "deadtime",
        Duration(365 * DAY, "m"),
        0,
        "Close a connection on which nothing is open and nothing happened for so long; 0 never does. "
        "A bare number counts in minutes.",
    )
    server_multi_channel_support: bool = parameter(
        "server multi channel support",
        Boolean(),
        True,
        "Let a session use several connections (3.0 and newer), and tell clients by which `interfaces` to make them.",
    )
    ipc_timeout: int = parameter(
        "ipc timeout",
        Duration(3600),
        0,
        "How long KSMBD's kernel part waits for its other part.",
    )


@dataclass(frozen=True, kw_only=True)
class _Protocol:
    """Protocol."""

    server_min_protocol: Dialect = parameter(
        "server min protocol",
        Choice(Dialect, DIALECT_SYNONYMS, upper=True),
        Dialect.SMB2_10,
        "The oldest dialect that is spoken.",
        synonyms=("min protocol",),
    )
    server_max_protocol: Dialect = parameter(
        "server max protocol",
        Choice(Dialect, DIALECT_SYNONYMS, upper=True),
        Dialect.SMB3_11,
        "The newest dialect that is spoken.",
        synonyms=("max protocol", "protocol"),
    )
    smb2_max_read: int = parameter(
        "smb2 max read", Size(65536, 8 * MIB), 8 * MIB, "The most that one READ returns, in bytes."
    )
    smb2_max_write: int = parameter(
        "smb2 max write", Size(65536, 8 * MIB), 8 * MIB, "The most that one WRITE carries, in bytes."
    )
    smb2_max_trans: int = parameter(
        "smb2 max trans",
        Size(65536, 8 * MIB),
        8 * MIB,
        "The most that one query, setting or control carries or returns, in bytes.",
    )
    smb2_max_credits: int = parameter(
        "smb2 max credits",
        Integer(1, 65535),
        8192,
        "How many requests a client may have under way on a connection.",
    )
    smb2_leases: bool = parameter("smb2 leases", Boolean(), True, "Grant leases, so that clients may cache.")
    durable_handle_timeout: int = parameter(
        "durable handle timeout",
        Duration(DAY),
        300,
        "For so long at most a file stays open for a client that has lost its connection (`durable handles`).",
    )
    smbd_max_io_size: int = parameter(
        "smbd max io size", Size(512 << 10, 16 * MIB), 8 * MIB, "The most that one RDMA transfer moves, in bytes."
    )
    share_fake_fscaps: int = parameter(
        "share:fake_fscaps",
        Integer(0, 0xFFFFFFFF),
        64,
        "File system attributes to show in addition to the real ones; 64 says that there are sparse files.",
    )


@dataclass(frozen=True, kw_only=True)
class _Security:
    """Authentication and protection."""

    server_signing: Signing = parameter(
        "server signing",
        Choice(Signing, SIGNING_SYNONYMS),
        Signing.MANDATORY,
        "Whether messages are signed: `auto` signs for clients that ask for it. Guests have no key to sign with and "
        "are refused while it is `mandatory`.",
    )
    smb3_encryption: Encryption = parameter(
        "smb3 encryption",
        Choice(Encryption, ENCRYPTION_SYNONYMS),
        Encryption.AUTO,
        "Whether messages are sealed: `auto` seals for clients that ask for it and for shares that demand it, "
        "`desired` for all clients that can, `mandatory` refuses the others, `disabled` never does.",
        synonyms=("server smb encrypt", "smb encrypt"),
    )
    map_to_guest: MapToGuest = parameter(
        "map to guest",
        Choice(MapToGuest),
        MapToGuest.NEVER,
        "`bad user` makes those guests who name a user that does not exist.",
    )
    guest_account: str = parameter("guest account", Text(255), "nobody", "The system's user that guests act as.")
    idmap_scheme: Scheme = parameter(
        "idmap scheme",
        Choice(Scheme),
        Scheme.SMBGATE,
        "Which SIDs stand for the system's users and groups: `smbgate` gives each one of the machine's own, `ksmbd` "
        "does so with the numbers that KSMBD uses, `unix` uses Samba's S-1-22, the same on all machines.",
    )
    idmap_range: str = parameter(
        "idmap range",
        Text(what="two numbers with a hyphen between them", pattern=r"\d{1,9}-\d{1,9}"),
        "100000000-199999999",
        "The numbers that are given to owners of other domains, kept in the file `idmap` of the state directory.",
    )
    audit_log: str = parameter(
        "audit log",
        Text(what="an absolute path", pattern=r"/[^\0]*|"),
        "",
        "A file for the records that SACLs ask for, one JSON object a line; if empty, they go where all messages go.",
    )
    administrators: tuple[str, ...] = parameter(
        "administrators",
        Names("names of users, and of groups after an @"),
        (),
        "Who is a member of BUILTIN\\Administrators, and may take ownership, audit, back up and restore.",
    )
    restrict_anonymous: int = parameter(
        "restrict anonymous",
        Integer(0, 2),
        0,
        "What is kept from who gives no name: 1 hides accounts, 2 refuses the connection to IPC$ as well.",
    )
    kerberos_support: bool = parameter("kerberos support", Boolean(), False, "Let users log on with Kerberos.")
    kerberos_service_name: str = parameter(
        "kerberos service name", Text(255), "", "The server's principal; cifs/ and its full name if empty."
    )
    kerberos_keytab_file: str = parameter(
        "kerberos keytab file", Text(), "", "Where the principal's key is; the system's keytab if empty."
    )


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """Limits."""

    max_connections: int = parameter(
        "max connections",
        Integer(1, 65536),
        1024,
        "How many clients may be connected, in all and (in a share's section) to a share.",
    )
    max_ip_connections: int = parameter(
        "max ip connections", Integer(0, 65536), 64, "How many connections one address may have; 0 sets no limit."
    )
    max_active_sessions: int = parameter(
        "max active sessions", Integer(1, 65536), 1024, "How many sessions there may be."
    )
    max_open_files: int = parameter(
        "max open files",
        Integer(0, 1 << 30),
        0,
        "How many files all clients together may have open; 0 leaves it to the system's limit of descriptors.",
    )
    max_open_files_per_session: int = parameter(
        "max open files per session", Integer(1, 1 << 24), 65535, "How many files a session may have open."
    )
    max_disconnected_files: int = parameter(
        "max disconnected files",
        Integer(0, 1 << 24),
        4096,
        "How many files may stay open for clients that have lost their connection.",
    )
    max_disconnected_files_per_user: int = parameter(
        "max disconnected files per user", Integer(0, 1 << 24), 1024, "How many of those one user may have."
    )
    authentication_timeout: int = parameter(
        "authentication timeout",
        Duration(DAY),
        30,
        "Close a connection on which nobody has logged on after so long.",
    )
    progress_timeout: int = parameter(
        "progress timeout",
        Duration(DAY),
        30,
        "Close a connection that stops in the middle of a message, or does not take its replies, for so long.",
    )
    max_preauth_memory: int = parameter(
        "max preauth memory",
        Size(16 << 10, MIB),
        64 << 10,
        "The most memory that a connection can hold before its user has logged on, in bytes.",
    )
    memory_budget: int = parameter(
        "memory budget",
        Size(16 * MIB, 1024 * GIB),
        128 * MIB,
        "The most memory that requests and replies of all clients together hold, in bytes; when it is used up, "
        "reading waits.",
    )
    max_compound_requests: int = parameter(
        "max compound requests", Integer(1, 1024), 64, "How many requests may be chained in one message."
    )
    max_requests_in_flight: int = parameter(
        "max requests in flight",
        Integer(1, 65535),
        1024,
        "How many requests of a connection are worked on at the same time; the next ones wait.",
    )
    max_async_requests: int = parameter(
        "max async requests",
        Integer(1, 65535),
        512,
        "How many requests of a session may wait for something to happen, such as a change in a directory.",
    )


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Files of the server."""

    state_directory: str = parameter(
        "state directory",
        Text(),
        "",
        "Where the server keeps what it has to remember. If empty: /var/lib/smbgate for root, smbgate below "
        "$XDG_STATE_HOME or ~/.local/state for others.",
    )
    smb_passwd_file: str = parameter(
        "smb passwd file", Text(), "", "The accounts; the file `accounts` in the state directory if empty."
    )
    root_directory: str = parameter("root directory", Text(), "", "A directory that all shares' paths are below.")


@dataclass(frozen=True, kw_only=True)
class _Tests:
    """Tests of the server."""

    smbd_fsctl_smbtorture: bool = parameter(
        "smbd:fsctl_smbtorture",
        Boolean(),
        False,
        "Let Samba's smbtorture disturb the server: clients can make it drop their connections and send odd answers. "
        "The server does not start with it unless `smbgate serve` has --allow-test-controls, too.",
    )


@dataclass(frozen=True, kw_only=True)
class GlobalConfig(_Identity, _Network, _Protocol, _Security, _Limits, _Files, FuseParameters, _Tests):
    """What [global] sets."""
