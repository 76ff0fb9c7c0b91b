"""What `smbgate serve` and `smbgate mount` have in common: they run until somebody ends them."""

import argparse
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import trio

from gateway import debug, server
from gateway.cli.common import Failure, ask_password, warn
from gateway.config import Config, default_config_path, load

__all__ = ["configuration_of", "run_server"]

_OWN_DESCRIPTORS = 256
"""Of the server itself, and of files that it opens for a moment."""

Serve = Callable[..., Awaitable[None]]
"""`server.serve` or `server.mount_only`."""


def run_server(
    arguments: argparse.Namespace, config: Config, serve: Serve, announce: Callable[[Config, Any], None]
) -> int:
    """Run `serve` until a signal; `announce` gets what it starts with. The exit status; raises Failure."""
    for warning in config.warnings:
        warn(warning)
    _raise_descriptor_limit(config)
    handler = debug.set_up(arguments.debug, sys.stderr)
    failures: list[str] = []
    try:
        trio.run(_until_signal, config, serve, announce)
    except* server.ServerError as group:
        failures += _failures(group)
    finally:
        logging.getLogger().removeHandler(handler)
    if failures:
        raise Failure("; ".join(failures))
    return 0


async def _until_signal(config: Config, serve: Serve, announce: Callable[[Config, Any], None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_at_signal, signals, nursery.cancel_scope)
            announce(config, await nursery.start(_serve, serve, config, nursery.cancel_scope))
            sys.stdout.flush()


async def _serve(serve: Serve, config: Config, scope: trio.CancelScope, *, task_status: trio.TaskStatus[Any]) -> None:
    await serve(config, task_status=task_status)
    scope.cancel()


async def _end_at_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Cancel the scope at the first signal."""
    async for number in signals:
        # From here on the system ends the process at the next signal, even if it hangs.
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, signal.SIG_DFL)
        print(f"ending, because of {signal.Signals(number).name}", flush=True)
        scope.cancel()


def _failures(group: BaseExceptionGroup[server.ServerError]) -> list[str]:
    """What went wrong, in words."""
    return [
        text
        for error in group.exceptions
        for text in (_failures(error) if isinstance(error, BaseExceptionGroup) else [str(error)])
    ]


def configuration_of(arguments: argparse.Namespace) -> Config:
    """What the file and the command line say together. Raises ConfigError and Failure."""
    path = arguments.config
    if path is None and not arguments.share:
        path = default_config_path()
        if not path.exists():
            raise Failure(
                f"there is nothing to share: there is no {path}. Name a file with -c FILE, or a directory with "
                "--share NAME=PATH"
            )
    users = {}
    for text in arguments.user:
        name, colon, password = text.partition(":")
        if not name:
            raise Failure(f"--user {text}: expected NAME or NAME:PASSWORD")
        users[name] = password if colon else ask_password(name)
    config = load(path, settings=_settings_from(arguments), users=users)
    if not config.shares:
        raise Failure(f"there is nothing to share: {path} has no section but [global]")
    return config


def _settings_from(arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    """What the command line says, as it would stand in a file. Raises Failure."""
    settings: dict[str, dict[str, str]] = {"global": {}}
    if arguments.mount is not None:
        settings["global"]["fuse mount"] = os.path.abspath(arguments.mount)
    if arguments.port is not None:
        settings["global"]["tcp port"] = str(arguments.port)
    if arguments.bind:
        settings["global"] |= {"interfaces": " ".join(arguments.bind), "bind interfaces only": "yes"}
    for text in arguments.share:
        name, equals, place = text.partition("=")
        directory = place.removesuffix(",ro")
        if not name or not equals or not directory:
            raise Failure(f"--share {text}: expected NAME=PATH or NAME=PATH,ro")
        path = os.path.abspath(os.path.expanduser(directory)).replace("%", "%%")
        settings[name] = {"path": f'"{path}"', "read only": "no" if directory == place else "yes"}
    return settings


def _raise_descriptor_limit(config: Config) -> None:
    """Let the process have as many descriptors as it may need, or say what the system's limit means."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(config.max_open_files, config.max_open_files_per_session) + config.max_connections + _OWN_DESCRIPTORS
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, OSError):  # only root may have more than the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        warn(
            f"the system allows {hard} open files and connections at a time, fewer than configured; "
            "raise the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd) to have more"
        )
