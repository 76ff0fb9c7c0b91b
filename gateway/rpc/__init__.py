"""DCE/RPC over the named pipes of IPC$, sans-IO: bytes in, bytes out, no clock ([MS-RPCE], [C706])."""
