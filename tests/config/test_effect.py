"""The list of parameters without effect, compared with what the server reads."""

import ast
from pathlib import Path

from gateway.config.effect import MEANINGLESS, NOT_YET, remark
from gateway.config.load import GLOBAL_TABLE, SHARE_TABLE

GATEWAY = Path(__file__).parents[2] / "gateway"


def attributes_read():
    """The names of all attributes that the modules read which are handed a configuration."""
    names = set()
    for path in GATEWAY.rglob("*.py"):
        if path.is_relative_to(GATEWAY / "config") or path.is_relative_to(GATEWAY / "cli"):
            continue
        tree = ast.parse(path.read_text())
        modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        if any(module.startswith("gateway.config") for module in modules):
            names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names


# Read by way of `Config.state_path`, `Config.accounts_path` and `ShareConfig.directory`.
INDIRECT = {"smb passwd file", "state directory"}


def test_what_is_not_read_has_no_effect():
    read = attributes_read()
    unread = {p.name for p in (*GLOBAL_TABLE, *SHARE_TABLE) if p.field not in read} - INDIRECT
    assert unread == NOT_YET | set(MEANINGLESS)


def test_remarks():
    assert remark("tcp port") is None
    assert remark("ipc timeout") == MEANINGLESS["ipc timeout"]
    assert all(remark(name) == "is accepted but has no effect yet" for name in NOT_YET)
