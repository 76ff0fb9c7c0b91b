"""Accounts and the file they are kept in.

The file has one line per account, ``name:NT hash in hexadecimal:flags``, behind a line that names its format. The only
flag is ``D``, disabled. An NT hash is as good as the password, so nobody but its owner may read the file.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.auth.errors import AccountsError
from gateway.files import locked_directory, replace_file
from gateway.nt.upcase import upcase

HEADER = "smbgate accounts 1"
NT_HASH_LENGTH = 16

_MAX_NAME = 256
# What Windows allows in no account name, [MS-SAMR] 3.1.1.6, and what would break the file's lines.
_FORBIDDEN = frozenset('"/\\[]:;|=,+*?<>')
_MAX_FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Account:
    """A user who may log on. Raises AccountsError for a name or a hash that cannot be."""

    name: str
    nt_hash: bytes = field(repr=False)
    """MD4 of the password in UTF-16: 16 bytes."""
    disabled: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.nt_hash) != NT_HASH_LENGTH:
            raise AccountsError(f"the NT hash of {self.name!r} does not have {NT_HASH_LENGTH} bytes")


def check_name(name: str) -> None:
    """Raise AccountsError if no account can have this *name*."""
    if not name or name != name.strip() or len(name) > _MAX_NAME:
        raise AccountsError(f"{name!r} is no name for an account: empty, too long, or with blanks around it")
    if name.startswith("#") or not name.isprintable() or not _FORBIDDEN.isdisjoint(name):
        raise AccountsError(f"{name!r} is no name for an account: a character of it is not allowed")


class AccountDatabase:
    """Accounts by name. Names differ by more than case, as names of files do."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        """Raises AccountsError if two *accounts* have the same name."""
        self._accounts: dict[str, Account] = {}
        for account in accounts:
            self.add(account)

    def __iter__(self) -> Iterator[Account]:
        return iter(sorted(self._accounts.values(), key=lambda account: upcase(account.name)))

    def __len__(self) -> int:
        return len(self._accounts)

    def get(self, name: str) -> Account | None:
        """The account of this name, in whatever case."""
        return self._accounts.get(upcase(name))

    def lookup(self, user: str, domain: str) -> Account | None:
        """The account that a client means by *user* of *domain*: every domain will do, and so will user@domain."""
        account = self.get(user)
        if account is None and not domain and "@" in user:
            account = self.get(user.rpartition("@")[0])
        return account

    def add(self, account: Account) -> None:
        """Add a new account. Raises AccountsError if there is one of this name."""
        if self.get(account.name) is not None:
            raise AccountsError(f"there is an account {account.name!r} already")
        self.put(account)

    def update(self, account: Account) -> None:
        """Replace an account. Raises AccountsError if there is none of this name."""
        if self.get(account.name) is None:
            raise AccountsError(f"there is no account {account.name!r}")
        self.put(account)

    def put(self, account: Account) -> None:
        """Add or replace an account."""
        self._accounts[upcase(account.name)] = account

    def remove(self, name: str) -> None:
        """Remove an account. Raises AccountsError if there is none of this name."""
        if self._accounts.pop(upcase(name), None) is None:
            raise AccountsError(f"there is no account {name!r}")

    @classmethod
    def parse(cls, text: str, where: str = "accounts") -> "AccountDatabase":
        """The accounts in the *text* of a file named *where*. Raises AccountsError, which names the line."""
        lines = text.splitlines()
        if not lines or lines[0] != HEADER:
            raise AccountsError(f"{where}: the first line is not {HEADER!r}")
        database = cls()
        for number, line in enumerate(lines[1:], start=2):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                database.add(_parse_line(line))
            except AccountsError as error:
                raise AccountsError(f"{where}:{number}: {error}") from None
        return database

    def to_text(self) -> str:
        """The file's text."""
        lines = [f"{a.name}:{a.nt_hash.hex()}:{'D' if a.disabled else ''}\n" for a in self]
        return "".join([HEADER, "\n", *lines])

    @classmethod
    def load(cls, path: Path) -> "AccountDatabase":
        """Read the file at *path*.

        Raises AccountsError if it is malformed, or open to others than its owner; OSError if it cannot be read.
        """
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            _check_private(path, status)
            if status.st_size > _MAX_FILE:
                raise AccountsError(f"{path}: too large for a file of accounts")
            raw = file.read()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise AccountsError(f"{path}: not in UTF-8") from None
        return cls.parse(text, str(path))

    def save(self, path: Path) -> None:
        """Replace the file at *path*, mode 0600, as a whole: a crash leaves the old one or the new one.

        Raises OSError.
        """
        replace_file(path, self.to_text())


def _parse_line(line: str) -> Account:
    parts = line.split(":")
    if len(parts) != 3:
        raise AccountsError("not name:hash:flags")
    name, nt_hash, flags = parts
    if flags not in {"", "D"}:
        raise AccountsError(f"unknown flags {flags!r}")
    try:
        return Account(name, bytes.fromhex(nt_hash), disabled=flags == "D")
    except ValueError:
        raise AccountsError(f"the NT hash of {name!r} is not hexadecimal") from None


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise AccountsError(f"{path}: not a regular file")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise AccountsError(f"{path}: mode {mode:04o} lets others at the hashes in it; chmod 600 it")
    if status.st_uid not in {0, os.geteuid()}:
        raise AccountsError(f"{path}: belongs to user {status.st_uid}, neither to root nor to this process")


@contextlib.contextmanager
def editing(path: Path) -> Iterator[AccountDatabase]:
    """The accounts in the file at *path*, none if there is no file, saved again at the end of the block.

    Waits for another process that edits a file in the same directory, so that none of two changes is lost. Nothing is
    saved if the block raises. Raises what ``load`` and ``save`` raise.
    """
    path = path.resolve()
    with locked_directory(path.parent):
        try:
            database = AccountDatabase.load(path)
        except FileNotFoundError:
            database = AccountDatabase()
        yield database
        database.save(path)
