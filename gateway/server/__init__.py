"""The server: the only place that puts concrete parts together.

    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(serve, config)

`running` does the same as a context manager.
"""

from gateway.server.errors import ServerError
from gateway.server.run import Server, mount_only, running, serve

__all__ = ["Server", "ServerError", "mount_only", "running", "serve"]
