import socket
import struct
import subprocess
import sys
import textwrap

import trio

from gateway.transport.delivery import Delivery
from tests.requirements import Need, needs


class Peer:
    """A socket, and the clock since its peer's system last acknowledged anything."""

    def __init__(self) -> None:
        self.unacknowledged = 1
        self.acknowledged_at = trio.current_time()

    def getsockopt(self, level, option, size):
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        info = bytearray(size)
        struct.pack_into("I", info, 24, self.unacknowledged)
        struct.pack_into("I", info, 56, round((trio.current_time() - self.acknowledged_at) * 1000))
        return bytes(info)


class Watched:
    def __init__(self, nursery, sock) -> None:
        self.begin = trio.current_time()
        self.slow_at: list[float] = []
        self.silent_at: list[float] = []
        self.delivery = Delivery(sock, 1.0, 10.0, nursery.start_soon, self._delay, self._silence)

    def _delay(self) -> None:
        self.slow_at.append(trio.current_time() - self.begin)

    def _silence(self) -> None:
        self.silent_at.append(trio.current_time() - self.begin)


async def test_nobody_acknowledges(nursery, autojump_clock) -> None:
    one = Watched(nursery, Peer())
    one.delivery.expect()
    await trio.sleep(60)
    assert (one.slow_at, one.silent_at) == ([1.0], [10.0])


async def test_slow_for_a_while(nursery, autojump_clock) -> None:
    """Until all that was sent is acknowledged."""
    peer = Peer()
    one = Watched(nursery, peer)
    one.delivery.expect()
    found = []
    await trio.sleep(4.5)
    found.append(one.delivery.is_slow)
    peer.unacknowledged = 0
    await trio.sleep(1)
    found.append(one.delivery.is_slow)
    peer.unacknowledged = 1
    one.delivery.expect()
    await trio.sleep(3)
    found.append(one.delivery.is_slow)
    assert found == [True, False, True]
    assert (one.slow_at, one.silent_at) == ([1.0, 6.5], [])


async def test_what_was_sent_elsewhere_before(nursery, autojump_clock) -> None:
    """The time until all is over counts from then; that until it is slow does not."""
    one = Watched(nursery, Peer())
    one.delivery.expect(one.begin - 4)
    await trio.sleep(60)
    other = Watched(nursery, Peer())
    other.delivery.expect(other.begin - 60)
    await trio.sleep(60)
    assert [(each.slow_at, each.silent_at) for each in (one, other)] == [([1.0], [6.0]), ([1.0], [1.0])]


async def test_all_is_acknowledged(nursery, autojump_clock) -> None:
    peer = Peer()
    one = Watched(nursery, peer)
    one.delivery.expect()
    await trio.sleep(5)
    peer.unacknowledged = 0
    await trio.sleep(60)
    peer.unacknowledged = 1
    await trio.sleep(60)
    assert one.silent_at == []
    one.delivery.expect()
    await trio.sleep(60)
    assert one.silent_at == [135.0]


async def test_what_is_sent_later_has_its_own_time(nursery, autojump_clock) -> None:
    """Also if there was nothing to acknowledge for long before it."""
    one = Watched(nursery, Peer())
    one.delivery.expect()
    await trio.sleep(9)
    one.delivery.expect()
    await trio.sleep(60)
    assert one.silent_at == [19.0]


async def test_part_of_it_is_acknowledged(nursery, autojump_clock) -> None:
    peer = Peer()
    one = Watched(nursery, peer)
    one.delivery.expect()
    for _ in range(4):
        await trio.sleep(6)
        peer.acknowledged_at = trio.current_time()
    await trio.sleep(60)
    assert one.silent_at == [34.0]


async def test_pretending(nursery, autojump_clock) -> None:
    peer = Peer()
    peer.unacknowledged = 0
    one = Watched(nursery, peer)
    one.delivery.pretends_silence = True
    one.delivery.expect()
    await trio.sleep(60)
    assert one.silent_at == [10.0]


async def test_sockets(nursery, autojump_clock) -> None:
    """Over a pair of Unix sockets, and over TCP with somebody who does not even read."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as theirs:
        ours, _ = listener.accept()
        pair = socket.socketpair()
        with ours, theirs, pair[0], pair[1]:
            watched = [Watched(nursery, ours), Watched(nursery, pair[0])]
            for one, sock in zip(watched, (ours, pair[0]), strict=True):
                sock.sendall(b"notification")
                one.delivery.expect()
            await trio.sleep(60)
            assert [one.silent_at for one in watched] == [[], []]


CUT_OFF = """\
    import socket, subprocess, trio
    from gateway.transport.delivery import Delivery

    async def main():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as theirs,
            listener.accept()[0] as ours,
        ):
            with trio.fail_after(60):
                async with trio.open_nursery() as nursery:
                    delayed, silent = trio.Event(), trio.Event()
                    delivery = Delivery(ours, 0.2, 0.5, nursery.start_soon, delayed.set, silent.set)
                    ours.sendall(b"arrives")
                    delivery.expect()
                    await trio.sleep(2)
                    print("silent" if delayed.is_set() or silent.is_set() else "arrived")
                    subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
                    ours.sendall(b"is lost")
                    delivery.expect()
                    await delayed.wait()
                    print("delayed")
                    await silent.wait()
                    print("lost")

    trio.run(main)
"""


@needs(Need.NAMESPACES)
def test_a_peer_that_is_cut_off() -> None:
    command = ["unshare", "-n", sys.executable, "-c", textwrap.dedent(CUT_OFF)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert ran.stdout.split() == ["arrived", "delayed", "lost"]
