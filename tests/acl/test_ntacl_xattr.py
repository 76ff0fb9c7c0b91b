import json
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl import ace as a
from acl import descriptor as d
from acl import sid as s
from acl.access import maximal_access
from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.errors import AclError
from acl.intersect import intersect
from acl.mask import FILE_ALL_ACCESS
from acl.ntacl_xattr import (
    HASH_NONE,
    HASH_SHA256,
    NtAcl,
    Policy,
    PosixState,
    descriptor_hash,
    is_current,
    make_ntacl,
    ntacl_to_bytes,
    parse_ntacl,
    resolve,
    sys_acl_hash,
)
from acl.posix import descriptor_from_mode
from acl.posix_acl import acl_from_mode, parse_posix_acl
from acl.sddl import parse_sddl, to_sddl
from tests.requirements import SYSTEM_PYTHON, Need, needs, set_xattr

from .samba_fixtures import (
    DIRECTORY_ACCESS,
    DIRECTORY_DEFAULT,
    DIRECTORY_NTACL,
    FILE_ACCESS,
    FILE_NTACL,
)
from .samba_oracle import ask
from .strategies import DOMAIN, PEOPLE, acls, descriptors, sids, tokens

ALICE, STAFF = DOMAIN.child(1000), DOMAIN.child(2000)
SD = SecurityDescriptor(ALICE, STAFF, Acl.of(a.allow(s.EVERYONE, 0x1301BF)))
WITH_SACL = SD.replace(sacl=Acl.of(Ace(a.SYSTEM_AUDIT, a.FAILED_ACCESS, 1, s.EVERYONE)))
POSIX_SD = descriptor_from_mode(0o640, ALICE, STAFF, False)

SAMPLES = {
    1: NtAcl(1, SD),
    2: NtAcl(2, SD, hash=bytes(range(16))),
    3: NtAcl(3, SD, HASH_SHA256, bytes(range(64))),
    4: NtAcl(4, WITH_SACL, HASH_SHA256, bytes(range(64)), bytes(64), "posix_acl", 0x01D0_0000_0000_0000),
    5: NtAcl(4, SD, HASH_NONE, bytes(64), bytes(range(64)), "é", 0),
}

FILE_STATE = PosixState(1000, 100, 0o100670, parse_posix_acl(bytes.fromhex(FILE_ACCESS)))
DIRECTORY_STATE = PosixState(
    1000,
    100,
    0o040770,
    parse_posix_acl(bytes.fromhex(DIRECTORY_ACCESS)),
    parse_posix_acl(bytes.fromhex(DIRECTORY_DEFAULT)),
)


@pytest.mark.parametrize(("data", "state"), [(FILE_NTACL, FILE_STATE), (DIRECTORY_NTACL, DIRECTORY_STATE)])
def test_what_samba_wrote(data, state):
    raw = bytes.fromhex(data)
    ntacl = parse_ntacl(raw)
    assert (ntacl.version, ntacl.hash_type, ntacl.description) == (4, HASH_SHA256, "posix_acl")
    assert ntacl.descriptor.owner == s.unix_user(1000)
    assert ntacl_to_bytes(ntacl) == raw
    assert ntacl.sys_acl_hash[:32] == sys_acl_hash(state, state.access, state.default or None)
    assert is_current(ntacl, state, POSIX_SD)
    assert not is_current(ntacl, replace(state, mode=state.mode ^ 1), POSIX_SD)
    assert not is_current(ntacl, replace(state, uid=1001), POSIX_SD)
    assert not is_current(ntacl, replace(state, access=()), POSIX_SD)


def test_the_descriptor_that_samba_hashed():
    """What the POSIX ACL amounted to for Samba, protected as its mapping from POSIX ACLs is."""
    ours = "(A;;0x1f019f;;;S-1-22-1-1000)(A;;FR;;;S-1-22-2-100)"
    theirs = "(A;;FR;;;S-1-22-2-100)(A;;0x1f019f;;;S-1-22-1-1000)(A;;0x0;;;WD)"
    hashed = parse_sddl(f"O:S-1-22-1-1000G:S-1-22-2-100D:P{ours}{theirs}")
    ntacl = parse_ntacl(bytes.fromhex(FILE_NTACL))
    assert ntacl.hash[:32] == descriptor_hash(hashed)
    # Where it is the same, it is enough.
    assert is_current(ntacl, replace(FILE_STATE, mode=0), hashed)


@pytest.mark.parametrize("sample", SAMPLES.values())
def test_both_ways(sample):
    raw = ntacl_to_bytes(sample)
    assert parse_ntacl(raw) == sample
    assert parse_ntacl(memoryview(raw)) == sample


def test_layout():
    raw = ntacl_to_bytes(SAMPLES[4])
    assert raw[:14].hex() == "0400040000000200040002000100"
    assert raw[0x4E:0x58] == b"posix_acl\0"
    assert raw[0xA0:0xA4].hex() == "01001480"
    assert raw[0xA4:0xA8] == (0xA0 + 20).to_bytes(4, "little")
    assert ntacl_to_bytes(SAMPLES[1])[:8].hex() == "0100010000000200"


def test_ksmbd_leaves_the_offset_of_the_sacl():
    raw = bytearray(ntacl_to_bytes(SAMPLES[4]))
    offset = int.from_bytes(raw[0xAC:0xB0], "little")
    raw[0xAC:0xB0] = (offset - 0xA0).to_bytes(4, "little")
    assert parse_ntacl(raw) == SAMPLES[4]


@pytest.mark.parametrize("sample", SAMPLES.values())
def test_cut_at_every_length(sample):
    raw = ntacl_to_bytes(sample)
    for length in range(len(raw)):
        with pytest.raises(AclError):
            parse_ntacl(raw[:length])


@pytest.mark.parametrize(
    "data",
    [
        "0500050000000200",
        "0100020000000200",
        "0100010000000000",
        "02000200000002000000000000000000000000000000000000000000",
        "04000400000002000400020001000000" + "00" * 62 + "ff00" + "00" * 200,
        "04000400000002000400020001000000" + "00" * 62 + "41" * 200,
        "00" * 70000,
    ],
)
def test_malformed(data):
    with pytest.raises(AclError):
        parse_ntacl(bytes.fromhex(data))


def test_offsets_into_the_head():
    raw = bytearray(ntacl_to_bytes(SAMPLES[4]))
    for offset in (1, 0x9F, 0xA0, 0xA1, 0xB3):
        raw[0xA4:0xA8] = offset.to_bytes(4, "little")
        with pytest.raises(AclError):
            parse_ntacl(raw)


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated(number, data):
    raw = bytearray(ntacl_to_bytes(SAMPLES[number]))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = parse_ntacl(raw)
    except AclError:
        return
    assert parse_ntacl(ntacl_to_bytes(parsed)) == parsed


@given(descriptors, st.sampled_from(sorted(SAMPLES)))
@settings(max_examples=100, deadline=None)
def test_any_descriptor(sd, number):
    ntacl = replace(SAMPLES[number], descriptor=sd)
    assert parse_ntacl(ntacl_to_bytes(ntacl)) == ntacl


@pytest.mark.parametrize(
    "ntacl",
    [
        NtAcl(1, SD, hash=bytes(64)),
        NtAcl(2, SD, hash=bytes(64)),
        NtAcl(3, SD),
        NtAcl(4, SD, HASH_SHA256, bytes(64)),
        NtAcl(5, SD),
        NtAcl(
            1,
            SecurityDescriptor(
                dacl=Acl.of(*[a.allow(s.EVERYONE, 1)] * 3200), sacl=Acl.of(*[Ace(2, 0, 1, s.EVERYONE)] * 200)
            ),
        ),
    ],
)
def test_cannot_be_packed(ntacl):
    with pytest.raises(AclError):
        ntacl_to_bytes(ntacl)


PLAIN_FILE = PosixState(1000, 100, 0o100640)
PLAIN_DIRECTORY = PosixState(1000, 100, 0o040750)


@pytest.mark.parametrize("for_ksmbd", [False, True])
@pytest.mark.parametrize("state", [PLAIN_FILE, PLAIN_DIRECTORY, FILE_STATE, DIRECTORY_STATE])
def test_what_is_made_is_current(state, for_ksmbd):
    ntacl = make_ntacl(SD, state, POSIX_SD, time=5, for_ksmbd=for_ksmbd)
    assert parse_ntacl(ntacl_to_bytes(ntacl)) == ntacl
    assert is_current(ntacl, state, SecurityDescriptor())
    # By the second hash, even if the first does not fit.
    changed = replace(state, mode=state.mode & 0o170000)
    assert is_current(ntacl, changed, POSIX_SD)
    assert not is_current(ntacl, changed, SD)
    assert make_ntacl(SD, state, POSIX_SD).sys_acl_hash != ntacl.sys_acl_hash or not for_ksmbd or state.access


def test_the_forms_of_the_servers():
    base = acl_from_mode(0o640)
    assert make_ntacl(SD, PLAIN_FILE, POSIX_SD).sys_acl_hash[:32] == sys_acl_hash(PLAIN_FILE, base, None)
    ksmbd = make_ntacl(SD, PLAIN_FILE, POSIX_SD, for_ksmbd=True)
    assert ksmbd.sys_acl_hash[:32] == sys_acl_hash(PLAIN_FILE, None, None)
    base = acl_from_mode(0o750)
    assert make_ntacl(SD, PLAIN_DIRECTORY, POSIX_SD).sys_acl_hash[:32] == sys_acl_hash(PLAIN_DIRECTORY, base, ())
    ksmbd = make_ntacl(SD, PLAIN_DIRECTORY, POSIX_SD, for_ksmbd=True)
    assert ksmbd.sys_acl_hash[:32] == sys_acl_hash(PLAIN_DIRECTORY, None, None)


@pytest.mark.parametrize(
    ("ntacl", "expected"),
    [
        (SAMPLES[1], True),
        (SAMPLES[2], True),
        (SAMPLES[3], False),
        (replace(SAMPLES[3], hash=descriptor_hash(POSIX_SD).ljust(64, b"\0")), True),
        (replace(SAMPLES[3], hash_type=HASH_NONE), True),
        (replace(SAMPLES[3], hash_type=2), False),
        (SAMPLES[4], False),
        (SAMPLES[5], True),
    ],
)
def test_versions_without_a_hash_are_trusted(ntacl, expected):
    assert is_current(ntacl, PLAIN_FILE, POSIX_SD) == expected


def test_policies():
    stale = make_ntacl(SD, PLAIN_FILE, POSIX_SD)
    after = descriptor_from_mode(0o600, ALICE, STAFF, False)
    state = replace(PLAIN_FILE, mode=0o100600)
    for policy in Policy:
        assert resolve(None, state, after, policy) == after
        assert resolve(stale, PLAIN_FILE, POSIX_SD, policy) == SD
    assert resolve(stale, state, after, Policy("trust")) == SD
    assert resolve(stale, state, after, Policy("ignore")) == after
    both = resolve(stale, state, after, Policy("intersect"))
    assert to_sddl(both) == f"O:{ALICE}G:{STAFF}D:(A;;0x13019f;;;{ALICE})(A;;0x120080;;;WD)"


def test_intersection_with_nobody_and_everybody():
    null = SecurityDescriptor(ALICE, STAFF, None, None, d.SE_DACL_PRESENT)
    assert intersect(null, POSIX_SD).dacl == POSIX_SD.dacl
    assert intersect(SD, null).dacl == SD.dacl
    assert intersect(null, null).dacl is None
    everyone = parse_sddl("D:(A;;FR;;;WD)(A;;FX;;;AU)(A;;FW;;;AN)")
    everywhere = f"(A;;FR;;;{ALICE})(A;;FR;;;{STAFF})(A;;0x120080;;;WD)(A;;0x120080;;;AU)(A;;0x120000;;;AN)"
    assert to_sddl(intersect(everyone, POSIX_SD)) == f"O:{ALICE}G:{STAFF}D:{everywhere}"
    inheritable = SD.replace(dacl=Acl.of(a.allow(s.CREATOR_OWNER, 1, 3), a.deny(ALICE, 2, 3)))
    made = intersect(inheritable, POSIX_SD).dacl or Acl()
    assert [ace.flags for ace in made] == [0, 11, 11]


@given(
    st.builds(SecurityDescriptor, sids, sids, st.none() | acls()),
    st.builds(SecurityDescriptor, sids, sids, st.none() | acls())
    | st.sampled_from(PEOPLE).flatmap(
        lambda owner: st.builds(
            descriptor_from_mode, st.integers(0, 0o777), st.just(owner), st.sampled_from(PEOPLE), st.booleans()
        )
    ),
    tokens,
)
@settings(max_examples=200, deadline=None)
def test_intersection_is_never_wider(stored, limit, token):
    # What an owner has for being the owner is no matter of ACLs, and the owner is that of the limit.
    stored = replace(stored, owner=limit.owner)
    implied = 0x60000 if limit.owner in token.groups or limit.owner == token.user else 0
    granted = maximal_access(intersect(stored, limit), token) & FILE_ALL_ACCESS & ~implied
    assert not granted & ~maximal_access(stored, token)
    assert not granted & ~maximal_access(limit, token)


NDR_PROGRAM = """
answer = []
for raw in argument:
    ntacl = ndr_unpack(xattr.NTACL, bytes.fromhex(raw))
    info = ntacl.info
    sd = info if ntacl.version == 1 else info.sd
    answer.append([ndr_pack(ntacl).hex(), ntacl.version, ndr_pack(sd).hex(), getattr(info, "description", None)])
"""


@needs(Need.PYTHON3_SAMBA)
@pytest.mark.interop
def test_samba_reads_and_writes_the_same():
    samples = list(SAMPLES.values())
    samples += [replace(SAMPLES[4], description="x" * length) for length in range(8)]
    raws = [ntacl_to_bytes(sample).hex() for sample in samples]
    for sample, raw, theirs in zip(samples, raws, ask(NDR_PROGRAM, raws), strict=True):
        assert theirs[0] == raw
        assert theirs[1:3] == [sample.version, sample.descriptor.to_bytes().hex()]
        assert theirs[3] == (sample.description if sample.version == 4 else None)


SERVER_PROGRAM = """
from samba.auth import session_info_fill_unix, system_session
from samba.param import LoadParm
from samba.samba3 import param, passdb, smbd
param.get_context().load(argument["conf"])
loaded = LoadParm()
loaded.load(argument["conf"])
session = system_session(loaded)
session_info_fill_unix(session, lp_ctx=loaded, user_name="root")
answer = [smbd.get_nt_acl(path, 7, session, "share").as_sddl() for path in argument["paths"]]
"""


@needs(Need.PYTHON3_SAMBA, Need.ROOT)
@pytest.mark.interop
def test_samba_honours_what_is_made(tmp_path):
    folder = tmp_path / "samba"
    folder.mkdir()
    names = ("private dir", "state directory", "lock directory", "cache directory", "pid directory", "ncalrpc dir")
    options = "".join(f"{name} = {folder}\n" for name in names)
    conf = folder / "smb.conf"
    conf.write_text(
        f"[global]\n{options}vfs objects = acl_xattr\nlog file = {folder}/log\n"
        f"[share]\npath = {tmp_path}\nvfs objects = acl_xattr\nread only = no\n"
    )
    paths = []
    for kind, for_ksmbd in ((0, False), (1, False), (0, True), (1, True)):
        path = tmp_path / f"{kind}-{for_ksmbd}"
        path.mkdir() if kind else path.touch()
        path.chmod(0o640)
        stat = path.stat()
        state = PosixState(stat.st_uid, stat.st_gid, stat.st_mode)
        made = ntacl_to_bytes(make_ntacl(SD, state, POSIX_SD, for_ksmbd=for_ksmbd))
        set_xattr(path, "security.NTACL", made, Need.SECURITY_XATTRS)
        paths.append(str(path))
    source = (
        "import json, sys\nargument = json.load(sys.stdin)\n" + SERVER_PROGRAM + "print('answer', json.dumps(answer))"
    )
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", source],
        input=json.dumps({"conf": str(conf), "paths": paths}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.partition("answer")[2])
    assert [parse_sddl(text).owner == ALICE for text in answer] == [True, True, False, False]
