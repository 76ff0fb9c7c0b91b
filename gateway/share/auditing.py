"""Records of accesses that a descriptor's SACL asks for: [MS-DTYP] 2.4.4.10, one JSON object a line.

They go to the logger `gateway.audit`, which a handler of its own may write to a file.
"""

import json
import logging
from datetime import UTC, datetime

from acl.access import matching_audits
from acl.descriptor import SecurityDescriptor
from acl.token import Token

__all__ = ["audit"]

log = logging.getLogger("gateway.audit")


def audit(descriptor: SecurityDescriptor, token: Token, path: str, mask: int, *, is_granted: bool) -> None:
    """Write a record if an ACE wants one: `mask` was asked for on the file at `path`, and granted or not.

    Free for a file without a SACL, which nearly all are.
    """
    if descriptor.sacl is None:
        return
    aces = matching_audits(descriptor, token, mask, is_granted)
    if not aces:
        return
    record = {
        "time": datetime.now(UTC).isoformat(),
        "event": "access",
        "granted": is_granted,
        "user": str(token.user),
        "uid": token.uid,
        "path": path,
        "mask": f"0x{mask:08x}",
        "because": [str(ace.sid) for ace in aces],
    }
    log.info("%s", json.dumps(record, ensure_ascii=True))
