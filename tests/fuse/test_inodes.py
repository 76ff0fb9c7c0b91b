"""What the kernel knows, and forgets."""

import types

import pytest

from gateway.fuse.exports import Mounted
from gateway.fuse.inodes import ROOT, Inodes
from vfs_backends.api import NodeId

pytestmark = pytest.mark.replaces

DEVICE = 2049


def mounted(name: str = "docs") -> Mounted:
    root = types.SimpleNamespace(node_id=NodeId(DEVICE, 2, 1))
    return Mounted(name, types.SimpleNamespace(root=root), lambda token: 0)  # type: ignore[arg-type]  # all that is used


def node(inode: int, generation: int = 1, device: int = DEVICE) -> NodeId:
    return NodeId(device, inode, generation)


@pytest.fixture
def docs() -> Mounted:
    return mounted()


def test_numbers_are_made_of_share_and_inode(docs):
    first, second = Inodes(), Inodes()
    number = first.enter(docs, node(7)).number
    assert number & 0xFFFFFFFFFFFF == 7
    assert number != ROOT
    assert number == second.enter(mounted(), node(7)).number
    assert first.origin(number) == (docs, 7)
    other = mounted("other")
    assert first.enter(other, node(7)).number != number
    assert first.origin(5) is None


def test_shares_whose_names_collide_have_numbers_of_their_own(docs, monkeypatch):
    monkeypatch.setattr("gateway.fuse.inodes.zlib", types.SimpleNamespace(crc32=lambda data: 0xFFFE))
    inodes = Inodes()
    numbers = {inodes.enter(mounted(str(name)), node(7)).number for name in range(5)}
    assert len(numbers) == 5
    assert all(number >> 48 for number in numbers)


def test_what_is_mounted_below_has_other_numbers(docs):
    inodes = Inodes()
    above, below = inodes.enter(docs, node(7)), inodes.enter(docs, node(7, device=99))
    assert above.number != below.number
    # It cannot be found by its number alone.
    assert inodes.origin(below.number) is None


def test_large_inode_numbers_do_not_meet(docs):
    inodes = Inodes()
    numbers = [inodes.enter(docs, node(inode)).number for inode in (1 << 48, 1, (1 << 48) + 5, 4)]
    assert len(set(numbers)) == 4


def test_a_new_life_of_an_inode_keeps_the_count(docs):
    inodes = Inodes()
    root = inodes.enter(docs, node(2))
    former = inodes.enter_child(root, "a", node(7))
    former.lookups += 3
    inodes.remove_name(root, "a")
    later = inodes.enter_child(root, "b", node(7, generation=2))
    assert later is not former
    assert (later.number, later.lookups) == (former.number, 3)
    later.lookups += 1
    inodes.forget(later.number, 3)
    assert inodes.get(later.number) is later
    inodes.forget(later.number, 1)
    assert inodes.get(later.number) is None


def test_paths_follow_the_names(docs):
    inodes = Inodes()
    root = inodes.enter(docs, node(2))
    directory = inodes.enter_child(root, "d", node(3))
    file = inodes.enter_child(directory, "f", node(4))
    assert (root.path(), directory.path(), file.path()) == ("", "d", "d/f")
    inodes.move_name(root, "d", root, "e")
    assert file.path() == "e/f"
    assert inodes.enter_child(root, "link", node(4)) is file
    assert list(file.paths()) == ["link", "e/f"]
    inodes.remove_name(root, "link")
    assert list(file.paths()) == ["e/f"]
    other = inodes.enter_child(root, "other", node(5))
    inodes.move_name(directory, "f", root, "other")
    assert file.path() == "other"
    assert other.path() is None
    # Somebody else has replaced it.
    assert inodes.enter_child(root, "other", node(6)).path() == "other"
    assert file.path() is None
    assert list(file.paths()) == []


def test_nothing_stays_of_what_is_forgotten(docs):
    inodes = Inodes()
    root = inodes.enter(docs, node(2))
    root.lookups = 1
    children = [inodes.enter_child(root, str(number), node(number)) for number in range(10, 20)]
    for child in children:
        child.lookups = 2
    for child in children:
        inodes.forget(child.number, 2)
    inodes.forget(root.number, 1)
    inodes.forget(root.number, 1)
    assert len(inodes) == 0
    assert not inodes._by_name
    assert not inodes._by_node


def test_what_is_open_is_not_forgotten(docs):
    inodes = Inodes()
    file = inodes.enter(docs, node(4))
    file.opens.append("an open")  # type: ignore[arg-type]  # it is only counted
    file.lookups = 1
    inodes.forget(file.number, 1)
    assert inodes.get(file.number) is file
    file.opens.clear()
    inodes.release(file)
    assert inodes.get(file.number) is None
    assert inodes.revive(file) is file
    assert inodes.get(file.number) is file
    assert inodes.revive(file) is file
