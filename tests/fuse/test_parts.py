"""Errors, names and signals, without a mount."""

import errno
import os
import signal
import subprocess
import sys

import pyfuse3
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway.fuse.errors import errno_of
from gateway.fuse.names import from_kernel, to_kernel
from gateway.fuse.turns import Passing, Turn
from gateway.fuse.waiting import Requests, has_signal
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_IO_DEVICE_ERROR,
    STATUS_SHARING_VIOLATION,
    StatusError,
)
from vfs_backends.errors import Kind, VfsError


def test_what_pyfuse3_has_no_handlers_for():
    """What docs/mount.md says is not there: with a pyfuse3 that has them, it could be."""
    missing = ("getlk", "setlk", "flock", "fallocate", "lseek", "copy_file_range", "tmpfile")
    assert not [name for name in missing if hasattr(pyfuse3.Operations, name)]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_number(kind):
    assert errno_of(VfsError(kind)) in errno.errorcode


def test_statuses():
    assert errno_of(StatusError(STATUS_SHARING_VIOLATION)) == errno.EBUSY
    assert errno_of(StatusError(STATUS_ACCESS_DENIED)) == errno.EACCES
    assert errno_of(StatusError(STATUS_IO_DEVICE_ERROR)) == errno.EIO


@given(st.binary(min_size=1, max_size=20))
def test_bytes_come_back(raw):
    assert to_kernel(from_kernel(raw)) == raw


@pytest.mark.parametrize("name", ["plain", "ünï", "\ud800", "a\udfffb"])
def test_names_come_back(name):
    assert from_kernel(to_kernel(name)) == name


def test_signals():
    assert not has_signal(os.getpid())
    assert not has_signal(0)
    code = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {10}); signal.signal(12, signal.SIG_IGN)"
    process = subprocess.Popen([sys.executable, "-c", f"{code}; print(flush=True); signal.pause()"], stdout=-1)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(10)
    process.send_signal(12)
    assert not has_signal(process.pid)
    # What is stopped cannot take a signal, so it stays pending.
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    process.send_signal(signal.SIGINT)
    assert has_signal(process.pid)
    process.kill()
    process.communicate()


async def test_what_is_denied_is_tried_again(autojump_clock):
    tries = 0

    async def operation(times):
        nonlocal tries
        tries += 1
        if tries <= times:
            raise StatusError(STATUS_SHARING_VIOLATION)
        return tries

    requests = Requests(2.0, Turn())
    assert await requests.run(0, operation, 5) == 6
    begin = trio.current_time()
    with pytest.raises(StatusError):
        await requests.run(0, operation, 1000)
    assert 1.9 < trio.current_time() - begin < 2.2


async def test_who_has_a_signal_is_interrupted(autojump_clock, monkeypatch):
    monkeypatch.setattr("gateway.fuse.waiting.has_signal", lambda pid: pid == 17)
    requests = Requests(0, Turn())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(requests.watch)
        with pytest.raises(pyfuse3.FUSEError) as raised:
            await requests.run(17, trio.sleep_forever)
        assert raised.value.errno == errno.EINTR
        with trio.move_on_after(10) as scope:
            await requests.run(18, trio.sleep_forever)
        assert scope.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_there_is_room_for_those_who_do_not_wait(autojump_clock, monkeypatch):
    monkeypatch.setattr("gateway.fuse.waiting._MAX_WAITING", 3)
    requests = Requests(0, Turn())
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(requests.run, 0, trio.sleep_forever)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(pyfuse3.FUSEError) as raised:
            await requests.run(0, trio.sleep_forever)
        assert raised.value.errno == errno.EBUSY
        nursery.cancel_scope.cancel()


async def test_a_turn_is_kept_until_it_is_passed_on():
    turn, order = Turn(), []

    async def at_once():
        return "done"

    async def other():
        async with turn:
            order.append("other")

    async with trio.open_nursery() as nursery:
        async with turn:
            nursery.start_soon(other)
            await trio.testing.wait_all_tasks_blocked()
        assert await Passing(at_once(), turn) == "done"
        await trio.testing.wait_all_tasks_blocked()
        assert order == []
        async with turn:
            turn.pass_on()  # it is taken
            await trio.testing.wait_all_tasks_blocked()
            assert order == []
        turn.pass_on()
    assert order == ["other"]


async def test_who_waits_passes_the_turn_on(autojump_clock):
    turn, order = Turn(), []

    async def slow():
        await trio.sleep(1)
        order.append("slow")

    async def slow_reader():
        async with turn:
            pass
        await Passing(slow(), turn)

    async def other_reader():
        async with turn:
            order.append("other")

    async with trio.open_nursery() as nursery:
        async with turn:
            nursery.start_soon(other_reader)
            await trio.testing.wait_all_tasks_blocked()
        await slow_reader()
    assert order == ["other", "slow"]


async def test_what_is_raised_goes_through():
    async def fails():
        await trio.lowlevel.checkpoint()
        raise KeyError("inside")

    async def cleans_up():
        try:
            await trio.sleep_forever()
        finally:
            cleaned.append(1)

    cleaned: list[int] = []
    with pytest.raises(KeyError):
        await Passing(fails(), Turn())
    with trio.move_on_after(0.01) as scope:
        await Passing(cleans_up(), Turn())
    assert scope.cancelled_caught
    assert cleaned == [1]
