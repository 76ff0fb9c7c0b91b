import pytest

from acl import mask as m


@pytest.mark.parametrize(
    ("mask", "mapped"),
    [
        (0, 0),
        (m.FILE_READ_DATA, m.FILE_READ_DATA),
        (m.GENERIC_READ, 0x00120089),
        (m.GENERIC_WRITE, 0x00120116),
        (m.GENERIC_EXECUTE, 0x001200A0),
        (m.GENERIC_ALL, 0x001F01FF),
        (m.GENERIC_READ | m.GENERIC_WRITE | m.DELETE, 0x0013019F),
        (m.GENERIC_EXECUTE | m.MAXIMUM_ALLOWED, 0x021200A0),
    ],
)
def test_map_generic(mask, mapped):
    assert m.map_generic(mask) == mapped


def test_valid_bits_name_every_right():
    assert m.VALID_BITS == 0xF31F01FF
