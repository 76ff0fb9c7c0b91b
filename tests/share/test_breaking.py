"""What breaks oplocks and leases, and who waits."""

import pytest

from acl.mask import (
    DELETE,
    FILE_EXECUTE,
    FILE_READ_ATTRIBUTES,
    FILE_READ_DATA,
    FILE_READ_EA,
    FILE_WRITE_ATTRIBUTES,
    FILE_WRITE_DATA,
    FILE_WRITE_EA,
    READ_CONTROL,
    SYNCHRONIZE,
    WRITE_DAC,
    WRITE_OWNER,
)
from gateway.nt.status import STATUS_DELETE_PENDING, STATUS_INVALID_PARAMETER, STATUS_SHARING_VIOLATION
from gateway.share.breaking import NO_CONFLICT, admit, break_for_outside
from gateway.share.closing import set_delete_pending
from gateway.share.leases import BATCH, HANDLE_CACHING, READ_CACHING
from gateway.share.record import EMPTY, FileRecord, LeaseEntry, OpenEntry
from tests.share.one_file import ACCESS, NODE, OneFile, key_of, said

A = ("client", key_of("a"), 0)

HELD = [
    # held, after an open, an overwrite, a sharing violation, a change of contents, of the name: "" is nothing left
    ({"lease": "R", "key": "a"}, "R", "", "R", "", "R"),
    ({"lease": "RH", "key": "a"}, "RH", "", "R", "", "R"),
    ({"lease": "RW", "key": "a"}, "R", "", "RW", "", "RW"),
    ({"lease": "RWH", "key": "a"}, "RH", "", "RW", "", "RW"),
    ({"oplock": "s"}, "R", "", "R", "", "R"),
    ({"oplock": "x"}, "R", "", "RW", "", "RW"),
    ({"oplock": "b"}, "R", "", "R", "", "R"),
]


def start(how) -> tuple[OneFile, str, str]:
    file = OneFile()
    state = file.open(**how).state
    return file, state, "a" if "key" in how else "1"


@pytest.mark.parametrize(("how", "left"), [(row[0], row[1]) for row in HELD])
def test_open(how, left) -> None:
    file, held, name = start(how)
    opened = file.open()
    assert opened.told() == ([(name, held, left)] if held != left else [])
    assert bool(opened.waiting) == ("W" in held)
    assert all(one.acknowledge for one in opened.breaks)


@pytest.mark.parametrize(("how", "left"), [(row[0], row[2]) for row in HELD])
def test_overwrite(how, left) -> None:
    file, held, name = start(how)
    opened = file.open(overwrite=True)
    assert opened.told() == [(name, held, left)]
    assert bool(opened.waiting) == ("W" in held)
    assert opened.breaks[0].acknowledge == (held != "R")


@pytest.mark.parametrize(("how", "left"), [(row[0], row[3]) for row in HELD])
def test_sharing_violation(how, left) -> None:
    file, held, name = start(how)
    opened = file.open(share=0)
    if held == left:
        assert (opened.status, opened.breaks) == (STATUS_SHARING_VIOLATION, ())
        return
    assert (opened.status, opened.told()) == (0, [(name, held, left)])
    assert opened.waiting
    assert file.open(share=0, waited=True).breaks == ()
    file.obey(opened.breaks)
    assert file.open(share=0, waited=True).status == STATUS_SHARING_VIOLATION


def test_sharing_violation_is_avoided_by_closing() -> None:
    file = OneFile()
    file.open("RWH", "a", share=0)
    assert file.open().waiting
    file.close(1)
    assert file.open(waited=True).open_id


def test_the_own_lease_does_not_help_against_a_sharing_violation() -> None:
    file = OneFile()
    file.open("RWH", "a", share=0)
    second = file.open("RWH", "a")
    assert (second.status, second.breaks) == (STATUS_SHARING_VIOLATION, ())


def test_the_handle_of_a_stream_is_asked_for_when_the_file_is_to_be_deleted() -> None:
    file = OneFile()
    file.open("RH", "a", stream=":s", share=3)
    opened = file.open(access=DELETE)
    assert (opened.told(), opened.waiting) == ([("a", "RH", "R")], (A,))


def test_broken_twice() -> None:
    file = OneFile()
    file.open("RWH", "a", epoch=0x11)
    refused = file.open_patiently("RWH", "b", share=1, epoch=0x22)
    assert (refused.status, refused.told()) == (STATUS_SHARING_VIOLATION, [("a", "RWH", "RW")])
    assert refused.breaks[0].epoch == 0x13
    opened = file.open_patiently("RWH", "b", epoch=0x22)
    assert (opened.state, opened.granted.epoch) == ("RH", 0x23)
    assert (opened.told(), opened.breaks[0].epoch) == ([("a", "RW", "R")], 0x14)


def test_delete_pending_breaks_nothing() -> None:
    file = OneFile()
    file.open(oplock="b", access=ACCESS | DELETE)
    file.table.transact_nowait(NODE, lambda record: (set_delete_pending(record or EMPTY, 1, "alice"), None))
    opened = file.open()
    assert (opened.status, opened.breaks) == (STATUS_DELETE_PENDING, ())


STAT = {FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES, SYNCHRONIZE}
NO_STAT = {
    FILE_READ_DATA,
    FILE_WRITE_DATA,
    FILE_READ_EA,
    FILE_WRITE_EA,
    FILE_EXECUTE,
    DELETE,
    WRITE_DAC,
    WRITE_OWNER,
    FILE_READ_ATTRIBUTES | FILE_READ_DATA,
}


@pytest.mark.parametrize(
    ("how", "stat"),
    [({"lease": "RWH", "key": "a"}, STAT | {READ_CONTROL}), ({"oplock": "b"}, STAT)],
)
def test_stat_opens_break_nothing(how, stat) -> None:
    for access in NO_STAT | STAT | {READ_CONTROL}:
        file, _, _ = start(how)
        assert bool(file.open(access=access).breaks) == (access not in stat), hex(access)
    file, _, name = start(how)
    assert file.open(access=FILE_READ_ATTRIBUTES, overwrite=True).told() == [(name, "RWH", "")]


def test_a_stat_open_holds_and_is_broken() -> None:
    file = OneFile()
    file.open(oplock="b", access=FILE_READ_ATTRIBUTES)
    opened = file.open_patiently(oplock="b")
    assert (opened.told(), opened.state) == ([("1", "RWH", "R")], "R")


def test_overwriting_gets_level_ii() -> None:
    file = OneFile()
    file.open(oplock="x")
    opened = file.open_patiently(oplock="s", access=FILE_READ_ATTRIBUTES, overwrite=True)
    assert (opened.told(), opened.state) == ([("1", "RW", "")], "R")


def test_opening_for_deletion_takes_the_handle() -> None:
    file = OneFile()
    file.open("RH", "a")
    opened = file.open(access=DELETE, doc=True)
    assert (opened.told(), opened.waiting) == ([("a", "RH", "R")], (A,))
    file = OneFile()
    file.open("RWH", "a")
    assert file.open(access=DELETE, doc=True).told() == [("a", "RWH", "R")]


@pytest.mark.parametrize(("how", "left"), [(row[0], row[4]) for row in HELD])
def test_write_by_another(how, left) -> None:
    file, _, name = start(how)
    second = file.open_patiently()
    now = "".join(sorted(set(file.holds("a") or file.level(1))))
    conflict = file.write(second.open_id)
    assert conflict.wait_for == ()
    assert [(who, "".join(sorted(old)), new) for who, old, new in said(conflict.breaks)] == [(name, now, left)]
    assert conflict.breaks[0].acknowledge == ("H" in now)


@pytest.mark.parametrize("how", [row[0] for row in HELD])
def test_write_by_oneself(how) -> None:
    """Only a level II is broken by its own open."""
    file, _, name = start(how)
    conflict = file.write(1)
    assert said(conflict.breaks) == ([(name, "R", "")] if how == {"oplock": "s"} else [])
    assert conflict.wait_for == ()


def test_write_breaks_all_level_ii() -> None:
    file = OneFile()
    file.open(oplock="b")
    second = file.open_patiently(oplock="b")
    assert said(file.write(1).breaks) == [("1", "R", ""), (str(second.open_id), "R", "")]
    assert file.write(1) == NO_CONFLICT
    assert file.record is not None
    assert file.record.leases == ()


def test_write_through_another_open_of_the_lease() -> None:
    file = OneFile()
    file.open("R", "a")
    file.open("R", "b")
    second = file.open("R", "a")
    assert said(file.write(second.open_id).breaks) == [("b", "R", "")]
    # What was broken can be had again.
    assert file.open("R", "b").state == "R"
    assert said(file.write(2).breaks) == [("a", "R", "")]


def test_write_to_another_stream() -> None:
    file = OneFile()
    file.open("R", "a")
    second = file.open(stream=":s")
    assert file.write(second.open_id) == NO_CONFLICT
    assert file.write(99) == NO_CONFLICT


def test_write_waits_for_what_was_not_written_yet() -> None:
    file = OneFile()
    file.open("RWH", "a", access=FILE_READ_ATTRIBUTES)
    second = file.open(access=FILE_READ_ATTRIBUTES)
    conflict = file.write(second.open_id)
    assert (said(conflict.breaks), conflict.wait_for) == ([("a", "RWH", "")], (A,))
    assert file.write(second.open_id, waited=True) == ((), (A,))
    file.obey(conflict.breaks)
    assert file.write(second.open_id, waited=True) == NO_CONFLICT


def test_read() -> None:
    file = OneFile()
    file.open("RWH", "a")
    second = file.open(access=FILE_READ_ATTRIBUTES)
    assert file.read(1) == NO_CONFLICT
    assert file.read(99) == NO_CONFLICT
    conflict = file.read(second.open_id)
    assert (said(conflict.breaks), conflict.wait_for) == ([("a", "RWH", "RH")], (A,))
    file.obey(conflict.breaks)
    assert file.read(second.open_id, waited=True) == NO_CONFLICT


@pytest.mark.parametrize(("how", "left"), [(row[0], row[5]) for row in HELD])
def test_rename_by_another(how, left) -> None:
    for has_it_open in (True, False):
        file, held, name = start(how)
        second = file.open(access=FILE_READ_ATTRIBUTES)
        by = second.open_id if has_it_open else None
        conflict = file.rename(by)
        assert said(conflict.breaks) == ([(name, held, left)] if held != left else [])
        assert bool(conflict.wait_for) == bool(conflict.breaks)
        file.obey(conflict.breaks)
        assert file.rename(by, waited=True) == NO_CONFLICT


def test_rename_by_the_holder() -> None:
    for how, *_ in HELD:
        file, _, _ = start(how)
        assert file.rename(1) == NO_CONFLICT


def test_rename_concerns_the_streams_of_a_file() -> None:
    file = OneFile()
    file.open("RH", "a", stream=":s")
    base = file.open(access=FILE_READ_ATTRIBUTES)
    other = file.open(access=FILE_READ_ATTRIBUTES, stream=":t")
    assert file.rename(other.open_id) == NO_CONFLICT
    assert said(file.rename(base.open_id).breaks) == [("a", "RH", "R")]


def test_one_break_for_all_that_conflict() -> None:
    file = OneFile()
    file.open("RWH", "a")
    assert len(file.open().breaks) == 1
    second = file.open()
    assert (second.breaks, second.waiting) == ((), (A,))


def test_who_comes_during_a_break_that_does_not_concern_it_goes_on() -> None:
    """RH is broken to nothing for an overwrite that does not wait; nor does the next one."""
    file = OneFile()
    file.open("RH", "a")
    assert file.open(overwrite=True).open_id
    second = file.open(overwrite=True)
    assert second.open_id
    assert second.breaks == ()
    state = file.open("", "a")
    assert (state.state, state.granted.breaking) == ("RH", True)
    assert file.acknowledge(A, 0) == (0, 0, None)


def test_a_lease_key_is_for_one_stream() -> None:
    file = OneFile()
    file.open("R", "a")
    assert file.open("R", "a", stream=":s").status == STATUS_INVALID_PARAMETER
    assert file.open("R", "a", owner="other", stream=":s").status == 0
    assert admit(None, OpenEntry(1, "client", ACCESS, 7, lease_key=key_of("a")))[1].status == 0


# --- directories


def test_directory_change() -> None:
    file = OneFile()
    file.open("RH", "a", directory=True, epoch=0x22)
    conflict = file.change_entry("client")
    assert (said(conflict.breaks), conflict.wait_for) == ([("a", "RH", "")], ())
    assert (conflict.breaks[0].acknowledge, conflict.breaks[0].epoch) == (True, 0x24)
    assert file.change_entry("client") == NO_CONFLICT
    file.obey(conflict.breaks)
    again = file.open("RWH", "a", directory=True, epoch=0x222)
    assert (again.state, again.granted.epoch) == ("RH", 0x25)


def test_directory_change_by_who_knows() -> None:
    file = OneFile()
    file.open("RH", "a", directory=True)
    file.open("R", "b", directory=True)
    file.open("R", "a", directory=True, owner="other")
    conflict = file.change_entry("client", "a")
    assert {one.holder[:2] for one in conflict.breaks} == {("client", key_of("b")), ("other", key_of("a"))}
    assert file.holds("a") == "RH"


def test_directory_change_with_nobody_there() -> None:
    file = OneFile()
    file.open(directory=True)
    assert file.change_entry("client") == NO_CONFLICT


def test_nothing_changes_without_leases() -> None:
    file = OneFile()
    file.open()
    before = file.record
    for conflict in (file.write(1), file.read(1), file.rename(1), file.rename(None)):
        assert conflict == NO_CONFLICT
    assert file.record is before


def test_a_third_reader_is_not_waited_for() -> None:
    file = OneFile()
    file.open("RWH", "a")
    first = file.open_patiently("RH", "b")
    third = file.open("RH", "c")
    assert (first.state, third.state, third.breaks) == ("RH", "RH", ())
    assert len(file.write(1).breaks) == 2


@pytest.mark.parametrize(
    ("state", "is_whole", "reads", "left", "waits"),
    [
        (BATCH, False, True, READ_CACHING | HANDLE_CACHING, True),
        (BATCH, True, True, 0, True),
        (BATCH, False, False, 0, True),
        (READ_CACHING | HANDLE_CACHING, False, True, READ_CACHING | HANDLE_CACHING, False),
        (READ_CACHING | HANDLE_CACHING, False, False, 0, False),
        (READ_CACHING, False, False, 0, False),
    ],
)
def test_somebody_who_does_not_ask(state, is_whole, reads, left, waits):
    lease = LeaseEntry("client", b"k" * 16, 0, "", state, version=2, is_whole=is_whole)
    stream = lease._replace(key=b"s" * 16, stream="STREAM")
    record, conflict = break_for_outside(FileRecord(leases=(lease, stream)), reads=reads)
    changed = record.leases[0]
    assert (changed.state if changed.breaking_to is None else changed.breaking_to) == left
    assert bool(conflict.wait_for) == waits
    assert record.leases[1] == stream
