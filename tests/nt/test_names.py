import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.nt.names import (
    PathName,
    check_component,
    check_search_pattern,
    join_path,
    parse_path,
    split_parent,
    split_path,
    utf16_length,
    wire_path,
)
from gateway.nt.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    StatusError,
)

GOOD = [
    ("", PathName("")),
    ("a", PathName("a")),
    ("a\\b.c\\d", PathName("a/b.c/d")),
    ("trailing.", PathName("trailing.")),
    ("trailing ", PathName("trailing ")),
    ("...", PathName("...")),
    ("..a\\.b", PathName("..a/.b")),
    ("CON", PathName("CON")),
    ("\ud800", PathName("\ud800")),
    ("\udc80\\x", PathName("\udc80/x")),
    ("dir\\", PathName("dir", trailing_separator=True)),
    ("x" * 255, PathName("x" * 255)),
    ("\U0001f600" * 127, PathName("\U0001f600" * 127)),
    ("a/b", PathName("a/b")),
    ("a/b\\c:s", PathName("a/b/c", "s")),
    ("d" * 200 + "\\" + "e" * 200, PathName("d" * 200 + "/" + "e" * 200)),
    ("file:stream", PathName("file", "stream")),
    ("file:stream:$data", PathName("file", "stream", "$DATA")),
    ("file::$DATA", PathName("file", "", "$DATA")),
    ("d\\file:s*\x01?", PathName("d/file", "s*\x01?")),
    ("dir::$INDEX_ALLOCATION", PathName("dir", "", "$INDEX_ALLOCATION")),
    ("dir:$i30:$Index_Allocation", PathName("dir", "", "$INDEX_ALLOCATION")),
    ("dir:$I30:$INDEX_ALLOCATION\\file", PathName("dir/file")),
    ("::$INDEX_ALLOCATION", PathName("", "", "$INDEX_ALLOCATION")),
    (":onroot", PathName("", "onroot")),
]

INVALID_NAMES = [
    "a\\\\b",
    "a\\\\",
    ".",
    "a\\.\\b",
    "a*",
    "a?",
    'a"',
    "a<",
    "a>",
    "a|b",
    "a\x00",
    "a\x1f",
    "a\n",
    "x" * 256,
    "\U0001f600" * 128,
    "a\\" + "x" * 256,
    "x" * 256 + "\\a",
    "a\\" * 16380 + "b",
    "file:",
    "file::",
    "file:stream:",
    "file:stream:$BITMAP",
    "file:s:$DATA:x",
    "file:a/b",
    "file:" + "s" * 256,
    "dir\\:stream",
    "dir:stream\\file",
    "dir::$DATA\\file",
    "a:b\\c:d",
    "f:s:$dªta",
]


@pytest.mark.parametrize(("name", "parsed"), GOOD)
def test_parse_path(name, parsed):
    assert parse_path(name) == parsed


@pytest.mark.parametrize("name", ["..", "..\\a", "a\\..\\..", "a\\..\\..\\b"])
def test_upwards(name):
    with pytest.raises(StatusError) as caught:
        parse_path(name)
    assert caught.value.status == STATUS_OBJECT_PATH_SYNTAX_BAD


@pytest.mark.parametrize(
    ("name", "path"), [("a\\..", ""), ("a\\..\\b", "b"), ("a\\b\\..\\..\\c\\..", ""), ("a\\b\\..\\c", "a/c")]
)
def test_upwards_within_the_share(name, path):
    assert parse_path(name) == PathName(path)


@pytest.mark.parametrize("name", INVALID_NAMES)
def test_invalid_name(name):
    with pytest.raises(StatusError) as caught:
        parse_path(name)
    assert caught.value.status == STATUS_OBJECT_NAME_INVALID


@pytest.mark.parametrize("name", ["\\", "\\a", "\\\\a", "dir:other:$INDEX_ALLOCATION"])
def test_invalid_parameter(name):
    with pytest.raises(StatusError) as caught:
        parse_path(name)
    assert caught.value.status == STATUS_INVALID_PARAMETER


def test_absolute():
    assert parse_path("\\a\\b", absolute=True) == PathName("a/b")
    assert parse_path("a", absolute=True) == PathName("a")
    with pytest.raises(StatusError):
        parse_path("\\\\a", absolute=True)


def test_longest_path():
    path = "\\".join(["x" * 255] * 127 + ["x" * 248])
    assert len(path) == 32760
    assert len(split_path(parse_path(path).path)) == 128
    with pytest.raises(StatusError):
        parse_path(path + "y")


@pytest.mark.parametrize("pattern", ["", "*", "*.*", 'a<b>"c?', ".", "..", "x" * 255])
def test_search_pattern(pattern):
    check_search_pattern(pattern)


@pytest.mark.parametrize("pattern", ["a\\b", "a/b", "a:b", "a|", "\x01", "x" * 256])
def test_bad_search_pattern(pattern):
    with pytest.raises(StatusError):
        check_search_pattern(pattern)


def test_paths():
    assert split_path("") == ()
    assert split_path("a/b") == ("a", "b")
    assert split_parent("a/b/c") == ("a/b", "c")
    assert split_parent("a") == ("", "a")
    assert split_parent("") == ("", "")
    assert join_path("", "a") == "a"
    assert join_path("a/b", "c") == "a/b/c"
    assert wire_path("") == "\\"
    assert wire_path("a/b") == "\\a\\b"
    assert wire_path("a/b", "s") == "\\a\\b:s"


@given(st.text(max_size=20))
def test_utf16_length(text):
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


@settings(max_examples=300)
@given(st.text('ab.\\/:*$DATA \x01\ud800é"', max_size=24), st.booleans())
def test_what_is_accepted_is_safe(name, absolute):
    try:
        parsed = parse_path(name, absolute=absolute)
    except StatusError:
        return
    for component in split_path(parsed.path):
        check_component(component)
        assert component not in (".", "..", "")
        assert not set(component) & set('\\/:*"\x00')
    assert not set(parsed.stream) & set("\\/:\x00")
