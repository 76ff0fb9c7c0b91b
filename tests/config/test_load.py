"""From files to a configuration."""

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import (
    Backend,
    Config,
    ConfigError,
    Dialect,
    Encryption,
    GlobalConfig,
    MapToGuest,
    ShareConfig,
    ShareEncryption,
    Signing,
    load,
    parse,
)
from gateway.config.effect import MEANINGLESS, NOT_YET
from gateway.config.load import GLOBAL_TABLE, SHARE_TABLE
from gateway.config.parameters import Table

SHARE = "[docs]\npath = /srv/docs\n"

# ksmbd.conf(5): every parameter must be understood.
KSMBD_GLOBAL = """
bind interfaces only; deadtime; guest account; interfaces; ipc timeout; kerberos keytab file;
kerberos service name; kerberos support; map to guest; max active sessions; max connections; max ip connections;
max open files; netbios name; restrict anonymous; root directory; server max protocol; server min protocol;
server multi channel support; server signing; server string; share:fake_fscaps; smb2 leases; smb2 max credits;
smb2 max read; smb2 max trans; smb2 max write; smb3 encryption; smbd max io size; tcp port; workgroup
"""
KSMBD_SHARE = """
browseable; comment; create mask; crossmnt; directory mask; follow symlinks; force create mode; force directory mode;
force group; force user; guest account; guest ok; hide dot files; inherit owner; invalid users; max connections;
oplocks; durable handles; path; read list; read only; store dos attributes; valid users; veto files; vfs objects;
writable; writeable; write ok; write list; time machine; admin users; hosts allow; hosts deny
"""


def names(text):
    return [name.strip() for name in text.split(";")]


def share(text, section=""):
    return parse(f"[global]\n{section}\n[docs]\npath = /srv/docs\n{text}\n").shares["docs"]


def problems(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    return str(caught.value).splitlines()


def test_defaults():
    config = parse("")
    assert config == Config()
    assert config.server_signing is Signing.MANDATORY
    assert config.map_to_guest is MapToGuest.NEVER
    assert config.server_min_protocol is Dialect.SMB2_10
    assert config.server_max_protocol is Dialect.SMB3_11
    assert config.smb2_max_read == config.smb2_max_write == config.smb2_max_trans == 8 << 20
    assert (config.smb2_max_credits, config.tcp_port) == (8192, 445)
    assert parse(SHARE).shares == {"docs": ShareConfig(name="docs", path="/srv/docs")}


def test_every_default_is_a_value():
    for declared in (*GLOBAL_TABLE, *SHARE_TABLE):
        shown = declared.kind.show(declared.default)
        if shown:
            assert declared.kind.parse(shown) == declared.default, declared.name
        assert declared.doc.endswith("."), declared.name


@pytest.mark.parametrize("name", names(KSMBD_GLOBAL))
def test_knows_ksmbd_globals(name):
    assert GLOBAL_TABLE.find(name)


@pytest.mark.parametrize("name", names(KSMBD_SHARE))
def test_knows_ksmbd_shares(name):
    assert SHARE_TABLE.find(name)


def test_all_kinds_arrive():
    config = parse(
        """
        [GLOBAL]
        TCP Port = 4450
        interfaces = lo, eth0
        serverminprotocol = SMB2_02
        smb encrypt = desired
        smb2 max read = 4MB
        deadtime = 2
        authentication timeout = 1m
        [Docs]
        path = "/srv/my docs"
        force create mode = 0660
        veto files = /.*/Thumbs.db/
        valid users = ann, @staff "the boss"
        backend = memory
        """
    )
    assert (config.tcp_port, config.interfaces, config.deadtime) == (4450, ("lo", "eth0"), 120)
    assert (config.smb2_max_read, config.authentication_timeout) == (4 << 20, 60)
    assert (config.smb3_encryption, config.server_min_protocol) == (Encryption.DESIRED, Dialect.SMB2_02)
    docs = config.share("DOCS")
    assert docs is config.shares["docs"]
    assert (docs.name, docs.path, docs.backend) == ("Docs", "/srv/my docs", Backend.MEMORY)
    assert (docs.force_create_mode, docs.veto_files) == (0o660, (".*", "Thumbs.db"))
    assert docs.valid_users == ("ann", "@staff", "the boss")
    assert docs.smb_encrypt is ShareEncryption.DESIRED
    assert config.share("other") is None


@pytest.mark.parametrize(
    ("text", "read_only"),
    [
        ("", True),
        ("writable = yes", False),
        ("write ok = yes", False),
        ("writeable = no", True),
        ("writable = yes\nread only = yes", True),
        ("read only = yes\nwritable = yes", True),
        ("writeable = yes\nwritable = no", True),
        ("write ok = no\nwriteable = yes", False),
        ("read only =\nwritable = yes", False),
    ],
)
def test_read_only_is_stronger_than_writable(text, read_only):
    assert share(text).read_only is read_only


def test_the_share_is_stronger_than_global():
    assert share("writable = yes", "read only = yes").read_only is False
    assert share("", "writable = yes").read_only is False
    assert share("", "guest account = visitor").guest_account == "visitor"


def test_the_first_that_is_not_empty_counts():
    config = parse("[global]\nserver string =\nserver string = one\nserver string = two\n", "f")
    assert config.server_string == "one"
    assert [str(warning) for warning in config.warnings] == [
        "f:4: 'server string': does not count, because of 'server string' at f:3"
    ]


def test_macros():
    config = parse("[global]\nnetbios name = BOX\nserver string = 100%% %L\ncomment = %S on %L\npath=/srv/%S/%U\n[50%]")
    assert config.server_string == "100% BOX"
    assert config.shares["50%"].comment == "50% on BOX"
    assert config.shares["50%"].path == "/srv/50%%/%U"


def test_unknown_parameters():
    assert problems("[global]\nserver signng = auto\nquux = 1\n[s]\nraed only = no\ndeadtime = 1\npath = /\n") == [
        "f:2: 'server signng': there is no such parameter; did you mean 'server signing'?",
        "f:3: 'quux': there is no such parameter; `smbgate testparm --parameters` lists all there are",
        "f:5: 'raed only': there is no such parameter; did you mean 'read only'?",
        "f:6: 'deadtime': is a parameter of the whole server: it belongs in [global]",
    ]


def test_wrong_values():
    assert problems(
        "[global]\nserver signing = mandatry\ntcp port = 99999\nguest ok = yes # comment\n"
        "[s]\npath = relative\ncomment = %U\nvfs objects = fruit\n[t]\npath = /%Z\n"
    ) == [
        "f:2: 'server signing': expected auto, mandatory or disabled, not 'mandatry'; did you mean 'mandatory'?",
        "f:3: 'tcp port': expected a number from 0 to 65535, not '99999'",
        "f:4: 'guest ok': expected yes or no, not 'yes # comment'; a comment stands on a line of its own",
        "f:6: 'path': expected an absolute path, not 'relative'",
        "f:7: 'comment': %U (the name that the user logged on with) is not known here",
        "f:8: 'vfs objects': expected any of acl_xattr, streams_xattr, separated by spaces or commas, not 'fruit'",
        "f:10: 'path': there is no macro '%Z'; expected one of"
        " %% %D %I %L %R %S %U %g %h %i %m %u %v (%% is a percent sign)",
    ]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("IPC$", "named pipes"),
        ("homes", "not supported"),
        ("a/b", "'/'"),
        ("x" * 64, "63 bytes"),
        ("é" * 32, "63 bytes"),
    ],
)
def test_names_of_shares(name, what):
    (problem,) = problems(f"[{name}]\npath = /")
    assert problem.startswith(f"f:1: share [{name}]")
    assert what in problem


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[s]\nread only = no", r"share \[s\] needs a 'path'"),
        ("[global]\nserver min protocol = SMB3_11\nserver max protocol = SMB3_00", "SMB3_11' is newer than"),
        ("[global]\nsmb3 encryption = mandatory\nserver max protocol = SMB2_10", "needs a 'server max protocol'"),
        ("[global]\nsmb3 encryption = off\n[s]\npath = /\nsmb encrypt = required", "server does not seal"),
    ],
)
def test_contradictions(text, what):
    (problem,) = problems(text)
    assert re.search(what, problem)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[global]\nmap to guest = bad user", "guests have no key"),
        ("[s]\npath = /\nguest ok = yes", "makes nobody a guest"),
        ("[global]\nbind interfaces only = yes", "loopback"),
        ("[global]\nserver signing = disabled", "'mandatory' is the default"),
        ("[global]\nipc timeout = 10", "has no meaning here"),
        ("[global]\nsmbd max io size = 4M", "is accepted but has no effect yet"),
    ],
)
def test_warnings(text, what):
    (warning,) = parse(text).warnings
    assert what in str(warning)


def test_ksmbd_s_own_values():
    config = parse(
        "[global]\nnetbios name = KSMBD SERVER\nsmb2 max trans = 1MB\nsmbd max io size = 8MB\nveto files =\n"
    )
    assert (config.netbios_name, config.smb2_max_trans) == ("KSMBD SERVER", 1 << 20)


def test_defaults_without_effect_need_no_remark():
    assert parse("[global]\nipc timeout = 0\nkerberos keytab file =\nsmbd max io size=8MB").warnings == ()


def test_lists_of_effect_name_parameters():
    assert {found.name for name in NOT_YET if (found := GLOBAL_TABLE.find(name) or SHARE_TABLE.find(name))} == NOT_YET
    assert all(GLOBAL_TABLE.find(name) or SHARE_TABLE.find(name) for name in MEANINGLESS)


def test_settings_come_before_the_file(tmp_path):
    file = tmp_path / "f.conf"
    file.write_text("[global]\ntcp port = 445\n[docs]\npath = /srv\nread only = yes\n[other]\npath = /o\n")
    config = load(file, settings={"global": {"tcp port": "4450"}, "DOCS": {"writable": "yes", "read only": "no"}})
    assert (config.tcp_port, config.shares["docs"].read_only, config.warnings) == (4450, False, ())
    assert set(config.shares) == {"docs", "other"}
    assert load(None, users={"ann": "secret"}).users == {"ann": "secret"}
    assert "secret" not in repr(load(None, users={"ann": "secret"}))


def test_problems_of_settings():
    with pytest.raises(ConfigError, match=r"^command line: 'tcp port': expected a number"):
        load(None, settings={"global": {"tcp port": "x"}})


def test_state_paths(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert str(Config().accounts_path) == "/state/smbgate/accounts"
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", "/home/ann")
    assert str(Config().state_path) == "/home/ann/.local/state/smbgate"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert str(Config().state_path) == "/var/lib/smbgate"
    config = Config(state_directory="/s", smb_passwd_file="/etc/passwords")
    assert (str(config.state_path), str(config.accounts_path)) == ("/s", "/etc/passwords")


def test_a_table_refuses_two_of_a_name():
    class Twice(GlobalConfig):
        """Nothing of its own."""

    assert len(list(Table(Twice))) == len(list(GLOBAL_TABLE))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*GLOBAL_TABLE.all_names(), *SHARE_TABLE.all_names(), "[s]", "[global]"]),
            st.text("yesno0123KM%U/\"', #", max_size=8),
        ),
        max_size=6,
    )
)
def test_whatever_is_written_is_read_or_refused(lines):
    text = "\n".join(name if name[0] == "[" else f"{name} = {value}" for name, value in lines)
    with contextlib.suppress(ConfigError):
        parse("[global]\n" + text)
