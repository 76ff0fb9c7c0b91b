"""What parameters that are right by themselves mean together."""

from collections.abc import Iterator

from gateway.config.choices import Backend, Dialect, Encryption, MapToGuest, ShareEncryption, Signing
from gateway.config.model import Config

__all__ = ["contradictions", "doubts"]


def contradictions(config: Config) -> Iterator[str]:
    """What cannot be: each a sentence."""
    if config.server_min_protocol > config.server_max_protocol:
        yield (
            f"'server min protocol = {config.server_min_protocol.name}' is newer than "
            f"'server max protocol = {config.server_max_protocol.name}'"
        )
    seals = config.smb3_encryption is not Encryption.DISABLED and config.server_max_protocol >= Dialect.SMB3_00
    if config.smb3_encryption is Encryption.MANDATORY and not seals:
        yield "'smb3 encryption = mandatory' needs a 'server max protocol' of SMB3_00 or newer"
    for share in config.shares.values():
        if share.backend is Backend.POSIX and not share.path:
            yield f"share [{share.name}] needs a 'path', the directory that it shares"
        if share.smb_encrypt is ShareEncryption.MANDATORY and not seals:
            yield (
                f"share [{share.name}] has 'smb encrypt = mandatory', but the server does not seal: see "
                "'smb3 encryption' and 'server max protocol'"
            )


def doubts(config: Config) -> Iterator[str]:
    """What can be, but hardly as it was meant: each a sentence."""
    guests = config.map_to_guest is not MapToGuest.NEVER
    if guests and config.server_signing is Signing.MANDATORY:
        yield "'map to guest' has no effect while 'server signing = mandatory': guests have no key to sign with"
    for share in config.shares.values():
        if share.guest_ok and not guests:
            yield f"share [{share.name}] has 'guest ok = yes', but 'map to guest = never' makes nobody a guest"
    if config.bind_interfaces_only and not config.interfaces:
        yield "'bind interfaces only = yes' without 'interfaces' listens on the loopback interface alone"
    if config.server_signing is Signing.DISABLED:
        yield "'server signing = disabled' lets anybody on the way change what is sent; 'mandatory' is the default"
