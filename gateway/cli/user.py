"""`smbgate user`: the accounts."""

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.auth.accounts import Account, AccountDatabase, check_name, editing
from gateway.auth.errors import AccountsError
from gateway.auth.imports import parse_ksmbdpwd, parse_smbpasswd
from gateway.auth.ntlm_keys import nt_hash_from_password
from gateway.cli.common import Failure, ask_password, configuration, warn

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    path = configuration(arguments.config).accounts_path
    try:
        if arguments.action == "list":
            _list(path)
        elif arguments.action == "import":
            _import(path, arguments.file)
        else:
            _change(path, arguments.action, arguments.name)
    except AccountsError as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"cannot use the accounts in {path}: {error.strerror}") from None
    return 0


def _list(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for account in AccountDatabase.load(path):
            print(f"{account.name}{' (disabled)' if account.disabled else ''}")


def _change(path: Path, action: str, name: str) -> None:
    check_name(name)
    if action == "remove":
        with _editing(path) as accounts:
            accounts.remove(name)
    else:
        _check_existence(path, action, name)
        nt_hash = nt_hash_from_password(ask_password(name))
        with _editing(path) as accounts:
            if action == "add":
                accounts.add(Account(name, nt_hash))
            else:
                known = accounts.get(name)
                accounts.update(Account(name, nt_hash) if known is None else replace(known, nt_hash=nt_hash))
    print(f"{name}: {action}{'d' if action[-1] == 'e' else 'ed'} in {path}")


def _check_existence(path: Path, action: str, name: str) -> None:
    """Find out before a password is asked for whether it is worth while. Raises AccountsError."""
    found = AccountDatabase.load(path).get(name) if path.exists() else None
    if action == "add" and found is not None:
        raise AccountsError(f"there is an account {name!r} already; `smbgate user update` changes its password")
    if action == "update" and found is None:
        raise AccountsError(f"there is no account {name!r}; `smbgate user add` adds it")


@contextlib.contextmanager
def _editing(path: Path) -> Iterator[AccountDatabase]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with editing(path) as accounts:
        yield accounts


def _import(path: Path, file: Path) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    # Only smbpasswd has more than one colon in a line: base64 has none.
    imported = (parse_smbpasswd if any(line.count(":") > 1 for line in lines) else parse_ksmbdpwd)(text)
    for reason in imported.skipped:
        warn(f"{file}: {reason}")
    if not imported.accounts:
        raise Failure(f"{file}: no account in it could be taken over")
    with _editing(path) as accounts:
        for account in imported.accounts:
            accounts.put(account)
    print(f"{len(imported.accounts)} accounts taken over into {path}: {' '.join(a.name for a in imported.accounts)}")
