"""What the commands share: failures, finding the configuration, asking for passwords."""

import getpass
import importlib.util
import sys
from pathlib import Path

from gateway.config import Config, default_config_path, load
from gateway.config.macros import smbgate_version

__all__ = ["Failure", "ask_password", "configuration", "version_line", "warn"]

PASSWORD_LIMIT = 128
"""Characters: no client sends more."""


class Failure(Exception):
    """A command could not be done; the text says why, to the user."""


def warn(text: object) -> None:
    """Tell the user something that is not the command's result."""
    print(f"smbgate: warning: {text}", file=sys.stderr)


def version_line() -> str:
    """The program with its version; says so if the modules of the data path are compiled."""
    found = importlib.util.find_spec("gateway.protocol.framing")
    is_compiled = found is not None and not (found.origin or "").endswith(".py")
    return f"smbgate {smbgate_version()}{' (compiled)' if is_compiled else ''}"


def configuration(path: Path | None) -> Config:
    """What the file configures; without one the default file, or just the defaults if that does not exist.

    Raises ConfigError.
    """
    if path is None and default_config_path().exists():
        path = default_config_path()
    return load(path)


def ask_password(name: str) -> str:
    """A new password for the user: typed twice at a terminal, else a line of standard input. Raises Failure."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"New password for {name}: ")
        if getpass.getpass("Once more: ") != password:
            raise Failure("the passwords differ")
    else:
        password = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not password:
        raise Failure(f"no password for {name!r}: it is read from the terminal or from a line of standard input")
    if len(password) > PASSWORD_LIMIT:
        raise Failure(f"the password is longer than {PASSWORD_LIMIT} characters")
    return password
