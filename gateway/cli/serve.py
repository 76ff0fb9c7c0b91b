"""`smbgate serve`: run the server until somebody ends it."""

import argparse
import dataclasses
import os

from gateway import server
from gateway.cli.common import version_line
from gateway.cli.running import configuration_of, run_server
from gateway.config import Backend, Config

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    config = dataclasses.replace(configuration_of(arguments), allows_test_controls=arguments.allow_test_controls)
    return run_server(arguments, config, server.serve, _announce)


def _announce(config: Config, addresses: list[str]) -> None:
    print(f"{version_line()}, process {os.getpid()}")
    for share in config.shares.values():
        place = (share.directory or share.path) if share.backend is Backend.POSIX else "memory"
        print(f"sharing {share.name}: {place}{', read-only' if share.read_only else ''}")
    if config.fuse_mount:
        print(f"mounted on {config.fuse_mount}")
    for address in addresses:
        print(f"listening on {address}")
