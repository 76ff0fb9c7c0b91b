import hashlib
import struct

import pytest

from gateway.nt.upcase import upcase


def table() -> list[int]:
    return [ord(upcase(chr(unit))) for unit in range(0x10000)]


def test_is_the_table_of_a_volume():
    """The MD5 of the `$UpCase` file that Windows 8 and later write, as ntfs-3g's sources give it."""
    assert hashlib.md5(struct.pack("<65536H", *table())).hexdigest() == "7ff498a44e45e77374cc7c962b1b92f2"


def test_is_a_part_of_unicode():
    """Every mapping is Unicode's own: the single-character uppercase, or else the titlecase."""
    for unit, upper in enumerate(table()):
        if upper != unit:
            assert chr(upper) in (chr(unit).upper(), chr(unit).title())


def test_once_is_enough():
    for unit in range(0x10000):
        assert upcase(upcase(chr(unit))) == upcase(chr(unit))


@pytest.mark.parametrize("name", ["ß", "ı", "ſ", "µ", "ς", "ǅ", "ﬁ", "\U00010428", "\ud801\udc28", "ა", "ꭰ"])
def test_stays(name):
    assert upcase(name) == name


@pytest.mark.parametrize(
    ("name", "upper"),
    [
        ("", ""),
        ("readme.TXT", "README.TXT"),
        ("straße", "STRAßE"),
        ("ÿ", "Ÿ"),
        ("ａ", "Ａ"),
        ("ᾳ", "ᾼ"),
        ("ⅷ", "Ⅷ"),
        ("ёжик", "ЁЖИК"),
        ("i", "I"),
        ("dž-ǆ", "DŽ-Ǆ"),
        ("a\udc80é", "A\udc80É"),
    ],
)
def test_upcase(name, upper):
    assert upcase(name) == upper


def test_surrogates_stay():
    for unit in range(0xD800, 0xE000):
        assert upcase(chr(unit)) == chr(unit)


def test_composed_and_decomposed_differ():
    assert upcase("a\u0308") != upcase("\u00e4")
