from pathlib import Path

import pytest

from acl.idmap import PosixId
from acl.sid import AUTHENTICATED_USERS, EVERYONE, Sid
from gateway.auth.policy import Identity
from gateway.config import Config
from gateway.server.errors import ServerError
from gateway.server.identities import Identities
from gateway.server.state import StateDirectory

FOREIGN = Sid.from_string("S-1-5-21-1-2-3-1104")
OTHER = Sid.from_string("S-1-5-21-1-2-3-1105")


def test_numbers_survive(tmp_path: Path) -> None:
    config = Config(idmap_range="5000-5001")
    ids = StateDirectory(tmp_path).idmap(config)
    assert ids.lookup(FOREIGN) is None
    assert ids.assign(FOREIGN) == PosixId(5000, 5000)
    assert ids.assign(FOREIGN) == PosixId(5000, 5000)
    assert ids.user_sid(5000) == FOREIGN
    again = StateDirectory(tmp_path).idmap(config)
    assert again.lookup(FOREIGN) == PosixId(5000, 5000)
    assert again.machine == ids.machine
    assert again.assign(OTHER) == PosixId(5001, 5001)


def test_what_gets_no_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ids = StateDirectory(tmp_path).idmap(Config(idmap_range="5000-5000"))
    assert ids.assign(EVERYONE) is None
    assert ids.assign(FOREIGN) == PosixId(5000, 5000)
    assert ids.assign(OTHER) is None
    assert "gets no number" in caplog.text


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "idmap").write_text("nonsense\n")
    with pytest.raises(ServerError, match="idmap"):
        StateDirectory(tmp_path).idmap(Config())


def test_what_an_administrator_writes_is_kept_and_seen(tmp_path: Path) -> None:
    ids = StateDirectory(tmp_path).idmap(Config(idmap_range="5000-5001"))
    (tmp_path / "idmap").write_text(f"{OTHER} user 7001\n")
    assert ids.lookup(OTHER) is None
    ids.refresh()
    assert ids.lookup(OTHER) == PosixId(uid=7001)
    # Also what was written since the table was last looked at.
    third = Sid.from_string("S-1-5-21-1-2-3-1106")
    (tmp_path / "idmap").write_text(f"{OTHER} user 7001\n{third} as S-1-5-11\n")
    assert ids.assign(FOREIGN) == PosixId(5000, 5000)
    assert (tmp_path / "idmap").read_text() == f"{OTHER} user 7001\n{third} as S-1-5-11\n{FOREIGN} both 5000\n"
    assert ids.alike(AUTHENTICATED_USERS) == (third,)
    assert ids.assign(third) is None


def test_who_holds_a_sid_holds_what_means_the_same(tmp_path: Path) -> None:
    (tmp_path / "idmap").write_text(f"{FOREIGN} as S-1-5-11\n{OTHER} as S-1-5-32-546\n")
    who = Identities(StateDirectory(tmp_path).idmap(Config()), "nobody")
    user = who.token(Identity("nobody", "", "", b""))
    guest = who.token(Identity("x", "", "", b"", is_guest=True))
    assert (FOREIGN in user, OTHER in user) == (True, False)
    assert (FOREIGN in guest, OTHER in guest) == (False, True)
    assert FOREIGN in who.process_token(7001, 7001, ())


def test_a_table_that_becomes_unreadable_stays_as_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "idmap").write_text(f"{FOREIGN} as S-1-5-11\n")
    who = Identities(StateDirectory(tmp_path).idmap(Config()), "nobody")
    (tmp_path / "idmap").write_text("nonsense\n")
    assert FOREIGN in who.token(Identity("nobody", "", "", b""))
    assert "stays as it was" in caplog.text
