"""`smbgate idmap`: what SIDs of other domains stand for."""

import argparse
import sys
from pathlib import Path

from acl.idmap import IdMap, Meaning
from acl.sid import Sid
from acl.well_known import WELL_KNOWN
from gateway.cli.common import Failure, configuration, warn
from gateway.config import Config
from gateway.server.errors import ServerError
from gateway.server.identities import user_name
from gateway.server.idmap_import import merge, parse
from gateway.server.names import group_name
from gateway.server.sid_survey import survey
from gateway.server.state import StateDirectory

__all__ = ["run"]

_STANDARD_INPUT = Path("-")


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments.config)
    try:
        if arguments.action == "import":
            _import(config, arguments.files, replace=arguments.replace)
        elif arguments.action == "check":
            return _check(config, arguments.directories)
        else:
            _list(config)
    except ServerError as error:
        raise Failure(str(error)) from error
    return 0


def _list(config: Config) -> None:
    for sid, meaning in _ids(config).foreign.items():
        print(f"{sid}  {_described(meaning)}")


def _import(config: Config, files: list[Path], *, replace: bool) -> None:
    imported = parse("\n".join(_text(file) for file in files))
    for reason in imported.skipped:
        warn(reason)
    if not imported.found:
        raise Failure("there is no SID in it that means anybody here")
    state = StateDirectory(config.state_path)
    table = state.foreign().update(lambda known: merge(known, imported.found.items(), replace=replace))
    for sid, meaning in imported.found.items():
        if table[sid] == meaning:
            print(f"{sid}  {_described(meaning)}")
        else:
            warn(f"{sid} is {_described(table[sid])} already, and not {_described(meaning)}; --replace changes that")


def _check(config: Config, directories: list[Path]) -> int:
    """Say whom descriptors name that nobody here is; 1 if there are any."""
    ids, failed = _ids(config), False
    for directory in directories:
        found = survey(ids, directory)
        for sid, places in sorted(found.unknown.items(), key=lambda item: -item[1].count):
            print(f"{sid}  {places.count} {'file' if places.count == 1 else 'files'}, the first is {places.first}")
        for reason in found.unreadable:
            warn(reason)
        print(f"{directory}: {found.descriptors} descriptors, {len(found.unknown)} SIDs that are nobody here")
        failed = failed or bool(found.unknown or found.unreadable)
    return int(failed)


def _ids(config: Config) -> IdMap:
    return StateDirectory(config.state_path).idmap(config).current


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if file == _STANDARD_INPUT else file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from None


def _described(meaning: Meaning) -> str:
    if isinstance(meaning, Sid):
        known = WELL_KNOWN.get(meaning)
        return known.name if known else str(meaning)
    if meaning.uid is None:
        name = group_name(meaning.gid) if meaning.gid is not None else None
        return f"group {name or meaning.gid}"
    user = f"user {user_name(meaning.uid) or meaning.uid}"
    return user if meaning.gid is None else f"{user}, and the group of that number"
