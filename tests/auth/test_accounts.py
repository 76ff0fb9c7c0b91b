import base64
import errno
import os
import threading
from pathlib import Path

import pytest

from gateway.auth import accounts
from gateway.auth.accounts import HEADER, Account, AccountDatabase, check_name, editing
from gateway.auth.errors import AccountsError
from gateway.auth.imports import parse_ksmbdpwd, parse_smbpasswd
from gateway.auth.ntlm_keys import nt_hash_from_password

HASH = bytes(range(16))


def saved(path, *names):
    AccountDatabase([Account(name, HASH) for name in names]).save(path)
    return path


def test_a_hash_is_never_shown():
    assert repr(Account("alice", HASH)) == "Account(name='alice', disabled=False)"


@pytest.mark.parametrize("name", ["alice", "Ünïcode", "a b", "user@example", "x" * 256, "host$", "jo.e-1_2", "日本"])
def test_names_that_can_be(name):
    check_name(name)
    database = AccountDatabase.parse(AccountDatabase([Account(name, HASH)]).to_text())
    assert list(database) == [Account(name, HASH)]


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a:b", "a\nb", "a/b", "a\\b", "#a", "a\x00", "x" * 257, "a\u2028b", "\ud800", "a\tb", "a|b"],
)
def test_names_that_cannot_be(name):
    with pytest.raises(AccountsError):
        Account(name, HASH)


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_hash_has_16_bytes(length):
    with pytest.raises(AccountsError, match="16 bytes"):
        Account("alice", bytes(length))


def test_names_are_found_in_any_case():
    database = AccountDatabase([Account("Älice", HASH), Account("bob", HASH)])
    assert database.get("äLICE") == Account("Älice", HASH)
    assert database.get("alice") is None
    assert len(database) == 2
    with pytest.raises(AccountsError, match="already"):
        database.add(Account("ÄLICE", HASH))


def test_changes():
    database = AccountDatabase()
    database.add(Account("zoe", HASH))
    database.add(Account("Bob", HASH))
    database.add(Account("alice", HASH))
    database.update(Account("BOB", bytes(16), disabled=True))
    assert [(a.name, a.disabled) for a in database] == [("alice", False), ("BOB", True), ("zoe", False)]
    database.put(Account("new", HASH))
    database.remove("BoB")
    assert [a.name for a in database] == ["alice", "new", "zoe"]
    with pytest.raises(AccountsError, match="no account 'bob'"):
        database.remove("bob")
    with pytest.raises(AccountsError, match="no account 'bob'"):
        database.update(Account("bob", HASH))


def test_lookup_takes_any_domain_and_principal_names():
    database = AccountDatabase([Account("alice", HASH), Account("bob@home", HASH)])
    for user, domain in [("alice", ""), ("Alice", "DESKTOP-1"), ("alice@example.com", ""), ("ALICE@x@y", "")]:
        found = database.lookup(user, domain)
        assert (found is not None) == (user != "ALICE@x@y")
    assert database.lookup("alice@example.com", "EXAMPLE") is None
    assert database.lookup("bob@home", "") == Account("bob@home", HASH)
    assert database.lookup("carol", "") is None


def test_text_round_trip():
    text = f"{HEADER}\nalice:000102030405060708090a0b0c0d0e0f:\nbob:000102030405060708090a0b0c0d0e0f:D\n"
    database = AccountDatabase.parse(text)
    assert list(database) == [Account("alice", HASH), Account("bob", HASH, disabled=True)]
    assert database.to_text() == text
    commented = text.replace("bob:", "\n# Bob is on leave\nbob:")
    assert AccountDatabase.parse(commented).to_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f: the first line"),
        ("smbgate accounts 2\n", "f: the first line"),
        (f"{HEADER}\nalice\n", "f:2: not name"),
        (f"{HEADER}\n\n#\na:{HASH.hex()}:X\n", "f:4: unknown flags"),
        (f"{HEADER}\na:xyz:\n", "f:2: the NT hash of 'a' is not hex"),
        (f"{HEADER}\na:00:\n", "f:2: .* 16 bytes"),
        (f"{HEADER}\n:{HASH.hex()}:\n", "f:2: '' is no name"),
        (f"{HEADER}\na:{HASH.hex()}:\nA:{HASH.hex()}:\n", "f:3: there is an account 'A' already"),
    ],
)
def test_files_that_are_none(text, message):
    with pytest.raises(AccountsError, match=message):
        AccountDatabase.parse(text, "f")


def test_save_and_load(tmp_path):
    path = saved(tmp_path / "accounts", "alice", "bob")
    assert path.stat().st_mode & 0o7777 == 0o600
    assert [a.name for a in AccountDatabase.load(path)] == ["alice", "bob"]
    saved(path, "carol")
    assert [a.name for a in AccountDatabase.load(path)] == ["carol"]
    assert os.listdir(tmp_path) == ["accounts"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_files_that_others_can_read_are_refused(tmp_path, mode):
    path = saved(tmp_path / "accounts", "alice")
    path.chmod(mode)
    with pytest.raises(AccountsError, match=f"mode {mode:04o}.*chmod 600"):
        AccountDatabase.load(path)


def test_files_of_others_are_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "accounts", "alice")
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    owner = path.stat().st_uid
    if owner == 0:
        AccountDatabase.load(path)
        os.chown(path, 12345, -1)
    with pytest.raises(AccountsError, match="belongs to user"):
        AccountDatabase.load(path)


def test_what_is_no_file_of_accounts(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        AccountDatabase.load(tmp_path / "none")
    path = saved(tmp_path / "accounts", "alice")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(AccountsError, match="UTF-8"):
        AccountDatabase.load(path)
    monkeypatch.setattr(accounts, "_MAX_FILE", 1)
    with pytest.raises(AccountsError, match="too large"):
        AccountDatabase.load(path)
    with pytest.raises(AccountsError, match="not a regular file"):
        AccountDatabase.load(Path(os.devnull))


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = saved(tmp_path / "accounts", "alice")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        saved(path, "bob")
    assert os.listdir(tmp_path) == ["accounts"]
    assert [a.name for a in AccountDatabase.load(path)] == ["alice"]


def test_a_link_to_the_file_stays_one(tmp_path):
    target = saved(tmp_path / "real", "alice")
    link = tmp_path / "link"
    link.symlink_to(target)
    saved(link, "bob")
    assert link.is_symlink()
    assert [a.name for a in AccountDatabase.load(target)] == ["bob"]


def test_editing(tmp_path):
    path = tmp_path / "accounts"
    with editing(path) as database:
        database.add(Account("alice", HASH))
    with editing(path) as database:
        database.add(Account("bob", HASH))
    assert [a.name for a in AccountDatabase.load(path)] == ["alice", "bob"]

    def remove(*names):
        with editing(path) as database:
            for name in names:
                database.remove(name)

    with pytest.raises(AccountsError):
        remove("alice", "carol")
    assert [a.name for a in AccountDatabase.load(path)] == ["alice", "bob"]


def test_two_who_edit_wait_for_each_other(tmp_path):
    path = tmp_path / "accounts"
    started = threading.Event()

    def other():
        started.set()
        with editing(path) as database:
            database.add(Account("bob", HASH))

    thread = threading.Thread(target=other)
    with editing(path) as database:
        thread.start()
        started.wait()
        thread.join(0.1)
        assert thread.is_alive()
        database.add(Account("alice", HASH))
    thread.join()
    assert [a.name for a in AccountDatabase.load(path)] == ["alice", "bob"]


def test_smbpasswd():
    nt_hash = nt_hash_from_password("Secret-1").hex().upper()
    none = "X" * 32
    imported = parse_smbpasswd(
        f"""# Samba SMB password file
alice:1000:{none}:{nt_hash}:[U          ]:LCT-00000000:
off:1001:{none}:{nt_hash}:[UD         ]:LCT-5F000000:

pc$:1002:{none}:{nt_hash}:[W          ]:LCT-00000000:
nobody:65534:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:[NU         ]:LCT-00000000:
unset:1003:{none}:{none}:[U          ]:LCT-00000000:
broken
a/b:1:{none}:{nt_hash}:[U          ]:LCT-00000000:
"""
    )
    assert imported.accounts == [
        Account("alice", nt_hash_from_password("Secret-1")),
        Account("off", nt_hash_from_password("Secret-1"), disabled=True),
    ]
    assert [line.split(":")[0] for line in imported.skipped] == [f"line {n}" for n in (5, 6, 7, 8, 9)]


def test_ksmbdpwd():
    encoded = base64.b64encode(nt_hash_from_password("Secret-1")).decode()
    imported = parse_ksmbdpwd(f"alice:{encoded}\n\nbob:{encoded}\nbroken\nc:!!!\nd:AAAA\ne:ä\n")
    assert [a.name for a in imported.accounts] == ["alice", "bob"]
    assert imported.accounts[0].nt_hash == nt_hash_from_password("Secret-1")
    assert [line.split(":")[0] for line in imported.skipped] == [f"line {n}" for n in (4, 5, 6, 7)]
