"""NT security, [MS-DTYP] 2.4 and 2.5: SIDs, access masks, ACEs, descriptors and the rules on them; pure."""

from acl.access import AccessDenied, access_check, maximal_access
from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.errors import AclError
from acl.sid import Sid
from acl.token import Token

__all__ = [
    "AccessDenied",
    "Ace",
    "Acl",
    "AclError",
    "SecurityDescriptor",
    "Sid",
    "Token",
    "access_check",
    "maximal_access",
]
