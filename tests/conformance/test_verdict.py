"""What smbtorture's output means."""

import pytest

from tests.conformance.verdict import Verdict, last_words, read_verdict, short_name


@pytest.mark.parametrize(
    ("listed", "short"),
    [
        ("smb2.rw.rw1.rw1", "smb2.rw.rw1"),
        ("smb2.connect.connect", "smb2.connect"),
        ("smb2.charset.a b (c).a b (c)", "smb2.charset.a b (c)"),
        ("smb2.one.two", "smb2.one.two"),
        ("smb2.x.a.b.a.b", "smb2.x.a.b"),
    ],
)
def test_short_names(listed, short):
    assert short_name(listed) == short


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        ("test: rw1\nsuccess: rw1\n", Verdict("pass")),
        ("some words without an end success: rw1\n", Verdict("pass")),
        ("failure: rw1 [\nfile.c:3: wrong\nmore\n]\nand more\n", Verdict("fail", "file.c:3: wrong\nmore")),
        ("error: rw1 [\nunexpected\n]\n", Verdict("fail", "unexpected")),
        ("skip: rw1 [\nnot here\n]\n", Verdict("skip", "not here")),
        ("success: setup\nfailure: rw1 [\nlate\n]\n", Verdict("fail", "late")),
        ("skip: one [\nx\n]\nsuccess: two\n", Verdict("pass")),
        ("failure: rw1 [\ncut off", Verdict("fail", "cut off")),
        ("failure: a is what was said\n", Verdict("fail", "")),
        ("test: rw1\nno verdict\n", None),
        ("", None),
    ],
)
def test_verdicts(output, verdict):
    assert read_verdict(output) == verdict


def test_last_words_are_the_test_s_own():
    assert last_words("smbtorture 4.17\nUsing seed 1\ntest: x\n\nhelp!\n") == "help!"
