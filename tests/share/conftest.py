"""A store, for the tests of the modules that work on one."""

from collections.abc import AsyncIterator

import pytest

from tests.share.stores import Store, running
from tests.share.tables import RetryingTable


@pytest.fixture(params=[True, False], ids=["inline", "task"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """In memory, called both ways."""
    async with running(inline=request.param) as made:
        yield made


@pytest.fixture(params=["memory", "retrying"])
async def waiting_store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """For what waits, and so is called in tasks only; with each kind of table."""
    table = RetryingTable() if request.param == "retrying" else None
    async with running(inline=False, table=table) as made:
        yield made
