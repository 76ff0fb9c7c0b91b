"""What python3-samba says, asked in a process of the interpreter that Debian installs it for."""

import json
import subprocess
from typing import Any

from tests.requirements import SYSTEM_PYTHON


def ask(program: str, argument: Any) -> Any:
    """Run ``program`` with ``argument`` as the variable of this name; it leaves its answer in ``answer``."""
    prologue = "import json, sys\nfrom samba.dcerpc import security, smb_acl, xattr\n"
    prologue += "from samba.ndr import ndr_pack, ndr_unpack\nargument = json.load(sys.stdin)\n"
    source = prologue + program + "\njson.dump(answer, sys.stdout)\n"
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", source], input=json.dumps(argument), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
