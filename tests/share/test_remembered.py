"""What is known of a file counts for the version it was found out of, and no other."""

from gateway.share.remembered import Remembered
from vfs_backends.api import NodeId, Stat

SECOND = 1_000_000_000


def told(version: int = 10 * SECOND, inode: int = 2, device: int = 1, generation: int = 3) -> Stat:
    return Stat(NodeId(device, inode, generation), 0o100644, 1, 0, 0, 0, 0, 0, 0, 0, 0, version=version)


STAT = told()


def test_it_holds_until_the_file_changes() -> None:
    known: Remembered[int] = Remembered(8)
    known.keep(STAT, 0, 11 * SECOND)
    assert known.get(STAT) == 0
    assert known.get(told(10 * SECOND + 1)) is None
    assert known.get(told(inode=4)) is None
    assert known.get(told(device=2)) is None
    assert known.get(told(generation=4)) is None
    known.forget(STAT.node_id)
    assert known.get(STAT) is None


def test_what_may_change_within_the_same_tick_is_not_kept() -> None:
    known: Remembered[int] = Remembered(8)
    known.keep(STAT, 1, STAT.version + 1_000_000)
    assert known.get(STAT) is None
    unknown = told(0)
    known.keep(unknown, 1, 11 * SECOND)
    assert known.get(unknown) is None, "the storage cannot tell versions"


def test_it_is_bounded() -> None:
    known: Remembered[int] = Remembered(8)
    stats = [told(inode=number) for number in range(100)]
    for number, stat in enumerate(stats):
        known.keep(stat, number, 11 * SECOND)
    kept = [number for number, stat in enumerate(stats) if known.get(stat) == number]
    assert 0 < len(kept) <= 8
    assert kept[-1] == 99
