"""The whole matrix of access and sharing, against the pair-wise statement of [MS-FSA] 2.1.5.1.2.2."""

import itertools

import pytest

from acl.mask import (
    DELETE,
    FILE_APPEND_DATA,
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
from gateway.nt.constants import FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE
from gateway.nt.status import STATUS_DELETE_PENDING, STATUS_SHARING_VIOLATION
from gateway.share.record import DeletePending, FileRecord, OpenEntry, add_open
from gateway.share.sharemodes import check_share, share_needed

FILE_SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE

NEEDS = {
    FILE_READ_DATA: FILE_SHARE_READ,
    FILE_WRITE_DATA: FILE_SHARE_WRITE,
    FILE_APPEND_DATA: FILE_SHARE_WRITE,
    FILE_READ_EA: 0,
    FILE_WRITE_EA: 0,
    FILE_EXECUTE: FILE_SHARE_READ,
    FILE_READ_ATTRIBUTES: 0,
    FILE_WRITE_ATTRIBUTES: 0,
    DELETE: FILE_SHARE_DELETE,
    READ_CONTROL: 0,
    WRITE_DAC: 0,
    WRITE_OWNER: 0,
    SYNCHRONIZE: 0,
}


def entry(open_id: int, access: int, share: int, **more) -> OpenEntry:
    return OpenEntry(open_id, "client", access, share, **more)


@pytest.mark.parametrize("access", NEEDS)
def test_share_needed(access) -> None:
    assert share_needed(access) == NEEDS[access]


def test_single_rights_against_every_sharing() -> None:
    """Each right against each sharing of an open that itself uses every right, and the reverse."""
    for access, share in itertools.product(NEEDS, range(8)):
        needs = NEEDS[access]
        # The open that has everything is in the way of whoever does not share everything, unless that is a stat open.
        for first, second in (
            (entry(1, FILE_READ_DATA, share), entry(2, access, FILE_SHARE_ALL)),
            (entry(1, access, FILE_SHARE_ALL), entry(2, FILE_READ_DATA, share)),
        ):
            conflict = check_share(add_open(None, first), second)
            assert (conflict is not None) == bool(needs & ~share), (access, share)
            if conflict is not None:
                assert conflict == (STATUS_SHARING_VIOLATION, (first,), None)


def test_combinations() -> None:
    """Every pair of combined rights and sharings, by the definition."""
    rights = (FILE_READ_DATA, FILE_WRITE_DATA, DELETE, FILE_READ_ATTRIBUTES)
    masks = [sum(chosen) for count in range(5) for chosen in itertools.combinations(rights, count)]

    def needs(access: int) -> int:
        return sum(NEEDS[right] for right in rights if access & right)

    for access, share, other_access, other_share in itertools.product(masks, range(8), masks, range(8)):
        uses, other_uses = needs(access), needs(other_access)
        expected = bool(uses and other_uses and (uses & ~other_share or other_uses & ~share))
        conflict = check_share(add_open(None, entry(1, access, share)), entry(2, other_access, other_share))
        assert (conflict is not None) == expected, (access, share, other_access, other_share)


def test_only_those_in_the_way_are_named() -> None:
    record = FileRecord((entry(1, FILE_READ_DATA, 7), entry(2, FILE_READ_DATA, 1), entry(3, WRITE_DAC, 0)))
    conflict = check_share(record, entry(4, FILE_WRITE_DATA, 7))
    assert conflict is not None
    assert conflict.opens == (record.opens[1],)


def test_an_open_is_not_in_its_own_way() -> None:
    one = entry(1, FILE_READ_DATA | FILE_WRITE_DATA, 0)
    assert check_share(add_open(None, one), one) is None
    assert check_share(None, one) is None


def test_delete_on_close_counts_as_delete() -> None:
    doc = entry(2, FILE_READ_DATA, 7, delete_on_close=True)
    assert check_share(add_open(None, entry(1, FILE_READ_DATA, 3)), doc) is not None
    assert check_share(add_open(None, entry(1, FILE_READ_DATA, 7)), doc) is None


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        (("", FILE_READ_DATA, 0), (":s", FILE_READ_DATA, 0), False),
        ((":s", FILE_READ_DATA, 0), (":s", FILE_READ_DATA, 0), True),
        ((":s", FILE_READ_DATA, 0), (":t", FILE_READ_DATA, 0), False),
        # The file cannot be opened for deletion beside a stream that does not share it, nor the other way round.
        ((":s", FILE_READ_DATA, 3), ("", DELETE, 7), True),
        ((":s", FILE_READ_DATA, 7), ("", DELETE, 0), False),
        (("", DELETE, 7), (":s", FILE_READ_DATA, 3), True),
        (("", DELETE, 7), (":s", FILE_READ_DATA, 7), False),
        (("", DELETE, 7), (":s", FILE_READ_ATTRIBUTES, 0), False),
        ((":s", FILE_READ_ATTRIBUTES, 0), ("", DELETE, 7), False),
        # Deleting one stream is nobody else's business.
        (("", FILE_READ_DATA, 0), (":s", DELETE, 7), False),
        ((":s", DELETE, 7), ("", FILE_READ_DATA, 0), False),
        ((":s", DELETE, 7), (":t", FILE_READ_DATA, 0), False),
    ],
)
def test_streams(first, second, conflict) -> None:
    opens = [
        entry(number, access, share, stream=stream) for number, (stream, access, share) in enumerate((first, second))
    ]
    assert (check_share(add_open(None, opens[0]), opens[1]) is not None) is conflict


def test_delete_pending_stops_even_a_stat_open() -> None:
    pending = DeletePending("", None, 1, "token")
    record = FileRecord((entry(1, DELETE, 7),), pending=(pending,))
    for stream in ("", ":s"):
        conflict = check_share(record, entry(2, FILE_READ_ATTRIBUTES, 7, stream=stream))
        assert conflict == (STATUS_DELETE_PENDING, (), pending)


def test_a_pending_stream_leaves_the_file_alone() -> None:
    record = FileRecord((entry(1, DELETE, 7, stream=":s"),), pending=(DeletePending(":s", None, 1, "token"),))
    assert check_share(record, entry(2, FILE_READ_DATA, 7)) is None
    assert check_share(record, entry(2, FILE_READ_DATA, 7, stream=":s")) is not None


def test_another_name_of_a_pending_file_stays_usable() -> None:
    record = FileRecord((entry(1, DELETE, 7, link="a"),), pending=(DeletePending("", "a", 1, "token"),))
    assert check_share(record, entry(2, FILE_READ_DATA, 7, link="b")) is None
    assert check_share(record, entry(2, FILE_READ_DATA, 7, link="a")) is not None
