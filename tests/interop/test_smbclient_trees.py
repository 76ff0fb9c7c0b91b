"""smbclient puts and gets a tree, in every dialect, plain, signed and sealed, and every checksum agrees."""

import pytest

from tests.interop.relay import relayed
from tests.interop.servers import Configuration
from tests.interop.smbclient import DIALECTS, smbclient
from tests.interop.trees import FULL, QUICK, checksums, emptied, tree_fixture

CONFIGURATION = Configuration({"server min protocol": "SMB2_02", "server signing": "auto"})
REVISIONS = {"SMB2_02": 0x0202, "SMB2_10": 0x0210, "SMB3_00": 0x0300, "SMB3_02": 0x0302, "SMB3_11": 0x0311}
# Sealing came with 3.0.
COMBINATIONS = [
    (dialect, protection)
    for dialect in DIALECTS
    for protection in ("off", "sign", "encrypt")
    if protection != "encrypt" or REVISIONS[dialect] >= 0x0300
]


tree = tree_fixture(QUICK, FULL)


@pytest.mark.parametrize(("dialect", "protection"), COMBINATIONS)
def test_a_tree_is_put_and_got(server, share_path, tree, tmp_path, dialect, protection) -> None:
    root, sums = tree
    how = {"dialect": dialect, "protection": protection, "timeout": 1500}
    with emptied(share_path), emptied(tmp_path / "got") as got:
        smbclient(server, "recurse", "prompt", "mput *", cwd=root, **how)
        assert checksums(share_path) == sums
        smbclient(server, "recurse", "prompt", "mget *", cwd=got, **how)
        assert checksums(got) == sums


@pytest.mark.parametrize(("dialect", "protection"), COMBINATIONS)
def test_messages_are_protected_as_asked(server, dialect, protection) -> None:
    with relayed(server.port) as relay:
        smbclient(server, "ls", dialect=dialect, protection=protection, port=relay.port)
    assert relay.dialect == REVISIONS[dialect]
    kind = {"off": "plain", "sign": "signed", "encrypt": "sealed"}[protection]
    assert relay.seen[kind] >= 6
    assert relay.seen.total() == relay.seen[kind]
