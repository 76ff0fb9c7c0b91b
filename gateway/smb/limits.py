"""What one client, or all of them, may make the server hold and do. Sizes in bytes, times in seconds."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    max_connections: int = 1024
    max_connections_per_address: int = 64
    max_sessions: int = 1024
    max_sessions_per_connection: int = 64
    max_channels_per_session: int = 32
    """Connections that one session may use, as Windows has it."""
    max_trees_per_session: int = 1024
    max_opens: int = 100_000
    max_opens_per_session: int = 65_535
    max_credits: int = 8192
    unauthenticated_credits: int = 1
    """Until somebody has logged on, one request follows the other."""
    max_compound_elements: int = 64
    max_requests_in_flight: int = 8192
    """Requests of one connection that go on in tasks."""
    max_async_requests: int = 512
    """The same, of one session."""
    max_unauthenticated_message: int = 60 * 1024
    message_overhead: int = 64 * 1024
    """What a message may be longer than its payload."""
    output_queue: int = 1 << 20
    authentication_seconds: float = 45.0
    stall_seconds: float = 30.0
    redelivery_seconds: float = 1.0
    """For so long a client's system may leave a break notification unacknowledged until it is sent on another of its
    connections, if there is one, as well."""
    delivery_seconds: float = 20.0
    """For so long a client's system may leave a break notification unacknowledged: who waits for the answer to it waits
    longer, but need not wait for somebody who is gone."""
    durable_seconds: float = 300.0
    """For so long a durable open waits for its client at most."""
    interim_seconds: float = 0.02
    """How long a request may take before its client is told that it goes on."""
