"""Macros."""

import pytest

from gateway.config.macros import DYNAMIC, MACROS, STATIC, Client, check, expand, expand_for, is_dynamic, server_values

CLIENT = Client("Ann", "ann", "users", "DOM", "", "10.0.0.1", "10.0.0.2", "SMB3_11")


def test_every_letter_is_static_or_dynamic():
    assert set(MACROS) == STATIC | DYNAMIC
    assert CLIENT.values().keys() == DYNAMIC
    assert server_values("BOX", "share").keys() == STATIC - {"%"}


def test_check():
    check("a %S %% b", frozenset("S%"))
    with pytest.raises(ValueError, match=r"no macro '%Q'; expected one of %% %S"):
        check("%Q", frozenset("S%"))
    with pytest.raises(ValueError, match="no macro '%'"):
        check("half a %", frozenset("S%"))
    with pytest.raises(ValueError, match=r"%U .* is not known here"):
        check("%U", frozenset("S%"))


def test_expand_leaves_what_has_no_value():
    assert expand("%S/%U/%%S", {"S": "docs"}) == "docs/%U/%%S"


def test_expand_for_a_client():
    assert expand_for("/srv/%U/%m/100%%", CLIENT, path=True) == "/srv/Ann/10.0.0.1/100%"


@pytest.mark.parametrize("user", ["", ".", "..", "a/b", "a\0", "a\n"])
def test_a_name_cannot_lead_out_of_a_path(user):
    client = Client(user, "ann", "users", "DOM", "PC", "10.0.0.1", "10.0.0.2", "SMB3_11")
    with pytest.raises(ValueError, match="%U"):
        expand_for("/srv/%U", client, path=True)
    assert expand_for("%U", client) == user
    assert expand_for("/srv/%%U", client, path=True) == "/srv/%U"


def test_what_depends_on_the_client():
    assert is_dynamic("/srv/%U")
    assert not is_dynamic("/srv/%%U/%S")
