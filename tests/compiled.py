"""The copy of the packages that `scripts/compile` makes, for what runs smbgate as a process of its own."""

import subprocess
import sys
from pathlib import Path

__all__ = ["compiled_environment"]

_ROOT = Path(__file__).parents[1]


def compiled_environment() -> dict[str, str]:
    """What has the compiled copy imported in place of the sources. It is made if there is none, which takes minutes."""
    command = [sys.executable, str(_ROOT / "scripts/compiling.py")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"PYTHONPATH": done.stdout.split()[-1], "PYTHONSAFEPATH": "1"}
