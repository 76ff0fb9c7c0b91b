"""Listening on TCP and accepting connections."""

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

import trio

__all__ = ["ListenError", "accept_loop", "open_listeners", "unpace"]

log = logging.getLogger("gateway.conn")

Address = tuple[str, int]
Accepted = Callable[[socket.socket, Address], Awaitable[None]]

# What accept() reports of the machine or of the peer, and not of the listener.
_PASSING = {errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_PAUSE_SECONDS = 0.1
_BACKLOG = 1024


class ListenError(Exception):
    """An address cannot be listened on; the message says which and why."""


def open_listeners(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Listening sockets on `port` of each of `hosts` (addresses or names). Raises `ListenError`.

    With port 0 the kernel picks one for the first address, and the others get the same.
    """
    listeners: list[socket.socket] = []
    try:
        for host in hosts:
            listener = _open(host, port)
            listeners.append(listener)
            port = listener.getsockname()[1]
    except ListenError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _open(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(f"cannot listen on {host!r}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        hint = {
            errno.EADDRINUSE: "another program is listening there; choose another port",
            errno.EACCES: "ports below 1024 need root; choose another port",
            errno.EADDRNOTAVAIL: "no interface of this machine has that address",
        }.get(error.errno or 0, error.strerror)
        raise ListenError(f"cannot listen on {host} port {port}: {hint}") from error
    return listener


def unpace(sock: socket.socket) -> None:
    """Leave a connection that does not leave the machine to a congestion control without timers: tcp(7).

    BBR spreads what is sent over time, by a timer for each segment; here that costs more than to send it.
    """
    try:
        if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).startswith(b"bbr"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    except OSError as error:  # the system may forbid it
        log.debug("congestion control is left as it is: %s", error.strerror)


async def accept_loop(listener: socket.socket, handler: Accepted, nursery: trio.Nursery) -> None:
    """Accept for ever; `handler(sock, address)` runs in `nursery` and owns the non-blocking socket."""
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            sock, address = listener.accept()
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno in _PASSING:
                continue
            if error.errno not in _EXHAUSTED:
                raise
            log.error("cannot accept a connection: %s", error.strerror)
        else:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address[0] == sock.getsockname()[0]:
                unpace(sock)
            nursery.start_soon(handler, sock, address[:2])
            continue
        await trio.sleep(_PAUSE_SECONDS)
