import json
import logging
from pathlib import Path

import pytest

from acl.ace import FAILED_ACCESS, SYSTEM_AUDIT, Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.mask import FILE_WRITE_DATA
from acl.sid import EVERYONE
from acl.token import user_token
from gateway.server.audit import audit_log
from gateway.server.errors import ServerError
from gateway.share.auditing import audit

SACL = SecurityDescriptor(sacl=Acl.of(Ace(SYSTEM_AUDIT, FAILED_ACCESS, FILE_WRITE_DATA, EVERYONE)))


def test_records_in_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "audit.log"
    with audit_log(str(path)):
        audit(SACL, user_token(EVERYONE, uid=7), "a\nb", FILE_WRITE_DATA, is_granted=False)
        audit(SACL, user_token(EVERYONE, uid=7), "a", FILE_WRITE_DATA, is_granted=True)
    (line,) = path.read_text().splitlines()
    record = json.loads(line)
    assert (record["path"], record["granted"], record["uid"], record["mask"]) == ("a\nb", False, 7, "0x00000002")
    assert record["time"].endswith("+00:00")
    assert not caplog.records
    assert not logging.getLogger("gateway.audit").handlers


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="audit log"), audit_log(str(tmp_path / "none/audit.log")):
        pytest.fail("it began")
