"""A time of change that a client has set, beside the one of the kernel, which nobody can set."""

import dataclasses
import os
import time

from vfs_backends.posix.attributes import XATTR, DosAttributes
from vfs_backends.posix.stats import fields_of

__all__ = ["set_changed"]

_SECOND = 1_000_000_000
_SLACK_NS = 10_000_000
_ATTEMPTS = 4


def set_changed(fd: int, target: int | bytes, attributes: DosAttributes, changed_ns: int) -> None:
    """Store `attributes` with a time of change. Raises OSError.

    Storing it is a change too, of which the kernel takes note; until then and no longer it is to hold. A change by
    somebody else within the next milliseconds goes unnoticed; that is the price of there being no other place for it.
    """
    slack = _SLACK_NS
    for _ in range(_ATTEMPTS):
        until = time.time_ns() + slack
        new = dataclasses.replace(attributes, changed_ns=changed_ns, changed_until_ns=until)
        os.setxattr(target, XATTR, new.to_bytes())
        fields = fields_of(fd)
        if fields[12] * _SECOND + fields[13] <= until:
            return
        slack *= 4  # the process was kept waiting in between
