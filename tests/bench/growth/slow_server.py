"""smbgate with shares whose storage takes its time: `python -m tests.bench.growth.slow_server`, otherwise as `gateway`.

Reading waits for a second, in the share `sleeping` as a task and in `blocking` in a thread.
"""

import sys

from gateway.cli import main
from gateway.config.share_parameters import ShareConfig
from gateway.server import exports
from tests.bench.growth.finding import SLOW_SECONDS
from vfs_backends.api import FileSystem
from vfs_backends.faults import Fault, FaultyFileSystem

_FAULTS = {
    "sleeping": Fault("read_into", delay=SLOW_SECONDS),
    "blocking": Fault("read_into", blocking=SLOW_SECONDS),
}
_file_system = exports._file_system


def _slowed(share: ShareConfig, path: str) -> FileSystem:
    made = _file_system(share, path)
    fault = _FAULTS.get(share.name)
    return made if fault is None else FaultyFileSystem(made, [fault])


if __name__ == "__main__":
    exports._file_system = _slowed
    sys.exit(main())
