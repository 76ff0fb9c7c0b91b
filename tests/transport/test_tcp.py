"""Listening and accepting, also when the machine is short of something."""

import contextlib
import errno
import logging
import socket

import pytest
import trio

from gateway.transport import tcp
from gateway.transport.tcp import ListenError, accept_loop, open_listeners, unpace
from tests.requirements import Need, needs


@pytest.fixture
def listeners():
    opened: list[socket.socket] = []
    yield opened
    for one in opened:
        one.close()


def test_a_port_for_all_addresses(listeners) -> None:
    """With port 0, the one that the kernel picked for the first."""
    listeners += open_listeners(["127.0.0.1", "127.0.0.2"], 0)
    assert len({one.getsockname()[1] for one in listeners}) == 1
    assert not any(one.getblocking() for one in listeners)


def test_what_cannot_be_listened_on(listeners) -> None:
    listeners += open_listeners(["127.0.0.1"], 0)
    port = listeners[0].getsockname()[1]
    with pytest.raises(ListenError, match="another program"):
        open_listeners(["127.0.0.2", "127.0.0.1"], port)
    # The one that could be opened is closed again.
    listeners += open_listeners(["127.0.0.2"], port)
    with pytest.raises(ListenError, match="no interface"):
        open_listeners(["198.51.100.1"], 0)
    with pytest.raises(ListenError, match="cannot listen on"):
        open_listeners(["no such host.invalid"], 0)


@pytest.mark.parametrize(("number", "hint"), [(errno.EACCES, "need root"), (errno.ENOBUFS, "buffer space")])
def test_hints(monkeypatch, number, hint) -> None:
    import os

    def bind(self, address):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(ListenError, match=hint):
        open_listeners(["127.0.0.1"], 0)


@needs(Need.IPV6)
def test_ipv6_is_its_own(listeners) -> None:
    listeners += open_listeners(["::1"], 0)
    port = listeners[0].getsockname()[1]
    listeners += open_listeners(["127.0.0.1"], port)


async def test_accepting(listeners, nursery) -> None:
    listeners += open_listeners(["127.0.0.1"], 0)
    send, receive = trio.open_memory_channel[tuple[socket.socket, tuple[str, int]]](10)
    nursery.start_soon(accept_loop, listeners[0], lambda *accepted: send.send(accepted), nursery)
    address = listeners[0].getsockname()
    for _ in range(3):
        client = socket.create_connection(address)
        server, peer = await receive.receive()
        assert peer == client.getsockname()
        assert not server.getblocking()
        assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not server.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).startswith(b"bbr")
        server.close()
        client.close()
    nursery.cancel_scope.cancel()


def test_pacing(listeners) -> None:
    """Only what paces is replaced; where that is not to be had, there is nothing to replace."""
    control = socket.IPPROTO_TCP, socket.TCP_CONGESTION
    with socket.socket() as one:
        one.setsockopt(*control, b"reno")
        unpace(one)
        assert one.getsockopt(*control, 16).rstrip(b"\0") == b"reno"
        with contextlib.suppress(OSError):
            one.setsockopt(*control, b"bbr")
        unpace(one)
        assert one.getsockopt(*control, 16).rstrip(b"\0") == b"reno"
    unpace(one)  # what has no congestion control any more is left alone


class Moody(socket.socket):
    """Refuses to accept, with each of `moods` once."""

    moods: list[int] = []  # noqa: RUF012 - set by the test

    def accept(self):
        if self.moods:
            raise OSError(self.moods.pop(0), "moody")
        return super().accept()


async def test_accepting_goes_on(nursery, caplog, monkeypatch) -> None:
    """After connections that were given up, and after the machine was short of descriptors."""
    monkeypatch.setattr(tcp, "_PAUSE_SECONDS", 0.001)
    with Moody() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        Moody.moods = [errno.ECONNABORTED, errno.EMFILE, errno.EPROTO, errno.ENFILE, errno.EAGAIN]
        accepted = trio.Event()

        async def handle(sock: socket.socket, address: tuple[str, int]) -> None:
            sock.close()
            accepted.set()

        nursery.start_soon(accept_loop, listener, handle, nursery)
        with socket.create_connection(listener.getsockname()), trio.fail_after(5):
            await accepted.wait()
        nursery.cancel_scope.cancel()
    assert Moody.moods == []
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


async def test_a_listener_that_is_none_any_more() -> None:
    """What is wrong with the listener itself is not passed over."""
    with Moody() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        Moody.moods = [errno.EINVAL]
        async with trio.open_nursery() as nursery:
            with socket.create_connection(listener.getsockname()), pytest.raises(OSError, match="moody"):
                await accept_loop(listener, None, nursery)  # type: ignore[arg-type]  # nobody is accepted
