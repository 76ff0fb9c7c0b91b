"""Memory that all connections share: first come, first served, and nothing is lost."""

import pytest
import trio
import trio.testing

from gateway.transport.budget import MemoryBudget
from vfs_backends.inline import NotNow, run_inline


class Taker:
    """Somebody who takes from a budget in a task."""

    def __init__(self, budget: MemoryBudget, nursery: trio.Nursery, size: int, *, to_finish: bool = False) -> None:
        self.has = False
        self.scope = trio.CancelScope()
        self._budget, self._size, self._to_finish = budget, size, to_finish
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            await self._budget.take(self._size, to_finish=self._to_finish)
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


async def test_who_needs_more_to_finish_goes_first(nursery) -> None:
    """Beyond what there is, one at a time; the others, and who has nothing yet, wait until it has come back."""
    budget = MemoryBudget(100)
    for _ in range(2):
        await budget.take(50)
    fresh = Taker(budget, nursery, 10)
    await blocked()
    first = Taker(budget, nursery, 40, to_finish=True)
    await blocked()
    second = Taker(budget, nursery, 40, to_finish=True)
    await blocked()
    assert (first.has, second.has, fresh.has) == (True, False, False)
    assert budget.used == 140
    budget.give(90)
    await blocked()
    assert (second.has, fresh.has) == (True, True)
    budget.give(100)
    assert budget.used == 0


async def test_who_gives_up_finishing_leaves_it_to_the_next(nursery) -> None:
    budget = MemoryBudget(100)
    await budget.take(100)
    first, second, third = (Taker(budget, nursery, 30, to_finish=True) for _ in range(3))
    await blocked()
    order = [one for one in (first, second, third) if not one.has]
    assert len(order) == 2
    order[0].scope.cancel()
    await blocked()
    budget.give(30)
    await blocked()
    assert order[1].has
    assert not order[0].has
    budget.give(130)
    assert budget.used == 0
