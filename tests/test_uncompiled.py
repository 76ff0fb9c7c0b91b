"""What compiled modules leave to the interpreter."""

import contextlib
import gc

import pytest
import trio

from gateway.uncompiled import in_nursery, raise_after


class Broken(Exception):
    """What goes wrong in these tests."""


def fail():
    raise Broken


async def fail_and_clean_up(cleanup):
    try:
        fail()
    except BaseException as caught:  # as those do who use it
        ending = raise_after(cleanup(), caught)
    await ending


async def test_clean_up_comes_first():
    done = []

    async def cleanup():
        await trio.lowlevel.checkpoint()
        done.append("cleaned up")

    with pytest.raises(Broken) as caught:
        await fail_and_clean_up(cleanup)
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert [one.name for one in caught.traceback][-2:] == ["fail_and_clean_up", "fail"]
    assert done == ["cleaned up"]


async def test_clean_up_that_fails():
    async def cleanup():
        raise OSError("worse")

    with pytest.raises(OSError, match="worse") as caught:
        await fail_and_clean_up(cleanup)
    assert isinstance(caught.value.__context__, Broken)


async def test_cancelled():
    done = []

    async def cleanup():
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()
            done.append("cleaned up")

    async def work():
        try:
            await trio.sleep_forever()
        except BaseException as error:  # as those do who use it
            ending = raise_after(cleanup(), error)
        await ending

    with trio.move_on_after(0.01) as scope:
        await work()
    assert scope.cancelled_caught
    assert done == ["cleaned up"]


async def test_nothing_refers_to_itself():
    """Requests that start over fail often: what they held must not wait for the garbage collector."""

    async def cleanup():
        pass

    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            with contextlib.suppress(Broken):
                await fail_and_clean_up(cleanup)
        assert [one for one in gc.get_objects() if isinstance(one, Broken)] == []
    finally:
        gc.enable()


async def test_nursery():
    done = []

    async def task(event):
        await event.wait()
        done.append("task")

    async def work(nursery):
        event = trio.Event()
        nursery.start_soon(task, event)
        await trio.lowlevel.checkpoint()
        event.set()
        return 5

    assert await in_nursery(work) == 5
    assert done == ["task"]


async def test_cancelled_nursery():
    async def work(nursery):
        nursery.cancel_scope.cancel()
        await trio.lowlevel.checkpoint()

    assert await in_nursery(work) is None
