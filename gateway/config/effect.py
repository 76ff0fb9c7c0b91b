"""The parameters that are understood but do not change anything (yet): the one place that lists them."""

from collections.abc import Mapping

__all__ = ["MEANINGLESS", "NOT_YET", "remark"]

NOT_YET: frozenset[str] = frozenset(
    {
        "crossmnt",
        "deadtime",
        "kerberos keytab file",
        "kerberos service name",
        "kerberos support",
        "root directory",
        "share:fake_fscaps",
        "smbd max io size",
        "time machine",
        "veto files",
    }
)
"""Own names of parameters that the server does not heed yet."""

MEANINGLESS: Mapping[str, str] = {
    "vfs objects": "has no meaning here: descriptors and streams are kept wherever the storage can",
    "ipc timeout": "has no meaning here: there is no part in the kernel to wait for",
}
"""Own names of KSMBD's parameters that this server will never need, and why."""


def remark(name: str) -> str | None:
    """What to tell somebody who sets the parameter with this (own) name; None if it works."""
    if name in NOT_YET:
        return "is accepted but has no effect yet"
    return MEANINGLESS.get(name)
