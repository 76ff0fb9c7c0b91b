"""The controls by which tests disturb a server are not there unless somebody has said so twice."""

import subprocess
import sys

import pytest

from gateway.config import parse
from gateway.server.assemble import make_identities, make_service
from gateway.server.errors import ServerError

LIST = """\
import gateway.server
from gateway.smb.fsctl.registry import CONTROLS
from gateway.smb.registry import SESSIONLESS
print([hex(code) for code in CONTROLS if code >> 16 == 0x8384], len(SESSIONLESS))
"""


def config(tmp_path, value):
    text = f"[global]\n state directory = {tmp_path}\n smbd:FSCTL_SMBTORTURE = {value}\n[a]\n path = {tmp_path}\n"
    return parse(text)


def test_off():
    ran = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == ["[]", "0"]


def test_refused(tmp_path):
    configured = config(tmp_path, "yes")
    with pytest.raises(ServerError, match="--allow-test-controls"):
        make_service(configured, make_identities(configured), None)
