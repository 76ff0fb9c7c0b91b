"""The one exception of this package's parsers."""


class AclError(ValueError):
    """Bytes or text are not what [MS-DTYP] 2.4 or [MS-DTYP] 2.5.1 allows."""
