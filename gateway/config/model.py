"""A configuration: what the server does, and what it shares."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.errors import Problem
from gateway.config.server_parameters import GlobalConfig
from gateway.config.share_parameters import ShareConfig
from gateway.config.syntax import section_key

__all__ = ["Config", "default_config_path", "default_state_directory"]


@dataclass(frozen=True, kw_only=True)
class Config(GlobalConfig):
    """All that is configured. Sizes are in bytes, times in seconds."""

    shares: Mapping[str, ShareConfig] = field(default_factory=dict)
    """By name in lower case; `share` finds one by any spelling."""
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Accounts for this run only, beside those in `accounts_path`: name to password."""
    allows_test_controls: bool = False
    """Whether `smbd:fsctl_smbtorture` may be in effect; no file says so."""
    warnings: tuple[Problem, ...] = ()
    """What an administrator should know of the files that this came from."""

    def share(self, name: str) -> ShareConfig | None:
        """The share that a client means by the name."""
        return self.shares.get(section_key(name))

    @property
    def state_path(self) -> Path:
        """The state directory, which need not exist yet."""
        return Path(self.state_directory) if self.state_directory else default_state_directory()

    @property
    def accounts_path(self) -> Path:
        """The file of accounts, which need not exist yet."""
        return self.state_path / (self.smb_passwd_file or "accounts")


def default_state_directory() -> Path:
    """Where state is kept if nothing else is said."""
    if os.geteuid() == 0:
        return Path("/var/lib/smbgate")
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local/state") / "smbgate"


def default_config_path() -> Path:
    """The configuration file that is read if none is named."""
    return Path("/etc/smbgate/smbgate.conf")
