"""The numbers, against those of two other implementations."""

import pytest
import smbprotocol.change_notify
import smbprotocol.file_info
import smbprotocol.ioctl
import smbprotocol.open
import smbprotocol.reparse_point
from impacket import smb3structs

from gateway.nt import constants

OURS = {name: value for name, value in vars(constants).items() if name.isupper()}
SMBPROTOCOL = (
    smbprotocol.open,
    smbprotocol.file_info,
    smbprotocol.ioctl,
    smbprotocol.change_notify,
    smbprotocol.reparse_point,
)
IMPACKET_IS_WRONG = {"FILE_ATTRIBUTE_INTEGRITY_STREAM"}


def known(module) -> dict[str, int]:
    found = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}
    for kind in vars(module).values():
        if isinstance(kind, type):
            found |= {name: value for name, value in vars(kind).items() if name.isupper() and isinstance(value, int)}
    return found


@pytest.mark.parametrize("module", [*SMBPROTOCOL, smb3structs], ids=lambda module: module.__name__)
def test_agrees(module) -> None:
    theirs = known(module)
    common = OURS.keys() & theirs.keys()
    if module is smb3structs:
        common -= IMPACKET_IS_WRONG
    assert common
    assert {name: OURS[name] for name in common} == {name: theirs[name] for name in common}


def test_plain_integers() -> None:
    assert all(type(value) is int for value in OURS.values())


@pytest.mark.parametrize(
    "prefix", ["FSCTL_", "IO_REPARSE_TAG_", "FILE_NOTIFY_CHANGE_", "FILE_ACTION_", "FILE_ATTRIBUTE_"]
)
def test_no_value_twice(prefix) -> None:
    values = [
        value for name, value in OURS.items() if name.startswith(prefix) and name != "FILE_ATTRIBUTE_TAG_INFORMATION"
    ]
    assert len(values) == len(set(values))
