"""The tables: each does the same, in its own manner."""

import pytest

from gateway.share.memory_table import MemoryTable
from gateway.share.record import FileRecord, OpenEntry, add_open
from gateway.share.table import Table
from tests.share.tables import RetryingTable, YieldingTable
from vfs_backends.api import NodeId
from vfs_backends.inline import NotNow, point_of_no_return, run_inline

KEY = NodeId(1, 2, 3)
ENTRY = OpenEntry(1, "client", 1, 7)


def put(record: FileRecord | None) -> tuple[FileRecord | None, str]:
    return add_open(record, ENTRY), "put"


def drop(record: FileRecord | None) -> tuple[FileRecord | None, str]:
    return None, "dropped"


def look(record: FileRecord | None) -> tuple[FileRecord | None, FileRecord | None]:
    return record, record


@pytest.mark.parametrize("table", [MemoryTable(), YieldingTable(), RetryingTable()], ids=lambda one: type(one).__name__)
async def test_put_look_drop(table) -> None:
    checked: Table = table
    assert await checked.transact(KEY, look) is None
    assert await checked.transact(KEY, drop) == "dropped"
    assert await checked.transact(KEY, put) == "put"
    assert await checked.transact(KEY, look) == FileRecord((ENTRY,))
    assert table.keys() == (KEY,)
    assert await checked.transact(KEY, drop) == "dropped"
    assert len(table) == 0


@pytest.mark.parametrize("table", [MemoryTable(), RetryingTable()], ids=lambda one: type(one).__name__)
def test_nowait(table) -> None:
    assert table.transact_nowait(KEY, put) == "put"
    assert table.peek_nowait(KEY) == FileRecord((ENTRY,))
    assert run_inline(table.transact(KEY, drop)) == "dropped"
    assert table.peek_nowait(KEY) is None


@pytest.mark.parametrize("table", [MemoryTable(), RetryingTable()], ids=lambda one: type(one).__name__)
def test_failure_changes_nothing(table) -> None:
    table.transact_nowait(KEY, put)

    def fail(record: FileRecord | None) -> tuple[FileRecord | None, None]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        table.transact_nowait(KEY, fail)
    assert table.peek_nowait(KEY) == FileRecord((ENTRY,))


def test_yielding_says_not_now() -> None:
    table = YieldingTable()
    with pytest.raises(NotNow):
        table.transact_nowait(KEY, put)
    with pytest.raises(NotNow):
        table.peek_nowait(KEY)
    with pytest.raises(NotNow):
        run_inline(table.transact(KEY, put))


def test_yielding_goes_on_after_the_first_effect() -> None:
    table = YieldingTable()

    async def request() -> FileRecord | None:
        point_of_no_return()
        await table.transact(KEY, put)
        assert table.transact_nowait(KEY, look) is not None
        return table.peek_nowait(KEY)

    assert run_inline(request()) == FileRecord((ENTRY,))


def test_retrying_finds_what_is_not_pure() -> None:
    calls = []

    def counting(record: FileRecord | None) -> tuple[FileRecord | None, int]:
        calls.append(1)
        return record, len(calls)

    with pytest.raises(AssertionError, match="depends on more"):
        RetryingTable().transact_nowait(KEY, counting)
