"""One open of a named pipe in message mode: WRITE, READ, FSCTL_PIPE_TRANSCEIVE ([MS-FSCC] 2.3.49, [MS-RPCE] 2.1.1.2).

The client's bytes are a stream of fragments, however it cuts them; each fragment of the server's is one message.
"""

from collections import deque

from gateway.nt.status import (
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_PIPE_BUSY,
    STATUS_PIPE_DISCONNECTED,
    STATUS_PIPE_EMPTY,
    StatusError,
)
from gateway.rpc import pdu
from gateway.rpc.association import Association, ProtocolBroken
from gateway.rpc.errors import RpcError

MAX_INPUT = 64 * 1024
"""Bytes written and not handled yet that a pipe holds."""


class Pipe:
    """One open of a named pipe. Fragments are handled one at a time: the next one when the answers have been read."""

    def __init__(self, name: str, association: Association) -> None:
        self.name = name
        self._association = association
        self._input = bytearray()
        self._output: deque[memoryview] = deque()
        self._over = False

    @property
    def available(self) -> int:
        """Bytes that the next `read` could return; 0 means that there is nothing to read yet."""
        return len(self._output[0]) if self._output else 0

    def write(self, data: bytes | memoryview) -> int:
        """Take all of `data` and return its length in bytes.

        Raises `StatusError`: STATUS_PIPE_DISCONNECTED after the peer broke the protocol,
        STATUS_INSUFFICIENT_RESOURCES above `MAX_INPUT` unhandled bytes.
        """
        if self._over:
            raise StatusError(STATUS_PIPE_DISCONNECTED)
        if len(self._input) + len(data) > MAX_INPUT:
            raise StatusError(STATUS_INSUFFICIENT_RESOURCES)
        self._input += data
        self._handle()
        return len(data)

    def read(self, max_count: int) -> tuple[bytes, bool]:
        """Up to `max_count` bytes of the next message, and whether more of it remains (STATUS_BUFFER_OVERFLOW).

        Raises `StatusError`: STATUS_PIPE_EMPTY when there is nothing to read yet (the request may wait for a write),
        STATUS_PIPE_DISCONNECTED when there never will be.
        """
        if not self._output:
            raise StatusError(STATUS_PIPE_DISCONNECTED if self._over else STATUS_PIPE_EMPTY)
        message = self._output[0]
        data, rest = bytes(message[:max_count]), message[max_count:]
        if rest:
            self._output[0] = rest
            return data, True
        self._output.popleft()
        self._handle()
        return data, False

    def transact(self, data: bytes | memoryview, max_count: int) -> tuple[bytes, bool]:
        """`write` and then `read`, as FSCTL_PIPE_TRANSCEIVE.

        Raises `StatusError` as they do, and STATUS_PIPE_BUSY while an earlier answer has not been read.
        """
        if self._output:
            raise StatusError(STATUS_PIPE_BUSY)
        self.write(data)
        return self.read(max_count)

    def _handle(self) -> None:
        start = 0
        try:
            while not self._output:
                length = pdu.frag_length(self._input[start : start + pdu.HEADER_SIZE])
                if length is None or len(self._input) - start < length:
                    break
                fragment = bytes(self._input[start : start + length])
                start += length
                self._output += map(memoryview, self._association.receive(fragment))
        except RpcError:
            self._end(b"")
        except ProtocolBroken as broken:
            self._end(broken.last_words)
        else:
            del self._input[:start]

    def _end(self, last_words: bytes) -> None:
        self._over = True
        self._input.clear()
        if last_words:
            self._output.append(memoryview(last_words))
