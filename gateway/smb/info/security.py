"""Security descriptors as they are queried and set: which rights that takes.

[MS-FSA] 2.1.5.14, 2.1.5.17, [MS-DTYP] 2.4.7.
"""

from collections.abc import Mapping
from typing import Final

from acl import descriptor as d
from acl.mask import ACCESS_SYSTEM_SECURITY, READ_CONTROL, WRITE_DAC, WRITE_OWNER

__all__ = ["query_rights", "set_rights"]

_QUERY: Final[Mapping[int, int]] = {
    d.OWNER_SECURITY_INFORMATION: READ_CONTROL,
    d.GROUP_SECURITY_INFORMATION: READ_CONTROL,
    d.DACL_SECURITY_INFORMATION: READ_CONTROL,
    d.SACL_SECURITY_INFORMATION: ACCESS_SYSTEM_SECURITY,
    d.LABEL_SECURITY_INFORMATION: READ_CONTROL,
    d.ATTRIBUTE_SECURITY_INFORMATION: READ_CONTROL,
    d.SCOPE_SECURITY_INFORMATION: READ_CONTROL,
    d.BACKUP_SECURITY_INFORMATION: READ_CONTROL | ACCESS_SYSTEM_SECURITY,
}

_SET: Final[Mapping[int, int]] = {
    d.OWNER_SECURITY_INFORMATION: WRITE_OWNER,
    d.GROUP_SECURITY_INFORMATION: WRITE_OWNER,
    d.DACL_SECURITY_INFORMATION: WRITE_DAC,
    d.SACL_SECURITY_INFORMATION: ACCESS_SYSTEM_SECURITY,
    d.LABEL_SECURITY_INFORMATION: WRITE_OWNER,
    d.ATTRIBUTE_SECURITY_INFORMATION: WRITE_DAC,
    d.SCOPE_SECURITY_INFORMATION: ACCESS_SYSTEM_SECURITY,
    d.BACKUP_SECURITY_INFORMATION: WRITE_DAC | WRITE_OWNER | ACCESS_SYSTEM_SECURITY,
    d.PROTECTED_DACL_SECURITY_INFORMATION: WRITE_DAC,
    d.UNPROTECTED_DACL_SECURITY_INFORMATION: WRITE_DAC,
    d.PROTECTED_SACL_SECURITY_INFORMATION: ACCESS_SYSTEM_SECURITY,
    d.UNPROTECTED_SACL_SECURITY_INFORMATION: ACCESS_SYSTEM_SECURITY,
}


def query_rights(information: int) -> int:
    """The access that a query with these SECURITY_INFORMATION bits takes."""
    return _all(_QUERY, information)


def set_rights(information: int) -> int:
    """The access that it takes to set the parts that these SECURITY_INFORMATION bits name."""
    return _all(_SET, information)


def _all(rights: Mapping[int, int], information: int) -> int:
    needed = 0
    for bit, access in rights.items():
        if information & bit:
            needed |= access
    return needed
