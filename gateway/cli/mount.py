"""`smbgate mount`: the shares as a directory of this machine, without SMB."""

import argparse
import dataclasses
import logging
import os
import signal
import sys

import trio

from gateway import debug, server
from gateway.cli.common import Failure, warn
from gateway.cli.serve import configuration_of, end_at_signal, raise_descriptor_limit, server_failures
from gateway.config import Config

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    config = configuration_of(arguments)
    config = dataclasses.replace(config, fuse_mount=os.path.abspath(arguments.directory))
    for warning in config.warnings:
        warn(warning)
    raise_descriptor_limit(config)
    handler = debug.set_up(arguments.debug, sys.stderr)
    failures: list[str] = []
    try:
        trio.run(_mount, config)
    except* server.ServerError as group:
        failures += server_failures(group)
    finally:
        logging.getLogger().removeHandler(handler)
    if failures:
        raise Failure("; ".join(failures))
    return 0


async def _mount(config: Config) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_at_signal, signals, nursery.cancel_scope)
            await nursery.start(_serve, config, nursery.cancel_scope)
            print(f"mounted on {config.fuse_mount}: {', '.join(share.name for share in config.shares.values())}")
            sys.stdout.flush()


async def _serve(config: Config, scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]) -> None:
    await server.mount_only(config, task_status=task_status)
    scope.cancel()
