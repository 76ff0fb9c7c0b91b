"""Run by Debian's own interpreter, which has python3-samba: sets and reads what a share keeps with its files.

Reads a JSON object from standard input: `action` (`set` or `get`), `share`, `user`, `password`, `count`, `seed`. Writes
one with what it read back, by name: the descriptor as hexadecimal digits, and the contents of a stream.
"""

import json
import random
import sys

from samba import NTSTATUSError
from samba.credentials import Credentials
from samba.dcerpc import security
from samba.ndr import ndr_pack
from samba.param import LoadParm
from samba.samba3 import libsmb_samba_internal as libsmb
from samba.samba3 import param

SIDS = [
    "S-1-1-0",
    "S-1-3-0",
    "S-1-3-1",
    "S-1-3-4",
    "S-1-5-11",
    "S-1-5-18",
    "S-1-5-32-544",
    "S-1-5-32-545",
    "S-1-22-1-7301",
    "S-1-22-1-7302",
    "S-1-22-2-7300",
    "S-1-5-21-11-22-33-1104",
]
WHAT = security.SECINFO_OWNER | security.SECINFO_GROUP | security.SECINFO_DACL
FULL = 0x001F01FF


def descriptor(chance, owner, is_directory):
    """A descriptor out of random entries; the first one keeps the owner in."""
    made = security.descriptor()
    made.type = security.SEC_DESC_DACL_PRESENT | security.SEC_DESC_SELF_RELATIVE
    if chance.random() < 0.3:
        made.type |= security.SEC_DESC_DACL_PROTECTED
    if chance.random() < 0.3:
        made.type |= security.SEC_DESC_DACL_AUTO_INHERITED | security.SEC_DESC_DACL_AUTO_INHERIT_REQ
    dacl = security.acl()
    dacl.revision = 2
    for number in range(1 + chance.randrange(12)):
        ace = security.ace()
        ace.type = chance.choice([0, 0, 1]) if number else 0
        ace.trustee = security.dom_sid(chance.choice(SIDS) if number else owner)
        ace.access_mask = chance.randrange(1, FULL + 1) & FULL if number else FULL
        flags = [0, 0x10] if not is_directory else [0, 1, 2, 3, 4 | 3, 8 | 3, 0x10 | 3]
        ace.flags = chance.choice(flags) if number else 0
        dacl_aces = [*dacl.aces, ace]
        dacl.aces = dacl_aces
        dacl.num_aces = len(dacl_aces)
    made.dacl = dacl
    return made


def main():
    asked = json.load(sys.stdin)
    lp = param.get_context()
    lp.load("/dev/null")
    lp.set("client min protocol", "SMB2_02")
    credentials = Credentials()
    credentials.guess(LoadParm())
    credentials.set_username(asked["user"])
    credentials.set_password(asked["password"])
    connection = libsmb.Conn("127.0.0.1", asked["share"], lp=lp, creds=credentials)
    chance = random.Random(asked["seed"])
    found = {}
    for number in range(asked["count"]):
        is_directory = number % 5 == 0
        name = f"{asked['prefix']}{number}"
        if asked["action"] == "set":
            connection.mkdir(name) if is_directory else connection.savefile(name, b"x")
            owner = str(connection.get_acl(name, WHAT).owner_sid)
            connection.set_acl(name, descriptor(chance, owner, is_directory), security.SECINFO_DACL)
            if number % 10 == 1:
                connection.savefile(f"{name}:stream", name.encode() * 7)
        try:
            read = {"sd": ndr_pack(connection.get_acl(name, WHAT)).hex()}
        except NTSTATUSError as error:
            raise RuntimeError(f"{name}: {error}") from error
        if number % 10 == 1:
            read["stream"] = connection.loadfile(f"{name}:stream").decode()
        found[name] = read
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
