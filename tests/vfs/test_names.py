"""Names as `str` and as bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.names import name_from_bytes, name_to_bytes, path_to_bytes, text_to_bytes

SURROGATES = st.text(st.sampled_from("a\u00e9\ud800\udbff\udc00\udc7f\udc80\udca0\udced\udcff\udd00\udfff"), max_size=6)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"plain", "plain"),
        ("é".encode(), "é"),
        (b"\xf0\x9f\x98\x80", "\U0001f600"),
        (b"caf\xe9", "caf\udce9"),
        (b"\xed\xa0\x80", "\ud800"),
        (b"\xed\xbf\xbf", "\udfff"),
        (b"a\xed\xb0\x80b", "a\udc00b"),
        # A surrogate that stands for a byte is not stored as one.
        (b"\xed\xb2\x80", "\udced\udcb2\udc80"),
        # A pair would be another character in UTF-16.
        (b"\xed\xa0\x80\xed\xb0\x80", "\udced\udca0\udc80\udc00"),
        (b"\xed\xa0\x80\xff", "\udced\udca0\udc80\udcff"),
        (b"\xed\xa0\x80\xed\xa0\x80", "\ud800\ud800"),
        (b"\xed\xb0\x80\xed\xa0\x80", "\udc00\ud800"),
    ],
)
def test_names_on_disk(raw: bytes, name: str) -> None:
    assert name_from_bytes(raw) == name
    assert name_to_bytes(name) == raw


def test_names_that_would_not_come_back() -> None:
    for name in ("\udcc3\udca9", "\udced\udca0\udc80", "\ud800\udc00", "\ud800\udcff"):
        with pytest.raises(VfsError) as caught:
            name_to_bytes(name)
        assert caught.value.kind is Kind.NAME_INVALID


@settings(max_examples=300)
@given(st.binary(min_size=1, max_size=12))
def test_every_name_on_disk_can_be_reached(raw: bytes) -> None:
    name = name_from_bytes(raw)
    assert text_to_bytes(name) == raw
    # Through UTF-16, as a client sends it back.
    assert name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") == name


@settings(max_examples=300)
@given(SURROGATES)
def test_every_name_comes_back_or_is_refused(name: str) -> None:
    try:
        raw = text_to_bytes(name)
    except VfsError:
        assert not name.isprintable()
    else:
        assert name_from_bytes(raw) == name


def test_paths() -> None:
    assert path_to_bytes("a/é/\ud800/.b/c.") == b"a/\xc3\xa9/\xed\xa0\x80/.b/c."
    for path in ("", ".", "..", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a/..", "a\0b", "/"):
        with pytest.raises(VfsError) as caught:
            path_to_bytes(path)
        assert caught.value.kind is Kind.NAME_INVALID
    for path in (".a", "..a", "...", "a/.b", "a/..b", "a\n"):
        path_to_bytes(path)
