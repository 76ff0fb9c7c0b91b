"""Watches, without any storage."""

from types import SimpleNamespace

import trio
from trio.testing import wait_all_tasks_blocked

from gateway.nt.constants import (
    FILE_ACTION_ADDED,
    FILE_ACTION_MODIFIED,
    FILE_NOTIFY_CHANGE_DIR_NAME,
    FILE_NOTIFY_CHANGE_FILE_NAME,
    FILE_NOTIFY_CHANGE_SIZE,
)
from gateway.share.notify import Change, Watch, Watches
from gateway.smb.info.notify import pack_changes


def watch(path, what=FILE_NOTIFY_CHANGE_FILE_NAME, *, recursive=False):
    return Watch(SimpleNamespace(path=path), what, 1000, recursive=recursive)


def test_only_what_is_asked_for_where_it_is_asked_for():
    watches = Watches()
    root, tree, other = watch(""), watch("a", recursive=True), watch("b")
    for one in (root, tree, other):
        watches.add(one)
    watches.tell("x", FILE_ACTION_ADDED, FILE_NOTIFY_CHANGE_FILE_NAME)
    watches.tell("a/b/c", FILE_ACTION_ADDED, FILE_NOTIFY_CHANGE_FILE_NAME)
    watches.tell("a/d", FILE_ACTION_ADDED, FILE_NOTIFY_CHANGE_DIR_NAME)
    watches.tell("", FILE_ACTION_MODIFIED, FILE_NOTIFY_CHANGE_FILE_NAME)
    assert root.take() == [Change(FILE_ACTION_ADDED, "x")]
    assert tree.take() == [Change(FILE_ACTION_ADDED, "b/c")]
    assert other.take() == []


def test_removed_and_moved():
    watches = Watches()
    one = watch("a")
    watches.add(one)
    one.one.path = "z"
    watches.moved()
    watches.tell("a/x", FILE_ACTION_ADDED, FILE_NOTIFY_CHANGE_FILE_NAME)
    watches.tell("z/x", FILE_ACTION_ADDED, FILE_NOTIFY_CHANGE_FILE_NAME)
    assert one.take() == [Change(FILE_ACTION_ADDED, "x")]
    watches.remove(one)
    assert not watches
    watches.remove(one)


def test_repetitions_and_floods():
    one = watch("", FILE_NOTIFY_CHANGE_SIZE)
    for _ in range(3):
        one.add([Change(FILE_ACTION_MODIFIED, "f")])
    assert one.take() == [Change(FILE_ACTION_MODIFIED, "f")]
    for number in range(5000):
        one.add([Change(FILE_ACTION_MODIFIED, str(number))])
    assert one
    assert one.take() is None
    assert not one
    assert one.take() == []


async def test_waiting():
    one = watch("")
    answers = []

    async def wait(ticket):
        try:
            answers.append((ticket, await one.happened(ticket)))
        finally:
            one.leave(ticket)

    first, second, third = (Change(FILE_ACTION_ADDED, name) for name in "fgh")
    async with trio.open_nursery() as nursery:
        for ticket in (7, 3, 7):
            one.line_up(ticket)
        nursery.start_soon(wait, 3)
        nursery.start_soon(wait, 7)
        await wait_all_tasks_blocked()
        assert one.is_awaited
        one.add([first])
        one.add([second])
        one.add([third])
    assert sorted(answers) == [(3, [second]), (7, [first])]
    assert not one.is_awaited
    assert one.take() == [third]


async def test_who_comes_late_has_it_at_once():
    one = watch("")
    one.add([Change(FILE_ACTION_ADDED, "f")])
    one.line_up(1)
    assert await one.happened(1) == [Change(FILE_ACTION_ADDED, "f")]
    one.leave(1)
    one.line_up(2)
    one.doom()
    assert await one.happened(2) == []
    one.leave(2)


def test_an_answer_that_nobody_fetches():
    one = watch("")
    one.line_up(1)
    one.add([Change(FILE_ACTION_ADDED, "f")])
    one.add([Change(FILE_ACTION_ADDED, "g")])
    one.leave(1)
    assert one.take() == [Change(FILE_ACTION_ADDED, "f"), Change(FILE_ACTION_ADDED, "g")]
    for number in range(5000):
        one.add([Change(FILE_ACTION_MODIFIED, str(number))])
    one.line_up(2)
    one.leave(2)
    assert one.take() is None


def test_told_in_another_way():
    watches = Watches()
    names, sizes = watch("", FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_FILE_NAME), watch("", FILE_NOTIFY_CHANGE_SIZE)
    watches.add(names)
    watches.add(sizes)
    watches.tell("f", FILE_ACTION_MODIFIED, FILE_NOTIFY_CHANGE_SIZE, unless=FILE_NOTIFY_CHANGE_FILE_NAME)
    assert names.take() == []
    assert sizes.take() == [Change(FILE_ACTION_MODIFIED, "f")]


def test_packing():
    packed = pack_changes([Change(FILE_ACTION_ADDED, "a/b"), Change(FILE_ACTION_MODIFIED, "c")], 100)
    assert packed == (
        b"\x14\0\0\0\1\0\0\0\6\0\0\0" + "a\\b".encode("utf-16-le") + b"\0\0" + b"\0\0\0\0\3\0\0\0\2\0\0\0" + b"c\0"
    )
    assert pack_changes([Change(FILE_ACTION_ADDED, "abc")], 17) is None
    assert pack_changes([], 0) == b""
