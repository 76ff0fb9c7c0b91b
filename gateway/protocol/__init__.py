"""The sans-IO connection: frames, credits, compounds, negotiation, signatures, sealing. [MS-SMB2] 3.3.5.1-3.3.5.4."""

from gateway.protocol.errors import ProtocolError

__all__ = ["ProtocolError"]
