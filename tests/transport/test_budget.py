"""Memory that all connections share: first come, first served, and nothing is lost."""

import pytest
import trio
import trio.testing

from gateway.transport.budget import MemoryBudget
from vfs_backends.inline import NotNow, run_inline


class Taker:
    """Somebody who takes from a budget in a task."""

    def __init__(self, budget: MemoryBudget, nursery: trio.Nursery, size: int) -> None:
        self.has = False
        self.scope = trio.CancelScope()
        self._budget, self._size = budget, size
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            await self._budget.take(self._size)
            self.has = True


async def blocked() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_as_much_as_there_is() -> None:
    budget = MemoryBudget(100)
    assert budget.try_take(60)
    assert not budget.try_take(41)
    assert budget.try_take(40)
    assert budget.used == 100
    budget.give(100)
    assert budget.used == 0
    await budget.take(100)


async def test_an_inline_pass_does_not_wait() -> None:
    budget = MemoryBudget(100)
    run_inline(budget.take(60))
    with pytest.raises(NotNow):
        run_inline(budget.take(60))
    budget.give(60)
    assert budget.used == 0


async def test_first_come_first_served(nursery) -> None:
    """Also where a later one would fit: or who wants much would never get it."""
    budget = MemoryBudget(100)
    await budget.take(80)
    large = Taker(budget, nursery, 90)
    await blocked()
    small = Taker(budget, nursery, 10)
    await blocked()
    assert not budget.try_take(1)
    assert (large.has, small.has) == (False, False)
    budget.give(80)
    await blocked()
    assert (large.has, small.has) == (True, True)
    budget.give(100)
    assert budget.used == 0


async def test_who_gives_up_does_not_hold_up_the_others(nursery) -> None:
    budget = MemoryBudget(100)
    await budget.take(80)
    first = Taker(budget, nursery, 90)
    await blocked()
    second = Taker(budget, nursery, 20)
    await blocked()
    first.scope.cancel()
    await blocked()
    assert (first.has, second.has) == (False, True)
    budget.give(100)
    assert budget.used == 0


async def test_who_gives_up_when_it_is_his_turn_gives_back(nursery) -> None:
    budget = MemoryBudget(100)
    await budget.take(80)
    first = Taker(budget, nursery, 90)
    await blocked()
    second = Taker(budget, nursery, 90)
    await blocked()
    first.scope.cancel()
    budget.give(80)
    await blocked()
    assert not first.has
    assert second.has
    budget.give(90)
    assert budget.used == 0
