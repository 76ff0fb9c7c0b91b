"""`smbgate mount`: the shares as a directory of this machine, without SMB."""

import argparse
import dataclasses
import os

from gateway import server
from gateway.cli.running import configuration_of, run_server
from gateway.config import Config

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    config = dataclasses.replace(configuration_of(arguments), fuse_mount=os.path.abspath(arguments.directory))
    return run_server(arguments, config, server.mount_only, _announce)


def _announce(config: Config, _started: None) -> None:
    print(f"mounted on {config.fuse_mount}: {', '.join(share.name for share in config.shares.values())}")
