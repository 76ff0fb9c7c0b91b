"""The controls of IOCTL, one module per subject; importing this package enters them all in the table."""

from gateway.smb.fsctl import dfs, interfaces, negotiation, object_id, pipes

__all__ = ["dfs", "interfaces", "negotiation", "object_id", "pipes"]
