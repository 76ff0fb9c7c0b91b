"""The one table of RPC interfaces, and the named pipes by which they are opened."""

from gateway.nt.status import STATUS_OBJECT_NAME_NOT_FOUND, StatusError
from gateway.rpc.association import Association
from gateway.rpc.interface import Call, Caller, Interface, ServerInfo
from gateway.rpc.lsarpc import LSARPC
from gateway.rpc.pipe import Pipe
from gateway.rpc.srvsvc import SRVSVC
from gateway.rpc.wkssvc import WKSSVC

INTERFACES: tuple[Interface, ...] = (SRVSVC, WKSSVC, LSARPC)


def open_pipe(name: str, server_info: ServerInfo, caller: Caller) -> Pipe:
    """Open the named pipe `name`, in any case, with or without a leading backslash.

    Raises `StatusError` with STATUS_OBJECT_NAME_NOT_FOUND for any other name: clients probe for services
    (mdssvc, MsFteWds) and take that for their absence.
    """
    plain = name.removeprefix("\\").lower()
    interfaces = [interface for interface in INTERFACES if interface.pipe_name == plain]
    if not interfaces:
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND)
    return Pipe(plain, Association(interfaces, Call(server_info, caller), f"\\PIPE\\{plain}"))
