"""From a configuration to what the connections of a server share."""

import socket
from functools import partial

from gateway.auth import policy as auth
from gateway.config import Config
from gateway.config.choices import Encryption as EncryptionChoice
from gateway.config.choices import MapToGuest, Signing
from gateway.protocol.dialect import NegotiatePolicy
from gateway.server.accounts import LiveAccounts
from gateway.server.errors import ServerError
from gateway.server.exports import make_exports
from gateway.server.identities import Identities
from gateway.server.interfaces import network_interfaces
from gateway.server.names import SystemNames
from gateway.server.rpc_info import make_rpc_info
from gateway.server.state import StateDirectory
from gateway.share.times import WriteTimes
from gateway.smb.exports import Exports
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption, Service
from gateway.transport.budget import MemoryBudget

__all__ = ["make_identities", "make_service"]

_FALLBACK_OPENS = 100_000
_LARGEST_MESSAGE = 9 << 20
"""Bytes, and more: what has to be there at least."""


def make_identities(config: Config) -> Identities:
    """Who is who, for SMB clients and local programs alike. Raises `ServerError`."""
    state = StateDirectory(config.state_path)
    state.prepare()
    return Identities(state.idmap(config), config.guest_account, config.administrators)


def make_service(config: Config, identities: Identities, descriptor_limit: int | None) -> Service:
    """Put everything together; nothing has been started yet. Raises `ServerError`.

    `descriptor_limit`: how many files the process may open, if that is limited.
    """
    _enter_test_controls(config)
    accounts = LiveAccounts(config.accounts_path, config.users)
    write_times = WriteTimes()
    exports = Exports(make_exports(config, identities, write_times))
    names = SystemNames(identities, config.netbios_name, config.workgroup, accounts.lookup)
    encryption = config.smb3_encryption
    return Service(
        negotiate_policy=_negotiate_policy(config),
        auth_policy=_auth_policy(config),
        lookup=accounts.lookup,
        token_of=identities.token,
        exports=exports,
        write_times=write_times,
        rpc_info=make_rpc_info(config, exports, names),
        interfaces=partial(network_interfaces, config),
        limits=_limits(config, descriptor_limit),
        encryption=Encryption(
            desired=encryption is EncryptionChoice.DESIRED,
            required=encryption is EncryptionChoice.MANDATORY,
        ),
        budget=_budget(config),
        guid=StateDirectory(config.state_path).guid(),
    )


def _enter_test_controls(config: Config) -> None:
    if not config.smbd_fsctl_smbtorture:
        return
    if not config.allows_test_controls:
        raise ServerError(
            "'smbd:fsctl_smbtorture = yes' lets any client disturb the server, and is for tests only: "
            "`smbgate serve` needs --allow-test-controls for it"
        )
    import gateway.smb.fsctl.torture  # noqa: F401, PLC0415 - enters the controls in the tables, for good


def _budget(config: Config) -> MemoryBudget:
    # Not all of what is allowed: the rest goes to copies while messages are sealed, to storage that is kept to be used
    # again, and to gaps that the C library cannot use. A hundred clients with the largest messages need that much.
    return MemoryBudget(max(config.memory_budget * 3 // 8, _LARGEST_MESSAGE))


def _negotiate_policy(config: Config) -> NegotiatePolicy:
    return NegotiatePolicy(
        min_dialect=config.server_min_protocol,
        max_dialect=config.server_max_protocol,
        signing_required=config.server_signing is Signing.MANDATORY,
        encryption=config.smb3_encryption is not EncryptionChoice.DISABLED,
        leases=config.smb2_leases,
        multi_channel=config.server_multi_channel_support,
        max_transact_size=config.smb2_max_trans,
        max_read_size=config.smb2_max_read,
        max_write_size=config.smb2_max_write,
    )


def _auth_policy(config: Config) -> auth.AuthPolicy:
    guests = auth.MapToGuest.BAD_USER if config.map_to_guest is MapToGuest.BAD_USER else auth.MapToGuest.NEVER
    return auth.AuthPolicy(
        netbios_name=config.netbios_name.upper(),
        netbios_domain=config.workgroup.upper(),
        dns_name=socket.gethostname().lower(),
        allow_anonymous=config.server_signing is not Signing.MANDATORY and config.restrict_anonymous < 2,
        map_to_guest=guests,
        guest_account=config.guest_account,
    )


def _limits(config: Config, descriptor_limit: int | None) -> Limits:
    spare = config.max_connections + 256
    most = max(descriptor_limit - spare, 64) if descriptor_limit is not None else _FALLBACK_OPENS
    return Limits(
        max_connections=config.max_connections,
        max_connections_per_address=config.max_ip_connections or config.max_connections,
        max_sessions=config.max_active_sessions,
        max_opens=config.max_open_files or most,
        max_opens_per_session=config.max_open_files_per_session,
        max_credits=config.smb2_max_credits,
        durable_seconds=config.durable_handle_timeout,
        max_compound_elements=config.max_compound_requests,
        max_requests_in_flight=config.max_requests_in_flight,
        max_async_requests=config.max_async_requests,
        max_unauthenticated_message=config.max_preauth_memory - 4096,
        authentication_seconds=config.authentication_timeout,
        stall_seconds=config.progress_timeout,
    )
