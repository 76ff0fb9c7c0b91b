"""What is granted, and how breaks end."""

import pytest

from acl.mask import FILE_READ_ATTRIBUTES, FILE_WRITE_DATA, READ_CONTROL, SYNCHRONIZE
from gateway.nt.status import (
    STATUS_INVALID_OPLOCK_PROTOCOL,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_UNSUCCESSFUL,
)
from gateway.share.leases import Acknowledged, LeaseRequest, expire, grant, is_stat_open
from gateway.share.record import EMPTY, LockEntry, with_locks
from tests.share.one_file import NODE, OneFile, bits, key_of, letters


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [("", ""), ("R", "R"), ("H", ""), ("W", ""), ("RH", "RH"), ("RW", "RW"), ("HW", ""), ("RHW", "RWH")],
)
def test_request(wanted, granted) -> None:
    file = OneFile()
    opened = file.open(wanted, "a")
    assert opened.state == granted
    assert opened.granted.version == 2
    # There is a lease now, even if it is worth nothing yet.
    assert file.holds("a") == granted


@pytest.mark.parametrize(
    ("wanted", "granted"), [("RWH", "RH"), ("RW", "R"), ("RH", "RH"), ("R", "R"), ("H", ""), ("W", "")]
)
def test_request_on_a_directory(wanted, granted) -> None:
    assert OneFile().open(wanted, "a", directory=True).state == granted


def test_only_leases_of_version_2_are_for_directories() -> None:
    assert OneFile().open("RH", "a", directory=True, version=1).state == ""
    assert OneFile().open(oplock="b", directory=True).state == ""


HELD = ["", "R", "RH", "RW", "RWH"]


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("wanted", HELD)
def test_upgrade_alone(held, wanted) -> None:
    """A lease grows to what is asked for if that is strictly more than it is, and never shrinks."""
    file = OneFile()
    file.open(held, "a", epoch=5)
    second = file.open(wanted, "a", epoch=900)
    grows = set(held) < set(wanted)
    assert second.state == (wanted if grows else held)
    assert second.granted.epoch == (7 if grows else 6)
    assert not second.breaks


@pytest.mark.parametrize("other", ["R", "RH"])
@pytest.mark.parametrize("wanted", ["", "R", "RW", "RH", "RWH"])
@pytest.mark.parametrize("held", ["R", "RH"])
def test_upgrade_beside_another(held, other, wanted) -> None:
    """It grows only if all of it can be had."""
    file = OneFile()
    file.open(held, "a")
    assert file.open(other, "b").state == other
    third = file.open(wanted, "a")
    assert third.state == ("RH" if "RH" in (held, wanted) else "R")
    assert not third.breaks
    assert file.holds("b") == other


def test_a_lease_of_nothing_takes_what_it_can_get() -> None:
    file = OneFile()
    file.open("", "a")
    file.open("R", "b")
    assert file.open("RWH", "a").state == "RH"


def test_an_upgraded_directory_lease() -> None:
    file = OneFile()
    file.open("R", "a", directory=True)
    assert file.open("RWH", "a", directory=True).state == "RH"


BREAKS = [
    ("R", "R", "R", "R"),
    ("R", "RH", "R", "RH"),
    ("R", "RW", "R", "R"),
    ("R", "RWH", "R", "RH"),
    ("RH", "R", "RH", "R"),
    ("RH", "RH", "RH", "RH"),
    ("RH", "RW", "RH", "R"),
    ("RH", "RWH", "RH", "RH"),
    ("RW", "R", "R", "R"),
    ("RW", "RH", "R", "RH"),
    ("RW", "RW", "R", "R"),
    ("RW", "RWH", "R", "RH"),
    ("RWH", "R", "RH", "R"),
    ("RWH", "RH", "RH", "RH"),
    ("RWH", "RW", "RH", "R"),
    ("RWH", "RWH", "RH", "RH"),
]


@pytest.mark.parametrize(("held", "wanted", "left", "granted"), BREAKS)
def test_two_leases(held, wanted, left, granted) -> None:
    file = OneFile()
    file.open(held, "a")
    second = file.open_patiently(wanted, "b")
    assert second.state == granted
    assert file.holds("a") == left
    assert second.told() == ([("a", held, left)] if held != left else [])
    again = file.open_patiently("RWH", "a")
    assert (again.state, again.breaks) == (left, ())


@pytest.mark.parametrize("held", ["R", "RH", "RW", "RWH"])
@pytest.mark.parametrize("wanted", ["s", "x", "b"])
def test_an_oplock_beside_a_lease(held, wanted) -> None:
    file = OneFile()
    file.open(held, "a")
    second = file.open_patiently(oplock=wanted)
    left = held.replace("W", "")
    assert file.holds("a") == left
    assert second.state == ("" if "H" in left else "R")


@pytest.mark.parametrize(("held", "levels"), [("s", "R"), ("x", "RW"), ("b", "RWH")])
@pytest.mark.parametrize("wanted", ["R", "RH", "RW", "RWH"])
def test_a_lease_beside_an_oplock(held, levels, wanted) -> None:
    file = OneFile()
    first = file.open(oplock=held)
    assert first.state == levels
    second = file.open_patiently(wanted, "a")
    assert second.state == "R"
    assert second.told() == ([] if held == "s" else [("1", levels, "R")])
    assert file.level(1) == "R"


def test_an_open_without_any_leaves_no_room_for_writing() -> None:
    for wanted, granted in (("x", "R"), ("b", "R")):
        file = OneFile()
        file.open()
        assert file.open(oplock=wanted).state == granted
    file = OneFile()
    file.open()
    assert file.open("RWH", "a").state == "RH"


@pytest.mark.parametrize("kind", [{"oplock": "b"}, {"lease": "RWH", "key": "a"}])
def test_a_stat_open_leaves_room_for_everything(kind) -> None:
    file = OneFile()
    file.open(access=FILE_READ_ATTRIBUTES)
    assert file.open(**kind, access=FILE_WRITE_DATA).state == "RWH"


def test_a_stat_open_may_have_everything_but_gets_nothing_beside_a_writer() -> None:
    file = OneFile()
    assert file.open(oplock="b", access=FILE_READ_ATTRIBUTES).state == "RWH"
    second = file.open(oplock="b", access=FILE_READ_ATTRIBUTES)
    assert (second.state, second.breaks) == ("", ())


@pytest.mark.parametrize("held", [{"oplock": "x"}, {"lease": "RW", "key": "a"}])
@pytest.mark.parametrize("wanted", [{"oplock": "s"}, {"lease": "R", "key": "b"}, {"lease": "RWH", "key": "b"}])
def test_nothing_beside_an_unbroken_writer(held, wanted) -> None:
    file = OneFile()
    file.open(**held)
    assert file.open(**wanted, access=FILE_READ_ATTRIBUTES).state == ""


@pytest.mark.parametrize(
    ("access", "version", "expected"),
    [
        (FILE_READ_ATTRIBUTES | SYNCHRONIZE, 0, True),
        (READ_CONTROL, 0, False),
        (READ_CONTROL, 1, True),
        (FILE_WRITE_DATA, 1, False),
    ],
)
def test_stat_access(access, version, expected) -> None:
    assert is_stat_open(access, version) is expected


def test_locks_leave_no_room_for_sharing() -> None:
    file = OneFile()
    one = file.open()
    lock = LockEntry(one.open_id, 0, 1, True)
    file.table.transact_nowait(NODE, lambda record: (with_locks(record or EMPTY, (lock,), ()), None))
    assert file.open("RH", "a").state == ""
    assert file.open(oplock="s").state == ""
    assert file.open("RH", "b", stream=":s").state == "RH"


def test_streams_are_separate() -> None:
    file = OneFile()
    assert file.open("RWH", "a").state == "RWH"
    second = file.open("RWH", "b", stream=":s")
    assert (second.state, second.breaks) == ("RWH", ())


def test_owners_are_separate() -> None:
    file = OneFile()
    file.open("RWH", "a")
    second = file.open("RWH", "a", owner="other")
    assert second.told() == [("a", "RWH", "RH")]


def test_the_version_is_that_of_the_first_open() -> None:
    file = OneFile()
    file.open("R", "a", version=1, epoch=9)
    second = file.open("RW", "a", version=2, epoch=9)
    assert second.granted[:3] == (bits("RW"), 1, 0)
    file = OneFile()
    file.open("R", "a", version=2, epoch=9)
    assert file.open("RW", "a", version=1).granted[:3] == (bits("RW"), 2, 11)


def test_the_epoch_wraps() -> None:
    assert OneFile().open("R", "a", epoch=0xFFFF).granted.epoch == 0


def test_nothing_for_an_open_that_is_not_there() -> None:
    assert grant(EMPTY, 1, LeaseRequest(7))[1].state == 0


# --- the end of a break


def breaking(held: str = "RWH", **how) -> tuple[OneFile, tuple[str, bytes, int]]:
    """A lease that is being broken by a second open."""
    file = OneFile()
    file.open(held, "a", epoch=0x11)
    opened = file.open(**how)
    assert opened.waiting == (("client", key_of("a"), 0),)
    return file, ("client", key_of("a"), 0)


@pytest.mark.parametrize("kept", ["RH", "R", ""])
def test_acknowledge(kept) -> None:
    file, holder = breaking()
    assert file.acknowledge(holder, bits(kept)) == Acknowledged(0, bits(kept))
    assert file.holds("a") == kept
    assert file.open(waited=True).open_id
    assert file.acknowledge(holder, bits(kept)).status == STATUS_UNSUCCESSFUL


def test_acknowledge_with_a_handle_only() -> None:
    file, holder = breaking()
    assert file.acknowledge(holder, bits("H")) == Acknowledged(0, 0)
    assert file.holds("a") == ""


@pytest.mark.parametrize("kept", ["RWH", "RW", "WH", "RH", "W", "H", "R"])
def test_acknowledge_with_too_much(kept) -> None:
    file, holder = breaking(overwrite=True)
    assert file.acknowledge(holder, bits(kept)).status == STATUS_REQUEST_NOT_ACCEPTED
    assert file.open(overwrite=True, waited=True).waiting
    assert file.acknowledge(holder, 0).status == 0


def test_acknowledge_what_there_is_not() -> None:
    file = OneFile()
    file.open("R", "a")
    assert file.acknowledge(("client", key_of("b"), 0), 0).status == STATUS_OBJECT_NAME_NOT_FOUND
    assert file.acknowledge(("client", key_of("a"), 0), 0).status == STATUS_UNSUCCESSFUL
    assert file.acknowledge(("client", b"", 1), 0).status == STATUS_INVALID_OPLOCK_PROTOCOL
    assert OneFile().acknowledge(("client", b"", 1), 0).status == STATUS_INVALID_OPLOCK_PROTOCOL


@pytest.mark.parametrize("kept", ["R", ""])
def test_acknowledge_an_oplock(kept) -> None:
    file = OneFile()
    file.open(oplock="b")
    assert file.open().told() == [("1", "RWH", "R")]
    assert file.acknowledge(("client", b"", 1), bits(kept)).status == 0
    assert file.level(1) == kept
    assert file.acknowledge(("client", b"", 1), bits(kept)).status == STATUS_INVALID_OPLOCK_PROTOCOL


def test_an_oplock_that_is_not_given_back_is_lost() -> None:
    file = OneFile()
    file.open(oplock="b")
    file.open()
    assert file.acknowledge(("client", b"", 1), bits("RW")).status == STATUS_INVALID_OPLOCK_PROTOCOL
    assert file.level(1) == ""
    assert file.open(waited=True).open_id


def test_the_own_lease_is_usable_during_a_break() -> None:
    file, _ = breaking()
    again = file.open("RWH", "a")
    assert (again.state, again.granted.breaking, again.granted.epoch) == ("RWH", True, 0x13)
    assert not again.breaks


def test_what_comes_up_during_a_break_follows_it() -> None:
    """RWH is broken to RH for one open, and meanwhile another one overwrites: first the handle goes, then the rest."""
    file, holder = breaking()
    third = file.open(overwrite=True)
    assert third.waiting == (holder,)
    assert third.breaks == ()

    following = file.acknowledge(holder, bits("RH")).following
    assert following is not None
    assert (letters(following.old_state), letters(following.new_state)) == ("RH", "R")
    assert (following.acknowledge, following.epoch) == (True, 0x13)
    assert file.open("RWH", "a").granted[::3] == (bits("RH"), True)
    assert file.open(waited=True).waiting == (holder,)
    assert file.open(overwrite=True, waited=True).waiting == (holder,)

    following = file.acknowledge(holder, bits("R")).following
    assert following is not None
    assert (letters(following.old_state), letters(following.new_state)) == ("R", "")
    assert (following.acknowledge, following.epoch) == (False, 0x13)
    assert file.holds("a") == ""
    assert file.open(waited=True).open_id
    assert file.open(overwrite=True, waited=True).breaks == ()


def test_a_double_break_of_an_oplock() -> None:
    file = OneFile()
    file.open(oplock="x")
    assert file.open().told() == [("1", "RW", "R")]
    assert file.open(overwrite=True).waiting
    following = file.acknowledge(("client", b"", 1), bits("R")).following
    assert following is not None
    assert (following.new_state, following.acknowledge) == (0, False)
    assert file.level(1) == ""


def test_giving_up_less_than_what_follows_is_asked_again() -> None:
    file, holder = breaking()
    file.open(overwrite=True)
    assert file.acknowledge(holder, 0) == Acknowledged(0, 0)
    assert file.holds("a") == ""


def test_expire() -> None:
    file, holder = breaking()
    file.expire(holder)
    assert file.holds("a") == ""
    assert file.acknowledge(holder, bits("RH")).status == STATUS_UNSUCCESSFUL
    opened = file.open("RWH", "b", waited=True)
    assert opened.state == "RH"
    # The old handle stays good, and what it writes breaks the new lease.
    assert [one.new_state for one in file.write(1).breaks] == [0]


def test_expire_an_oplock() -> None:
    file = OneFile()
    file.open(oplock="b")
    file.open(oplock="b")
    file.expire(("client", b"", 1))
    assert file.level(1) == ""
    assert file.open(oplock="b", waited=True).state == "R"


def test_expire_what_does_not_break() -> None:
    file = OneFile()
    file.open("R", "a")
    file.expire(("client", key_of("a"), 0))
    assert file.holds("a") == "R"
    assert expire(None, ("client", b"", 1)) is None


def test_closing_ends_a_break() -> None:
    file, holder = breaking()
    assert [lease.holder for lease in file.close(1).leases] == [holder]
    assert file.open("RWH", "b", waited=True).state == "RWH"


def test_a_lease_lives_as_long_as_any_of_its_opens() -> None:
    file = OneFile()
    file.open("R", "a")
    file.open("RWH", "a")
    file.close(1)
    assert file.holds("a") == "RWH"
    file.close(2)
    assert file.record is None
