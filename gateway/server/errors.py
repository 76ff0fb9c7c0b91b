"""What an administrator has to mend before the server can run."""

__all__ = ["ServerError"]


class ServerError(Exception):
    """The server cannot run as it is configured; the message says why, and what would help."""
