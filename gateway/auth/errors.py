"""What a log-on that fails raises."""


class AuthError(Exception):
    """A log-on fails.

    ``status`` is the NTSTATUS to answer, and ``account`` the name the client gave, as far as it came to that. The text
    is for the server's log: it may say what must not be told to the client.
    """

    def __init__(self, status: int, reason: str, account: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.account = account


class AccountsError(Exception):
    """An account file, or a change to it, that cannot be accepted. The text is for the administrator."""
