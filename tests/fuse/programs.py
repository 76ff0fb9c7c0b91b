"""Programs that run as somebody else."""

import os
import subprocess
import sys
from pathlib import Path

NOBODY = 65534


def let_all_get_to(place: Path) -> None:
    """Open the directories on the way. Each run of pytest closes those that it shares with others."""
    for directory in (place, *place.parents):
        if not directory.stat().st_mode & 0o005:
            directory.chmod(0o755)


def as_user(code: str, *arguments: object, uid: int = NOBODY, gid: int = NOBODY, groups: tuple[int, ...] = ()) -> str:
    """What Python code prints that runs as somebody else, who may be barred from where the tests' own Python is."""
    words = [
        os.path.realpath(sys.executable),
        "-c",
        f"import os, sys\nargs = sys.argv[1:]\n{code}",
        *map(str, arguments),
    ]
    done = subprocess.run(
        words, user=uid, group=gid, extra_groups=groups, capture_output=True, text=True, timeout=30, cwd="/", check=True
    )
    return done.stdout.strip()


ERROR = """
try:
    {}
except OSError as error:
    import errno
    print(errno.errorcode[error.errno])
else:
    print('done')
"""
