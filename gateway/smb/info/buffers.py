"""Answers that are longer than what a client has room for ([MS-SMB2] 3.3.5.20)."""

from gateway.nt.status import STATUS_BUFFER_OVERFLOW, STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS, StatusError

__all__ = ["check_minimum", "cut"]


def check_minimum(limit: int, minimum: int) -> None:
    """Raises StatusError (INFO_LENGTH_MISMATCH) if not even the fixed part fits into `limit` bytes."""
    if limit < minimum:
        raise StatusError(STATUS_INFO_LENGTH_MISMATCH)


def cut(data: bytes, limit: int) -> tuple[int, bytes]:
    """What fits into `limit` bytes, and the status that says whether that is all: SUCCESS or BUFFER_OVERFLOW."""
    if len(data) <= limit:
        return STATUS_SUCCESS, data
    return STATUS_BUFFER_OVERFLOW, data[:limit]
