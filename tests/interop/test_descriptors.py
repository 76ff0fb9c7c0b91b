"""What Samba's smbd and smbgate keep with files, read through the other; `descriptors_both_ways.py` does more of it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("descriptors_both_ways.py")
NEEDED = ("smbd", "smbclient", "pdbedit", "ip", "unshare")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have namespaces with users of their own")
def test_both_ways() -> None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    probe = ["/usr/bin/python3", "-c", "import samba.samba3.libsmb_samba_internal"]
    if missing or subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip(f"not installed: {', '.join(missing) or 'python3-samba'}")
    if subprocess.run(["unshare", "-n", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
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
