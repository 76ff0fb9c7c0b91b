"""Short names: the 8.3 form of names, for programs that know no other ([MS-FSCC] 2.1.5.2.1).

A name that has none by itself gets one that is made of it alone, so that nothing has to be stored: a letter, five
digits to the base 36, a tilde, one digit more, and what there is of an extension.
"""

import re
import zlib
from typing import Final

from gateway.nt.upcase import upcase

__all__ = ["may_be_generated", "own_short_name", "short_name"]

_ALLOWED: Final = "A-Z0-9!#$%&'()@^_`{}~-"
_SHORT: Final = re.compile(rf"[{_ALLOWED}]{{1,8}}(?:\.[{_ALLOWED}]{{1,3}})?", re.ASCII)
_NOT_ALLOWED: Final = re.compile(rf"[^{_ALLOWED}]", re.ASCII)
_GENERATED: Final = re.compile(rf"[{_ALLOWED}][A-Z0-9]{{5}}~[A-Z0-9](?:\.[{_ALLOWED}]{{1,3}})?", re.ASCII)
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def own_short_name(name: str) -> str:
    """The 8.3 form of a name if it has one without being changed but for case; empty otherwise."""
    upper = upcase(name)
    return upper if _SHORT.fullmatch(upper) else ""


def short_name(name: str) -> str:
    """The 8.3 form of a name; names that differ by case only have the same."""
    upper = upcase(name)
    if _SHORT.fullmatch(upper):
        return upper
    base, _, extension = upper.rpartition(".")
    first = _NOT_ALLOWED.sub("", base or extension)[:1] or "_"
    # Neither a secret nor a proof: of two names with the same hash, neither is found by its short name.
    number = zlib.crc32(upper.encode("utf-16-le", "surrogatepass"))
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        digits += _DIGITS[digit]
    extension = _NOT_ALLOWED.sub("", extension)[:3] if base else ""
    return f"{first}{digits[:5]}~{digits[5]}{'.' if extension else ''}{extension}"


def may_be_generated(name: str) -> bool:
    """Whether a name looks like one that `short_name` makes."""
    return "~" in name and _GENERATED.fullmatch(upcase(name)) is not None
