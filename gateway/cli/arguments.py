"""What can be said on the command line, and the help that teaches it."""

import argparse
from pathlib import Path
from typing import Any

from gateway.cli.common import version_line
from gateway.config import default_config_path
from gateway.debug import COMPONENTS

__all__ = ["parser"]

_MAIN = """\
smbgate shares directories over SMB, the protocol of Windows file servers.

examples:
  smbgate serve --share docs=/srv/docs --user ann --port 4450
                                share a directory at once; asks for ann's password
  smbgate testparm              check the configuration and show what is in effect
  smbgate user add ann          add an account; asks for the password
  smbgate serve                 serve what the configuration says
  smbgate mount /mnt            have the configured shares as directories below /mnt
"""
_SERVE = """\
Serve until SIGTERM or Ctrl-C; a second one ends at once.

With --share and without -c, no configuration file is read.

examples:
  smbgate serve                                     what {config} says
  smbgate serve -c my.conf --debug auth             another file; tell more about log-ons
  smbgate serve --share docs=/srv/docs,ro --user ann:secret --port 4450 --bind 127.0.0.1
                                                    no file at all

connect with:
  smbclient //localhost/docs -p 4450 -U ann
  mount -t cifs //localhost/docs /mnt -o port=4450,username=ann
"""
_MOUNT = """\
Mount the shares with FUSE, each as a directory, until SIGTERM, Ctrl-C or umount. Needs pyfuse3: pip install
'smbgate[fuse]'. What a mount that was killed has left is taken away first.

SMB clients are not served: a server that is to serve both has the mount in its configuration (`fuse mount`), or
--mount on its command line. Only within one process SMB clients and local programs respect each other.

examples:
  smbgate mount /mnt                                what {config} says
  smbgate mount /mnt --share docs=/srv/docs         no file at all
"""
_USER = """\
Accounts are kept in the file `accounts` in the state directory (`smb passwd file` names another), with hashes of their
passwords and never the passwords. A running server sees a change at the next log-on.

examples:
  smbgate user add ann                          asks for the password twice
  echo "$password" | smbgate user update ann    reads it from standard input
  smbgate user import /etc/samba/smbpasswd      takes over accounts with their passwords
  smbgate user import /etc/ksmbd/ksmbdpwd.db
"""
_ACL = """\
Show or set who may do what with a file or directory, as clients see it. Descriptors are stored beside the files; for
a file without one, owner, mode and ACL of the file say the same.

examples:
  smbgate acl get /srv/docs                     for people
  smbgate acl get --sddl /srv/docs/plan.txt     for programs: the descriptor in SDDL
  smbgate acl set /srv/docs 'D:P(A;OICI;FA;;;S-1-22-1-1000)(A;OICI;FR;;;WD)'
                                                only the parts that are given (O: G: D: S:)
"""
_IDMAP = """\
Say what SIDs of other domains mean here, so that descriptors of a tree that comes from Samba mean whom they meant. The
table is the file `idmap` in the state directory; a running server sees a change at the next log-on.

examples, on the machine that was Samba's, before Samba goes:
  (pdbedit -L -v; net groupmap list) | smbgate idmap import -
  smbgate idmap check /srv/docs     whom descriptors name that nobody here is
  smbgate idmap list
"""
_TESTPARM = """\
Check a configuration file and show what is in effect: what differs from the defaults, or with -v everything.
Exits with 1 if a server would not start with the file.

examples:
  smbgate testparm                              {config}
  smbgate testparm -v my.conf
  smbgate testparm --parameters | less          all parameters there are
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose description keeps its lines."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; `module` in its result names the module of `gateway.cli` whose `run` does it."""
    top = _Parser(prog="smbgate", description=_MAIN)
    top.add_argument("--version", action="version", version=version_line())
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    config = str(default_config_path())
    _serve(commands.add_parser("serve", help="run the server", description=_SERVE.format(config=config)))
    _mount(
        commands.add_parser("mount", help="mount the shares on a directory", description=_MOUNT.format(config=config))
    )
    _user(commands.add_parser("user", help="add, change, remove, list and import accounts", description=_USER))
    _share(commands.add_parser("share", help="list the shares", description="What is shared, and how."))
    _acl(commands.add_parser("acl", help="show and set security descriptors of files", description=_ACL))
    _idmap(commands.add_parser("idmap", help="say what SIDs of other domains mean", description=_IDMAP))
    _testparm(
        commands.add_parser("testparm", help="check the configuration", description=_TESTPARM.format(config=config))
    )
    return top


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help=f"the configuration file (default: {default_config_path()})"
    )


def _add_shares(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--share",
        action="append",
        default=[],
        metavar="NAME=PATH[,ro]",
        help="share a directory, for reading and writing unless ,ro follows; may be repeated",
    )


def _add_debug(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--debug",
        action="append",
        default=[],
        metavar="COMPONENT",
        choices=["all", *COMPONENTS],
        help=f"tell more about one of: all, {', '.join(COMPONENTS)}; may be repeated",
    )


def _mount(command: argparse.ArgumentParser) -> None:
    command.set_defaults(module="mount", port=None, bind=[], user=[], mount=None)
    command.add_argument("directory", metavar="DIR", help="where to mount; it must exist")
    _add_config(command)
    _add_shares(command)
    _add_debug(command)


def _serve(command: argparse.ArgumentParser) -> None:
    command.set_defaults(module="serve")
    add = command.add_argument
    _add_config(command)
    _add_shares(command)
    add(
        "--user",
        action="append",
        default=[],
        metavar="NAME[:PASSWORD]",
        help="an account for this run only; without a password, asks for it. Others on the machine can see a password "
        "that stands on the command line. May be repeated",
    )
    add(
        "--allow-test-controls",
        action="store_true",
        help="start even with `smbd:fsctl_smbtorture`, which is for tests of the server only",
    )
    add("--port", type=int, metavar="N", help="the TCP port (`tcp port`); 0 takes a free one")
    add(
        "--bind",
        action="append",
        default=[],
        metavar="ADDR",
        help="listen on this address or interface alone (`interfaces`, `bind interfaces only`); may be repeated",
    )
    add("--mount", metavar="DIR", help="mount the shares there for local programs, too (`fuse mount`)")
    _add_debug(command)


def _user(command: argparse.ArgumentParser) -> None:
    command.set_defaults(module="user")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    for name, text in (
        ("add", "add an account"),
        ("update", "change an account's password"),
        ("remove", "remove an account"),
    ):
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.add_argument("name", metavar="NAME", help="the user's name")
        _add_config(action)
    _add_config(actions.add_parser("list", help="list the accounts", description="List the accounts."))
    text = "take over accounts from a file of Samba (smbpasswd) or KSMBD (ksmbdpwd.db)"
    action = actions.add_parser("import", help=text, description=f"{text[0].upper()}{text[1:]}.")
    action.add_argument("file", metavar="FILE", type=Path, help="which of the two it is, shows in what is in it")
    _add_config(action)


def _acl(command: argparse.ArgumentParser) -> None:
    command.set_defaults(module="acl")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    get = actions.add_parser("get", help="show descriptors")
    get.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    get.add_argument("--sddl", action="store_true", help="in SDDL, one line for each file")
    set_ = actions.add_parser("set", help="set parts of a descriptor")
    set_.add_argument("path", type=Path, metavar="PATH")
    set_.add_argument("sddl", metavar="SDDL", help="the parts to set: O: owner, G: group, D: DACL, S: SACL")
    for action in (get, set_):
        _add_config(action)


def _idmap(command: argparse.ArgumentParser) -> None:
    command.set_defaults(module="idmap")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    import_ = actions.add_parser("import", help="take over what Samba's tools print")
    import_.add_argument("files", nargs="+", type=Path, metavar="FILE", help="- is standard input")
    import_.add_argument("--replace", action="store_true", help="also where the table says something else")
    check = actions.add_parser("check", help="find SIDs in descriptors that are nobody here")
    check.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    for action in (import_, check, actions.add_parser("list", help="show the table")):
        _add_config(action)


def _share(command: argparse.ArgumentParser) -> None:
    command.set_defaults(module="share")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    _add_config(actions.add_parser("list", help="list the shares", description="List the shares."))


def _testparm(command: argparse.ArgumentParser) -> None:
    command.set_defaults(module="testparm")
    command.add_argument("file", metavar="FILE", type=Path, nargs="?", help="the configuration file")
    command.add_argument("-v", "--verbose", action="store_true", help="show what is at its default, too")
    command.add_argument("--parameters", action="store_true", help="explain all parameters instead, in Markdown")
