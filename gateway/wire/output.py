"""What responses of QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO share ([MS-SMB2] 2.2.34, 2.2.36, 2.2.38)."""

from dataclasses import dataclass
from typing import Final, Self

from gateway.wire.layout import BODY, Layout
from gateway.wire.pieces import take

__all__ = ["OutputResponse"]

_OUTPUT_OFFSET: Final = BODY + 8


@dataclass
class OutputResponse:
    """An output buffer of some length."""

    structure_size: int = 9
    output_buffer_offset: int = 0
    output_buffer_length: int = 0
    output: memoryview | bytes = b""

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """Read the body; the output is not copied. Raises `WireError`."""
        self = cls(*_LAYOUT.unpack(message))
        self.output = take(message, self.output_buffer_offset, self.output_buffer_length, at_least=_OUTPUT_OFFSET)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        self.output_buffer_length = len(self.output)
        self.output_buffer_offset = _OUTPUT_OFFSET
        return self.body(self.output)

    @staticmethod
    def body(output: memoryview | bytes) -> bytes:
        """The same of a response that need not be made for it."""
        return _LAYOUT.packed(9, _OUTPUT_OFFSET, len(output)) + output


_LAYOUT: Final = Layout(OutputResponse, "HHI")
