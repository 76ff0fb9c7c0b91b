"""Bytes to structures and back, one module per SMB2 command. No I/O, no clock ([MS-SMB2] 2.2)."""

from gateway.wire.errors import WireError

__all__ = ["WireError"]
