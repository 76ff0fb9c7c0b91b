import functools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.nt.wildcard import compile_pattern, contains_wildcards, matches_everything

MATCHES = [
    ("", "anything"),
    ("*", ""),
    ("*", "a.b"),
    ("*.*", "noextension"),
    ("**", "x"),
    ("readme", "README"),
    ("*.txt", "a.TXT"),
    ("*.txt", ".txt"),
    ("a*", "a"),
    ("a*b", "ab"),
    ("a*b", "axxb"),
    ("a?c", "abc"),
    ("?", "\n"),
    ("*a*b*", "xxaxxbxx"),
    ("*?b", "ab"),
    ("a*b?d*e", "a--bcd--e"),
    ("*[x]*", "a[x]b"),
    ("??", "\U0001f600"),
    ("straße*", "STRAßE.doc"),
    ("ａ*", "Ａ.txt"),
    # Win32 sends `*.` as `<`: names without an extension
    ("<", "name"),
    ("<", ""),
    ("<.txt", "a.txt"),
    ("<.txt", "a.b.txt"),
    ('<"*', "name"),
    ('<"*', "a.b"),
    (".<", ".profile"),
    # `>` is Win32's `?`: may be nothing before a period and at the end
    (">>>>", "ab"),
    (">>>>.txt", "ab.txt"),
    (">>>>>>>>.>>>", "file.c"),
    ("a>", "a"),
    ("a>b", "axb"),
    # `"` is Win32's `.` before a wildcard
    ('a"', "a"),
    ('a"', "a."),
    ('foo*"*', "foobar"),
    ('foo*"*', "foo.bar"),
    ('"""', ""),
]

MISMATCHES = [
    ("readme", "readme2"),
    ("*.txt", "a.tx"),
    ("a*b", "a"),
    ("ab*ba", "aba"),
    ("a?c", "ac"),
    ("?", ""),
    ("?", "ab"),
    ("?", "\U0001f600"),
    ("*a*b*", "ba"),
    ("*.t?t*x", "a.txt"),
    ("<", "name.txt"),
    ("<", "a.b.c"),
    ("<.txt", "txt"),
    (">", "ab"),
    (">>>>", "a.b"),
    (">>>>.txt", "abcde.txt"),
    ("a>b", "a.b"),
    ('a"b', "ab"),
    ('"', "a"),
    ('a"', "ab"),
    ("straSSe*", "straße"),
    ("i", "ı"),
]


@pytest.mark.parametrize(("pattern", "name"), MATCHES)
def test_matches(pattern, name):
    assert compile_pattern(pattern)(name)


@pytest.mark.parametrize(("pattern", "name"), MISMATCHES)
def test_does_not_match(pattern, name):
    assert not compile_pattern(pattern)(name)


def test_case_matters_without_a_fold():
    match = compile_pattern("A*x", lambda name: name)
    assert match("Ax")
    assert not match("ax")


def test_everything():
    assert matches_everything("")
    assert matches_everything("*.*")
    assert not matches_everything("*.")


@pytest.mark.parametrize("pattern", ["*", "a?", "<x", ">", 'a"'])
def test_contains_wildcards(pattern):
    assert contains_wildcards(pattern)
    assert not contains_wildcards("a.b c[d]~1")


def matches_slowly(pattern, name):
    """The rules, one by one, and every way tried."""

    @functools.cache
    def ways(place, index):
        if place == len(pattern):
            return index == len(name)
        wild, end = pattern[place], index == len(name)
        unit = "" if end else name[index]
        if wild == "*":
            return ways(place + 1, index) or (not end and ways(place, index + 1))
        if wild == "<":
            eats = not end and (unit != "." or "." in name[index + 1 :])
            return ways(place + 1, index) or (eats and ways(place, index + 1))
        if wild == "?":
            return not end and ways(place + 1, index + 1)
        if wild == ">":
            return ways(place + 1, index) if end or unit == "." else ways(place + 1, index + 1)
        if wild == '"':
            return ways(place + 1, index) if end else unit == "." and ways(place + 1, index + 1)
        return unit == wild and ways(place + 1, index + 1)

    return ways(0, 0)


@settings(max_examples=600, deadline=None)
@given(st.text('ab.*?<>"', min_size=1, max_size=8), st.text("ab.", max_size=9))
def test_agrees_with_the_rules(pattern, name):
    expected = matches_everything(pattern) or matches_slowly(pattern, name)
    assert compile_pattern(pattern, lambda text: text)(name) == expected


@pytest.mark.parametrize(
    "pattern", ["*a" * 120 + "b", "a?*" * 80 + "b", "<a" * 120 + "b", "*>" * 120 + "b", '*"a' * 80]
)
def test_does_not_backtrack(pattern):
    match = compile_pattern(pattern)
    name = "a" * 255
    began = time.process_time()
    match(name)
    assert time.process_time() - began < 0.1
