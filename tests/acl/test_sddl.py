from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl import ace as a
from acl import descriptor as d
from acl import sid as s
from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.errors import AclError
from acl.sddl import (
    _BUILTIN,
    _OF_DOMAIN,
    _WELL_KNOWN,
    format_ace,
    format_sid,
    parse_ace,
    parse_sddl,
    parse_sid,
    to_sddl,
)
from tests.requirements import Need, needs

from .samba_oracle import ask
from .strategies import DOMAIN, descriptors

GUID = "bf967aba-0de6-11d0-a285-00aa003049e2"
GUID_BYTES = bytes.fromhex("ba7a96bfe60dd011a28500aa003049e2")

TEXTS = {
    "": SecurityDescriptor(),
    "O:BAG:SY": SecurityDescriptor(s.BUILTIN_ADMINISTRATORS, s.SYSTEM),
    "O:S-1-5-21-1-2-3-1000D:": SecurityDescriptor(s.Sid.of(5, 21, 1, 2, 3, 1000), None, Acl()),
    "D:NO_ACCESS_CONTROL": SecurityDescriptor(control=d.SE_DACL_PRESENT),
    "D:PARAI(A;;FA;;;WD)": SecurityDescriptor(dacl=Acl.of(a.allow(s.EVERYONE, 0x1F01FF)), control=0x1500),
    "D:(D;OICINPIOID;FR;;;BU)(A;;0x1301bf;;;OW)": SecurityDescriptor(
        dacl=Acl.of(a.deny(s.BUILTIN_USERS, 0x120089, 0x1F), a.allow(s.OWNER_RIGHTS, 0x1301BF))
    ),
    "S:PAI(AU;SAFA;GW;;;AN)(ML;;NWNX;;;HI)": SecurityDescriptor(
        sacl=Acl.of(
            Ace(a.SYSTEM_AUDIT, 0xC0, 0x40000000, s.ANONYMOUS), Ace(a.SYSTEM_MANDATORY_LABEL, 0, 5, s.Sid.of(16, 12288))
        ),
        control=0x2800,
    ),
    f"D:(OA;;0x10;{GUID};;PS)(OD;;0x10;;{GUID};AU)": SecurityDescriptor(
        dacl=Acl.of(
            Ace(5, 0, 0x10, s.PRINCIPAL_SELF, b"", 1, GUID_BYTES),
            Ace(6, 0, 0x10, s.AUTHENTICATED_USERS, b"", 2, b"", GUID_BYTES),
        )
    ),
    "D:(XA;;FX;;;WD;#61727478f8000000)(0x80;CR;;;;;#01020304)(0x04;;;;;)": SecurityDescriptor(
        dacl=Acl.of(
            Ace(a.ACCESS_ALLOWED_CALLBACK, 0, 0x1200A0, s.EVERYONE, bytes.fromhex("61727478f8000000")),
            Ace(0x80, 0x20, 0, s.NULL_SID, b"\1\2\3\4"),
            Ace(4, 0, 0, s.NULL_SID),
        )
    ),
}


@pytest.mark.parametrize(("text", "sd"), TEXTS.items())
def test_both_ways(text, sd):
    assert parse_sddl(text) == sd
    assert to_sddl(sd) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (" O:BA  G:BA ", "O:BAG:BA"),
        ("D:AI (A;;FA;;;WD) (A;;FR;;;BA)", "D:AI(A;;FA;;;WD)(A;;FR;;;BA)"),
        ("D:(A;;FA;;;WD)O:BA", "O:BAD:(A;;FA;;;WD)"),
        ("D:(A;;CCDCLCSWRPWPDTLOCRRCSDWDWO;;;WD)", "D:(A;;0xf01ff;;;WD)"),
        ("D:(A;;FRFW;;;S-1-1-0)", "D:(A;;0x12019f;;;WD)"),
        ("D:(A;;010;;;WD)", "D:(A;;0x8;;;WD)"),
        ("D:(A;;1179785;;;WD)", "D:(A;;FR;;;WD)"),
        ("D:(A;;0;;;WD)", "D:(A;;0x0;;;WD)"),
        ("D:(A;;;;;WD)", "D:(A;;0x0;;;WD)"),
        ("D:( A ; OI ; KA ; ; ; WD )", "D:(A;OI;0xf003f;;;WD)"),
        ("S:(ML;;0x8;;;LW)", "S:(ML;;0x8;;;LW)"),
        ("O:S-1-5-18", "O:SY"),
    ],
)
def test_other_spellings(text, written):
    assert to_sddl(parse_sddl(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "O:",
        "O:XX",
        "O:BAO:BA",
        "D:D:",
        "O:DA",
        "D:Q",
        "D:(",
        "D:()",
        "D:(A;;FA;;;WD",
        "D:(A;;FA;;WD)",
        "D:(A;;FA;;;;;WD)",
        "D:(Q;;FA;;;WD)",
        "D:(0x100;;;;;)",
        "D:(0x80;;FA;;;)",
        "D:(A;XX;FA;;;WD)",
        "D:(A;;XX;;;WD)",
        "D:(A;;F;;;WD)",
        "D:(A;;0xfffffffff;;;WD)",
        "D:(A;;4294967296;;;WD)",
        "D:(A;;089;;;WD)",
        "D:(A;;1x;;;WD)",
        "D:(A;;FA;;;)",
        "D:(A;;FA;;;S-1-5)",
        "D:(A;;FA;zz;;WD)",
        f"D:(A;;FA;{GUID};;WD)",
        "D:(XA;;FA;;;WD;(@User.a==1))",
        "D:(XA;;FA;;;WD;abc)",
        "D:(XA;;FA;;;WD;#123)",
        "D:NO_ACCESS_CONTROL(A;;FA;;;WD)",
        "O:S-1-5-99999999999",
        "D:" + "(A;;FA;;;WD)" * 30000,
    ],
)
def test_malformed(text):
    with pytest.raises(AclError):
        parse_sddl(text)


def test_names_relative_to_a_domain():
    sd = parse_sddl("O:DAG:DUD:(A;;FA;;;LA)", DOMAIN)
    assert sd.owner == DOMAIN.child(512)
    assert to_sddl(sd, DOMAIN) == "O:DAG:DUD:(A;;FA;;;LA)"
    assert to_sddl(sd) == f"O:{DOMAIN}-512G:{DOMAIN}-513D:(A;;FA;;;{DOMAIN}-500)"
    assert format_sid(DOMAIN.child(1000), DOMAIN) == f"{DOMAIN}-1000"
    assert parse_sid("s-1-5-18") == s.SYSTEM
    assert format_ace(parse_ace("A;;FA;;;EA", DOMAIN), DOMAIN) == "(A;;FA;;;EA)"


def comparable(sd: SecurityDescriptor) -> SecurityDescriptor:
    """What the language keeps: the revision of a list follows from its ACEs, and some bits of control are not said."""
    lists = [acl and Acl.of(*acl.aces) for acl in (sd.dacl, sd.sacl)]
    control = sd.control & 0xBF14
    if not control & d.SE_DACL_PRESENT:
        control &= ~d.DACL_CONTROL
    if not control & d.SE_SACL_PRESENT:
        control &= ~d.SACL_CONTROL
    return replace(sd, dacl=lists[0], sacl=lists[1], control=control)


@given(descriptors)
@settings(max_examples=150, deadline=None)
def test_round_trip(sd):
    assert comparable(parse_sddl(to_sddl(sd))) == comparable(sd)


@given(st.sampled_from(sorted(TEXTS)), st.data())
@settings(max_examples=250, deadline=None)
def test_mutated(text, data):
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.sampled_from(["(", ")", ";", ":", "D", "S:", "0x", "-", "", "A", "#", "\x00", "٣", "é"]))
        text = text[:position] + piece + text[position + data.draw(st.integers(0, 2)) :]
    try:
        parsed = parse_sddl(text)
    except AclError:
        return
    assert comparable(parse_sddl(to_sddl(parsed))) == comparable(parsed)


# Without FA, which Samba 4.17 reads as 0x1ff.
SAMBA_TEXTS = [
    "O:BAG:BAD:(A;;0x001f01ff;;;WD)",
    "O:DAG:DUD:PAI(A;OICI;0x001f01ff;;;SY)(A;OICIIO;GA;;;CO)(D;;0x00000002;;;BG)",
    "O:SYG:SYD:AI(A;ID;0x00120089;;;AU)S:AI(AU;SAFA;0x00010000;;;WD)",
    f"D:(OA;CI;0x00000010;{GUID};;ED)(OD;;0x00000020;;{GUID};PS)",
    "O:S-1-22-1-1000G:S-1-22-2-100D:(A;;0x001200a9;;;S-1-5-88-3-420)",
]


@needs(Need.PYTHON3_SAMBA)
@pytest.mark.interop
def test_samba_reads_the_same():
    program = "dom = security.dom_sid(argument[0])\n"
    program += "answer = [ndr_pack(security.descriptor.from_sddl(t, dom)).hex() for t in argument[1]]"
    names = [*_WELL_KNOWN, *_BUILTIN, *_OF_DOMAIN]
    texts = [*SAMBA_TEXTS, *(f"O:{name}" for name in names)]
    for text, raw in zip(texts, ask(program, [str(DOMAIN), texts]), strict=True):
        theirs = SecurityDescriptor.parse(bytes.fromhex(raw))
        assert comparable(theirs) == comparable(parse_sddl(text, DOMAIN)), text


@needs(Need.PYTHON3_SAMBA)
@pytest.mark.interop
def test_samba_writes_what_is_read_here():
    program = "dom = security.dom_sid(argument[0])\n"
    program += "answer = [ndr_unpack(security.descriptor, bytes.fromhex(t)).as_sddl(dom) for t in argument[1]]"
    ours = [parse_sddl(text, DOMAIN) for text in SAMBA_TEXTS]
    theirs = ask(program, [str(DOMAIN), [sd.to_bytes().hex() for sd in ours]])
    assert [comparable(parse_sddl(text, DOMAIN)) for text in theirs] == [comparable(sd) for sd in ours]
