"""What unsealing a message can raise."""


class CryptoError(Exception):
    """A sealed message is malformed, was not sealed with this key, or a key may not be used any more."""
