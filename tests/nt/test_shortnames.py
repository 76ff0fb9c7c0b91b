"""8.3 names: those that names have by themselves, and those that are made."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.nt.shortnames import may_be_generated, own_short_name, short_name


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("readme.txt", "README.TXT"),
        ("a", "A"),
        ("PROGRA~1", "PROGRA~1"),
        ("readme.html", ""),
        ("ninechars", ""),
        ("a.b.c", ""),
        (".rc", ""),
        ("a b", ""),
        ("ä", ""),
        ("ß", ""),
        ("", ""),
        ("a\n", ""),
    ],
)
def test_own(name, short):
    assert own_short_name(name) == short
    if short:
        assert short_name(name) == short


@pytest.mark.parametrize(
    ("name", "first", "extension"),
    [
        ("readme.html", "R", ".HTM"),
        ("ninechars", "N", ""),
        (".profile", "P", ""),
        ("a.b.c d", "A", ".CD"),
        ("\xe4.\xe4", "_", ""),
        (" x.t", "X", ".T"),
        ("name.", "N", ""),
        ("\ud800", "_", ""),
    ],
)
def test_made(name, first, extension):
    made = short_name(name)
    assert (made[0], made[8:]) == (first, extension)
    assert made == own_short_name(made) == short_name(name.swapcase() if name.isascii() else name)
    assert may_be_generated(made)
    assert may_be_generated(made.lower())


@given(st.text(st.characters(exclude_characters="/\\:\0"), min_size=1, max_size=255))
def test_any(name):
    assert own_short_name(short_name(name)) == short_name(name)
    assert own_short_name(name) or may_be_generated(short_name(name))


def test_few_names_have_the_same():
    numbers = random.Random(1)
    names = {"".join(numbers.choices(string.ascii_letters, k=12)) for _ in range(20000)}
    names |= {f"report {number}.txt" for number in range(20000)}
    made = {short_name(name) for name in names}
    assert len({name.upper() for name in names}) - len(made) < 5


@pytest.mark.parametrize("name", ["", "~", "PROGR~10", "A12345~6.ABCD", "A1234567", "AB345~6", "A.12345~", "A12345~"])
def test_others(name):
    assert not may_be_generated(name)
