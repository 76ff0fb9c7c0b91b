"""Who gets a durable open back, and which opens are durable: the rules."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND
from gateway.share.closing import set_delete_pending
from gateway.share.durable import Claim, Terms, judge, keeps_handle
from tests.share.one_file import OneFile, key_of

GUID, OTHER = b"g" * 16, b"o" * 16
LEASED = SimpleNamespace(owner="client", lease_key=b"key", path="directory/file", stream="")
WITH_OPLOCK = SimpleNamespace(owner="client", lease_key=b"", path="directory/file", stream="")
TERMS = Terms("alice", 60, "DIRECTORY\\FILE", GUID)
GOOD = Claim("alice", "client", GUID, b"key", "DIRECTORY\\FILE")
BY_OPLOCK = Claim("alice", "another", GUID, None, "WHATEVER")
NOT_FOUND = STATUS_OBJECT_NAME_NOT_FOUND


@pytest.mark.parametrize(
    ("one", "changes", "status"),
    [
        (LEASED, {}, 0),
        (LEASED, {"create_guid": None}, 0),
        (LEASED, {"create_guid": OTHER}, NOT_FOUND),
        (LEASED, {"create_guid": bytes(16)}, NOT_FOUND),
        (LEASED, {"lease_key": None}, NOT_FOUND),
        (LEASED, {"lease_key": b"other"}, NOT_FOUND),
        (LEASED, {"client": "another"}, NOT_FOUND),
        (LEASED, {"name": "OTHER"}, STATUS_INVALID_PARAMETER),
        (LEASED, {"user": "bob"}, STATUS_ACCESS_DENIED),
        (LEASED, {"user": "bob", "client": "another"}, NOT_FOUND),
        (WITH_OPLOCK, {}, 0),
        (WITH_OPLOCK, {"create_guid": None}, 0),
        (WITH_OPLOCK, {"create_guid": OTHER}, NOT_FOUND),
        (WITH_OPLOCK, {"lease_key": b"key"}, NOT_FOUND),
        (WITH_OPLOCK, {"lease_key": b""}, NOT_FOUND),
        (WITH_OPLOCK, {"user": "bob"}, STATUS_ACCESS_DENIED),
    ],
)
def test_who_gets_it_back(one: Any, changes: dict[str, Any], status: int) -> None:
    claim = (GOOD if one is LEASED else BY_OPLOCK)._replace(**changes)
    assert judge(one, TERMS, claim, deletes=False) == status


def test_the_name_it_has_now() -> None:
    renamed: Any = SimpleNamespace(owner="client", lease_key=b"key", path="new/name", stream="STREAM")
    claim = GOOD._replace(name="NEW\\NAME:STREAM")
    assert judge(renamed, TERMS, claim, deletes=False) == 0
    assert judge(renamed, TERMS, GOOD, deletes=False) == 0
    assert judge(renamed, TERMS, GOOD._replace(name="NEW\\NAME"), deletes=False) == STATUS_INVALID_PARAMETER
    assert judge(renamed, TERMS, GOOD._replace(name="NEW\\NAME"), deletes=True) == 0


def test_version_1_has_a_guid_of_zeros() -> None:
    one: Any = WITH_OPLOCK
    terms = Terms("alice", 60, "FILE")
    assert judge(one, terms, BY_OPLOCK._replace(create_guid=bytes(16)), deletes=False) == 0
    assert judge(one, terms, BY_OPLOCK, deletes=False) == NOT_FOUND


def is_kept(file: OneFile, open_id: int, key: str = "", *, is_directory: bool = False) -> bool:
    holder = ("client", key_of(key) if key else b"", 0 if key else open_id)
    one: Any = SimpleNamespace(lease_holder=holder, open_id=open_id, is_directory=is_directory)
    return keeps_handle(file.record, one)


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ({}, False),
        ({"oplock": "s"}, False),
        ({"oplock": "x"}, False),
        ({"oplock": "b"}, True),
        ({"lease": "", "key": "k"}, False),
        ({"lease": "R", "key": "k"}, False),
        ({"lease": "RW", "key": "k"}, False),
        ({"lease": "RH", "key": "k"}, True),
        ({"lease": "RWH", "key": "k"}, True),
    ],
)
def test_which_opens_are_durable(how: dict[str, Any], kept: bool) -> None:
    file = OneFile()
    opened = file.open(**how)
    assert is_kept(file, opened.open_id, how.get("key", "")) is kept
    assert not is_kept(file, opened.open_id, how.get("key", ""), is_directory=True)
    assert not is_kept(file, opened.open_id + 1, "another")


def test_not_while_it_is_broken() -> None:
    file = OneFile()
    first = file.open("RWH", "k")
    second = file.open("RWH", "o", owner="other")
    assert second.breaks
    assert not is_kept(file, first.open_id, "k")
    file.obey(second.breaks)
    assert is_kept(file, first.open_id, "k")


def test_not_if_it_is_about_to_be_deleted() -> None:
    file = OneFile()
    first = file.open("RWH", "k")
    assert is_kept(file, first.open_id, "k")
    assert file.record is not None
    key = next(iter(file.table.keys()))
    file.table.transact_nowait(
        key, lambda record: (None if record is None else set_delete_pending(record, first.open_id, None), None)
    )
    assert not is_kept(file, first.open_id, "k")
