"""What Samba's smbd and smbgate keep with files, read through the other; `descriptors_both_ways.py` does more of it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.requirements import Need, needs

PROGRAM = Path(__file__).with_name("descriptors_both_ways.py")


@needs(Need.ROOT, Need.NAMESPACES, Need.SMBD, Need.PYTHON3_SAMBA)
def test_both_ways() -> None:
    # The users of the share have to get to it: pytest keeps its own directories to itself.
    with tempfile.TemporaryDirectory(prefix="smbgate-") as directory:
        Path(directory).chmod(0o755)
        done = subprocess.run(
            [sys.executable, str(PROGRAM), directory, "40"], capture_output=True, text=True, check=False, timeout=120
        )
    assert done.stdout.startswith("["), done.stderr
    reports = json.loads(done.stdout)
    assert [report["different"] for report in reports] == [{}, {}]
    assert all(report["by-smbd- read through smbgate"]["compared"] == 40 for report in reports)
