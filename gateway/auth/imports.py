"""Accounts from other servers' files: Samba's smbpasswd and KSMBD's ksmbdpwd.db."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.auth.accounts import Account
from gateway.auth.errors import AccountsError


@dataclass(slots=True)
class Imported:
    """What a file gave, and what it did not."""

    accounts: list[Account] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """One sentence for each line that is not an account to log on with, the line's number first."""


def parse_smbpasswd(text: str) -> Imported:
    """Accounts of an smbpasswd file, or of ``pdbedit -Lw``: ``name:uid:LM hash:NT hash:[flags]:LCT-time:``."""
    return _parse(text, _smbpasswd_line)


def parse_ksmbdpwd(text: str) -> Imported:
    """Accounts of a ksmbdpwd.db file: ``name:NT hash in base64``."""
    return _parse(text, _ksmbdpwd_line)


def _parse(text: str, parse_line: Callable[[str], Account]) -> Imported:
    imported = Imported()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            imported.accounts.append(parse_line(line.strip()))
        except AccountsError as error:
            imported.skipped.append(f"line {number}: {error}")
    return imported


def _smbpasswd_line(line: str) -> Account:
    parts = line.split(":")
    if len(parts) < 5:
        raise AccountsError("not name:uid:hash:hash:[flags]")
    name, _uid, _lm_hash, nt_hash, flags = parts[:5]
    if "U" not in flags:
        raise AccountsError(f"{name!r} is no account of a user: {flags}")
    if "N" in flags or nt_hash.startswith("NO PASSWORD"):
        raise AccountsError(f"{name!r} has an empty password")
    try:
        return Account(name, bytes.fromhex(nt_hash), disabled="D" in flags)
    except ValueError:
        raise AccountsError(f"{name!r} has no NT hash") from None


def _ksmbdpwd_line(line: str) -> Account:
    name, separator, encoded = line.partition(":")
    if not separator:
        raise AccountsError("not name:hash")
    try:
        return Account(name, base64.b64decode(encoded, validate=True))
    except ValueError:
        raise AccountsError(f"the hash of {name!r} is not in base64") from None
