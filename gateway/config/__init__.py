"""The configuration: files in smb.conf syntax, with KSMBD's parameters and Samba's where KSMBD has none."""

from gateway.config.choices import Backend, Dialect, Encryption, MapToGuest, ShareEncryption, Signing
from gateway.config.errors import ConfigError, Origin, Problem
from gateway.config.load import Settings, load, parse
from gateway.config.macros import Client, expand_for
from gateway.config.model import Config, default_config_path, default_state_directory
from gateway.config.server_parameters import GlobalConfig
from gateway.config.share_parameters import ShareConfig

__all__ = [
    "Backend",
    "Client",
    "Config",
    "ConfigError",
    "Dialect",
    "Encryption",
    "GlobalConfig",
    "MapToGuest",
    "Origin",
    "Problem",
    "Settings",
    "ShareConfig",
    "ShareEncryption",
    "Signing",
    "default_config_path",
    "default_state_directory",
    "expand_for",
    "load",
    "parse",
]
