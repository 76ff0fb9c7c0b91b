"""`smbgate user`."""

import io
import stat

import pytest

from gateway.auth.accounts import AccountDatabase
from gateway.cli import main

# The NT hash of "password", as everybody knows it.
HASH = "8846f7eaee8fb117ad06bdd830b7586c"


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Runs `smbgate user`, with the accounts in a directory that does not exist yet."""
    (tmp_path / "conf").write_text(f"[global]\nstate directory = {tmp_path}/state/smb\n")

    def run(*argv, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        return main(["user", *map(str, argv), "-c", str(tmp_path / "conf")])

    return run


@pytest.fixture
def accounts(tmp_path):
    """The accounts as they are in the file: name to hash."""
    path = tmp_path / "state/smb/accounts"
    return lambda: {account.name: account.nt_hash.hex() for account in AccountDatabase.load(path)}


def test_add_list_update_remove(user, accounts, tmp_path, capsys):
    assert user("list") == 0
    assert capsys.readouterr().out == ""
    assert user("add", "ann", stdin="password\n") == 0
    assert user("add", "Bob", stdin="other") == 0
    assert accounts()["ann"] == HASH
    capsys.readouterr()
    assert user("list") == 0
    assert capsys.readouterr().out == "ann\nBob\n"
    assert user("update", "BOB", stdin="password\r\n") == 0
    assert accounts() == {"ann": HASH, "Bob": HASH}
    assert user("remove", "ann") == 0
    assert accounts() == {"Bob": HASH}
    assert stat.S_IMODE((tmp_path / "state/smb").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state/smb/accounts").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("argv", "stdin", "what"),
    [
        (["add", "ann"], "x", "there is an account 'ann' already; `smbgate user update`"),
        (["update", "bob"], "x", "there is no account 'bob'; `smbgate user add`"),
        (["remove", "bob"], "", "there is no account 'bob'"),
        (["add", "bob"], "", "no password for 'bob'"),
        (["add", "bob"], "x" * 129, "longer than 128"),
        (["add", "a/b"], "x", "no name for an account"),
        (["import", "/nonexistent"], "", "cannot read /nonexistent: No such file"),
    ],
)
def test_what_cannot_be_done(user, accounts, capsys, argv, stdin, what):
    user("add", "ann", stdin="password")
    assert user(*argv, stdin=stdin) == 1
    assert what in capsys.readouterr().err
    assert accounts() == {"ann": HASH}


def test_accounts_that_others_can_read(user, tmp_path, capsys):
    user("add", "ann", stdin="password")
    (tmp_path / "state/smb/accounts").chmod(0o644)
    assert user("list") == 1
    assert "chmod 600" in capsys.readouterr().err


def test_accounts_that_cannot_be_kept(user, tmp_path, capsys):
    (tmp_path / "state").write_text("a file where a directory should be")
    assert user("add", "ann", stdin="x") == 1
    assert "cannot use the accounts in" in capsys.readouterr().err


def test_import_smbpasswd(user, accounts, tmp_path, capsys):
    (tmp_path / "smbpasswd").write_text(
        f"# comment\nann:1000:{'X' * 32}:{HASH.upper()}:[U          ]:LCT-5F000000:\n"
        f"PC$:1001:{'X' * 32}:{HASH.upper()}:[W          ]:LCT-5F000000:\n"
    )
    assert user("import", tmp_path / "smbpasswd") == 0
    assert accounts() == {"ann": HASH}
    out, err = capsys.readouterr()
    assert out.startswith("1 accounts taken over")
    assert "'PC$' is no account of a user" in err


def test_import_ksmbdpwd(user, accounts, tmp_path):
    (tmp_path / "db").write_text("ann:iEb36u6PsRetBr3YMLdYbA==\nbob:iEb36u6PsRetBr3YMLdYbA==\n")
    assert user("import", tmp_path / "db") == 0
    assert accounts() == {"ann": HASH, "bob": HASH}


def test_import_of_something_else(user, tmp_path, capsys):
    (tmp_path / "db").write_bytes(b"TDB file\n\xff")
    assert user("import", tmp_path / "db") == 1
    (tmp_path / "db").write_text("what is this?\n")
    assert user("import", tmp_path / "db") == 1
    err = capsys.readouterr().err
    assert "cannot read" in err
    assert "no account in it" in err
