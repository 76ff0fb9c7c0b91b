"""`smbgate testparm`: check a configuration and show what is in effect."""

import argparse
import os
from collections.abc import Iterator

from gateway.cli.common import Failure, warn
from gateway.config import Backend, Config, default_config_path, load
from gateway.config.show import effective, reference

__all__ = ["missing_paths", "run"]


def run(arguments: argparse.Namespace) -> int:
    if arguments.parameters:
        print(reference(), end="")
        return 0
    path = arguments.file or default_config_path()
    if not path.exists():
        raise Failure(f"there is no {path}; `smbgate testparm --parameters` tells what could stand in it")
    config = load(path)
    for warning in config.warnings:
        warn(warning)
    missing = list(missing_paths(config))
    for text in missing:
        warn(text)
    print(effective(config, everything=arguments.verbose), end="")
    return 1 if missing else 0


def missing_paths(config: Config) -> Iterator[str]:
    """What cannot be shared, because it is not there; a path that depends on the user is not looked for."""
    for share in config.shares.values():
        if share.backend is Backend.POSIX and share.directory is not None and not os.path.isdir(share.directory):
            yield f"share [{share.name}]: there is no directory {share.directory}"
