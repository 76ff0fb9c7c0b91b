"""Who somebody is: accounts, and the accepting side of SPNEGO and NTLM. No clock, no network."""

from gateway.auth.errors import AccountsError, AuthError

__all__ = ["AccountsError", "AuthError"]
