"""Every kind of value: what it reads, what it refuses, and that it reads what it shows."""

from typing import Any

import pytest

from gateway.config.choices import DIALECT_SYNONYMS, Dialect, MapToGuest
from gateway.config.values import Boolean, Choice, Duration, Integer, Kind, Mode, Names, Patterns, Size, Text

DIALECT = Choice(Dialect, DIALECT_SYNONYMS, upper=True)
GOOD: list[tuple[Kind[Any], str, Any, str]] = [
    (Boolean(), "Yes", True, "yes"),
    (Boolean(), "0", False, "no"),
    (Boolean(), '"true"', True, "yes"),
    (Integer(0, 10), "10", 10, "10"),
    (Mode(), "0744", 0o744, "0744"),
    (Mode(), "7", 7, "0007"),
    (Size(0, 1 << 40), "4MB", 4 << 20, "4M"),
    (Size(0, 1 << 40), "64k", 65536, "64K"),
    (Size(0, 1 << 40), "1 GiB", 1 << 30, "1G"),
    (Size(0, 1 << 40), "1000", 1000, "1000"),
    (Size(0, 1 << 40), "0", 0, "0"),
    (Duration(86400), "90", 90, "90s"),
    (Duration(86400), "5m", 300, "5m"),
    (Duration(86400, "m"), "2", 120, "2m"),
    (Duration(86400), "1d", 86400, "1d"),
    (Duration(86400), "0", 0, "0"),
    (Text(), '" a b "', " a b ", '" a b "'),
    (Text(), "plain", "plain", "plain"),
    (Text(15, pattern=r"\S+"), "word", "word", "word"),
    (DIALECT, "smb2_10", Dialect.SMB2_10, "SMB2_10"),
    (DIALECT, "SMB3", Dialect.SMB3_11, "SMB3_11"),
    (Choice(MapToGuest), "Bad  User", MapToGuest.BAD_USER, "bad user"),
    (Names(), 'a, b "c d"', ("a", "b", "c d"), 'a b "c d"'),
    (Names(), "", (), ""),
    (Names(among=("x", "y")), "y x", ("y", "x"), "y x"),
    (Patterns(), "/*.tmp/a b/", ("*.tmp", "a b"), "/*.tmp/a b/"),
    (Patterns(), "", (), ""),
]
BAD: list[tuple[Kind[Any], str]] = [
    (Boolean(), "maybe"),
    (Boolean(), ""),
    (Integer(0, 10), "11"),
    (Integer(0, 10), "-1"),
    (Integer(0, 10), "ten"),
    (Mode(), "0888"),
    (Mode(), "10000"),
    (Mode(), "-1"),
    (Size(10, 1 << 20), "9"),
    (Size(10, 1 << 20), "2M"),
    (Size(10, 1 << 20), "1x"),
    (Duration(60), "61"),
    (Duration(60), "-1"),
    (Duration(60), "1 fortnight"),
    (Text(3), "four"),
    (Text(15, pattern=r"\S+"), "two words"),
    (DIALECT, "SMB1"),
    (Names(), 'a "b'),
    (Names(among=("x", "y")), "x z"),
    (Patterns(), "*.tmp"),
    (Patterns(), "/"),
]


@pytest.mark.parametrize(("kind", "text", "value", "shown"), GOOD)
def test_reads_and_shows(kind, text, value, shown):
    assert kind.parse(text) == value
    assert kind.show(value) == shown
    assert kind.parse(shown) == value


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_refuses(kind, text):
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the caller's
        kind.parse(text)


@pytest.mark.parametrize("kind", {kind for kind, *_ in GOOD if not isinstance(kind, Choice)})
def test_says_what_is_allowed(kind):
    assert kind.allowed


def test_lists_choices():
    assert DIALECT.allowed == "SMB2_02, SMB2_10, SMB3_00, SMB3_02 or SMB3_11"
