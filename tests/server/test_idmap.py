from pathlib import Path

import pytest

from acl.idmap import PosixId
from acl.sid import EVERYONE, Sid
from gateway.config import Config
from gateway.server.errors import ServerError
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
