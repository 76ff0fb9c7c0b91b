"""The syntax of smb.conf files."""

import contextlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.errors import ConfigError
from gateway.config.syntax import MAX_DEPTH, read_file, read_text


def entries(text):
    return {section.name: [(entry.key, entry.value) for entry in section.entries] for section in read_text(text, "f")}


def test_sections_and_parameters():
    text = "[global]\n a = 1\n; c = 2\n# d = 3\n\n[ My  Share ]\nb= x = y \r\nempty =\n"
    assert entries(text) == {"global": [("a", "1")], "My  Share": [("b", "x = y"), ("empty", "")]}


def test_sections_of_one_name_are_one():
    assert entries("[A b]\nx=1\n[other]\n[a  B]\ny=2") == {"A b": [("x", "1"), ("y", "2")], "other": []}


@pytest.mark.parametrize(
    ("text", "value"),
    [("one \\\n two", "one two"), ("one\\\n\\\ntwo", "one two"), ("one \\", "one"), ("a # b ; c", "a # b ; c")],
)
def test_continued_lines(text, value):
    assert entries(f"[s]\nkey = {text}") == {"s": [("key", value)]}


def test_a_comment_does_not_go_on():
    assert entries("[s]\n# comment \\\nkey = 1") == {"s": [("key", "1")]}


def test_origin_is_the_first_of_continued_lines():
    section = read_text("[s]\n\na = 1 \\\n 2\nb = 3", "name")[0]
    assert [str(entry.origin) for entry in section.entries] == ["name:3", "name:5"]


def test_all_that_is_wrong_is_told():
    with pytest.raises(ConfigError) as caught:
        read_text("early = 1\n[s\n[]\n[s]\nnonsense\n= 3\ninclude =\n", "f")
    assert str(caught.value).splitlines() == [
        "f:1: 'early': stands before the first [section]; server-wide ones belong in [global]",
        "f:2: expected a section's name in brackets, not '[s'",
        "f:3: expected a section's name in brackets, not '[]'",
        "f:5: expected [section] or parameter = value, not 'nonsense'",
        "f:6: expected [section] or parameter = value, not '= 3'",
        "f:7: 'include': expected the name of a file",
    ]


def test_include(tmp_path):
    (tmp_path / "main.conf").write_text("[s]\na = 1\ninclude = sub/more.conf\nd = 4\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/more.conf").write_text("b = 2\n[t]\nc = 3\ninclude = last.conf\n")
    (tmp_path / "sub/last.conf").write_text("e = 5\n")
    sections = read_file(tmp_path / "main.conf")
    assert {s.name: [e.key for e in s.entries] for s in sections} == {"s": ["a", "b", "d"], "t": ["c", "e"]}
    assert str(sections[0].entries[1].origin) == f"{tmp_path}/sub/more.conf:1"


def test_included_name_is_expanded(tmp_path):
    (tmp_path / "main.conf").write_text("[s]\ninclude = %h.conf\n")
    (tmp_path / "box.conf").write_text("a = 1")
    assert read_file(tmp_path / "main.conf", lambda text: text.replace("%h", "box"))[0].entries[0].key == "a"


def test_files_that_include_each_other(tmp_path):
    (tmp_path / "a").write_text("[s]\ninclude = b\n")
    (tmp_path / "b").write_text("include = a\n")
    with pytest.raises(ConfigError, match=r"b:1: 'include': .* include each other"):
        read_file(tmp_path / "a")


def test_too_deep(tmp_path):
    for number in range(MAX_DEPTH + 1):
        (tmp_path / str(number)).write_text(f"[s]\ninclude = {number + 1}\n")
    with pytest.raises(ConfigError, match=f"/{MAX_DEPTH - 1}:2: 'include': .* deep"):
        read_file(tmp_path / "0")


def test_unreadable_files(tmp_path):
    (tmp_path / "main").write_text("[s]\ninclude = none\n")
    (tmp_path / "binary").write_bytes(b"[s]\n\xff\n")
    with pytest.raises(ConfigError, match=r"main:2: 'include': cannot read .*none: No such file"):
        read_file(tmp_path / "main")
    with pytest.raises(ConfigError, match="line 2 is not UTF-8"):
        read_file(tmp_path / "binary")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_file(tmp_path)
    os.truncate(tmp_path / "main", 5 << 20)
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        read_file(tmp_path / "main")


@settings(max_examples=200)
@given(st.text(alphabet="[]=\\#;\n\r \tab\x00é", max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ConfigError):
        read_text(text, "f")
