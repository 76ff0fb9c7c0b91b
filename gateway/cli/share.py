"""`smbgate share`: what is shared."""

import argparse

from gateway.cli.common import Failure, configuration
from gateway.config import Backend, default_config_path

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments.config)
    if not config.shares:
        raise Failure(f"{arguments.config or default_config_path()} shares nothing")
    rows = [("SHARE", "PATH", "ACCESS", "COMMENT")]
    for share in config.shares.values():
        access = "read-only" if share.read_only else "read-write"
        place = (share.directory or share.path) if share.backend is Backend.POSIX else f"({share.backend.name.lower()})"
        hidden = "" if share.browseable else ", hidden"
        guests = ", guests" if share.guest_ok else ""
        rows.append((share.name, place, access + guests + hidden, share.comment))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        print("  ".join([*cells, row[3]]).rstrip())
    return 0
