"""The accounts that may log on: those of the file, read anew when it changes, and those of this run only."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from gateway.auth.accounts import Account, AccountDatabase
from gateway.auth.errors import AccountsError
from gateway.auth.ntlm_keys import nt_hash_from_password
from gateway.server.errors import ServerError

__all__ = ["LiveAccounts"]

log = logging.getLogger("gateway.auth")


class LiveAccounts:
    """Looks accounts up in a file that may change while the server runs."""

    def __init__(self, path: Path, passwords: Mapping[str, str]) -> None:
        """`passwords`: of the accounts for this run only. Raises `ServerError` if the file cannot be used."""
        self._path = path
        self._own = AccountDatabase(Account(name, nt_hash_from_password(word)) for name, word in passwords.items())
        self._file = AccountDatabase()
        self._stamp: tuple[int, int, int] | None = None
        try:
            self._refresh()
        except AccountsError as error:
            raise ServerError(str(error)) from error

    def __len__(self) -> int:
        return len(self._own) + len(self._file)

    def lookup(self, user: str, domain: str) -> Account | None:
        """The account of that name, whatever the domain."""
        try:
            self._refresh()
        except AccountsError as error:
            log.error("the accounts stay as they were: %s", error)
        return self._own.lookup(user, domain) or self._file.lookup(user, domain)

    def _refresh(self) -> None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            self._stamp, self._file = None, AccountDatabase()
            return
        except OSError as error:
            raise AccountsError(f"cannot read {self._path}: {error.strerror}") from error
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._stamp = stamp
            self._file = AccountDatabase.load(self._path)
