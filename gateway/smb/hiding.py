"""Names that are shown as hidden whatever attributes the file has, as `hide dot files` and `hide files` say.

[MS-FSCC] 2.6, FILE_ATTRIBUTE_HIDDEN.
"""

from collections.abc import Callable, Sequence

from gateway.nt.wildcard import compile_pattern

__all__ = ["HidesName", "hiding"]

HidesName = Callable[[str], bool]
"""Whether a file of this name (the last component of its path) is shown as hidden."""


def hiding(*, dot_files: bool, patterns: Sequence[str] = ()) -> HidesName | None:
    """What tells which names are hidden; None if none is. Names compare with `patterns` without regard to case."""
    if not patterns:
        return _is_dot_file if dot_files else None
    matchers = [compile_pattern(pattern) for pattern in patterns]

    def hides(name: str) -> bool:
        if name in (".", ".."):
            return False
        return (dot_files and name[:1] == ".") or any(matches(name) for matches in matchers)

    return hides


def _is_dot_file(name: str) -> bool:
    return name[:1] == "." and name not in (".", "..")
