"""What parsers raise."""

__all__ = ["WireError"]


class WireError(Exception):
    """Bytes that are not what their specification says. The only exception that leaves a parser."""
