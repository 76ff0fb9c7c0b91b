"""The command line: `smbgate COMMAND`."""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

from gateway.cli.arguments import parser
from gateway.cli.common import Failure
from gateway.config import ConfigError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 if it was done, 1 if not, 2 if it was not understood."""
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as end:  # argparse has said why; a program that calls this wants a number
        return end.code if isinstance(end.code, int) else 2
    # A command is imported when it runs, so that `smbgate user list` does not wait for the whole server.
    command = importlib.import_module(f"gateway.cli.{arguments.module}")
    try:
        result: int = command.run(arguments)
        sys.stdout.flush()
    except (Failure, ConfigError) as error:
        print(f"smbgate: {error}" if isinstance(error, Failure) else error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Nobody reads on (`smbgate testparm | head`); the interpreter must not try again at its end.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 1
    return result
