"""What ends a connection."""

__all__ = ["ProtocolError"]


class ProtocolError(Exception):
    """The peer broke the connection's own rules; nothing it sends can be trusted any more, so the connection ends."""
