"""What python3-samba says, asked in a process of the interpreter that Debian installs it for."""

import json
import shutil
import subprocess
from typing import Any

import pytest

INTERPRETER = "/usr/bin/python3"


def is_there() -> bool:
    if shutil.which(INTERPRETER) is None:
        return False
    probe = [INTERPRETER, "-c", "import samba.dcerpc.xattr, samba.dcerpc.smb_acl"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def ask(program: str, argument: Any) -> Any:
    """Run ``program`` with ``argument`` as the variable of this name; it leaves its answer in ``answer``."""
    prologue = "import json, sys\nfrom samba.dcerpc import security, smb_acl, xattr\n"
    prologue += "from samba.ndr import ndr_pack, ndr_unpack\nargument = json.load(sys.stdin)\n"
    source = prologue + program + "\njson.dump(answer, sys.stdout)\n"
    done = subprocess.run(
        [INTERPRETER, "-c", source], input=json.dumps(argument), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


needs_samba = pytest.mark.skipif(not is_there(), reason="python3-samba is not installed")
