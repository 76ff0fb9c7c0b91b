"""The choice of tests, and the comparison with what is expected."""

from pathlib import Path

import pytest

from gateway.config import parse
from tests.conformance.plan import Expectation, Expected, Run, load_expected, load_runs
from tests.conformance.verdict import Verdict

RUN = Run("default", Path("x.conf"), ("smb2.rw", "smb2.dir.f*"), ("smb2.dir",), {"smb2.dir.*": 300, "smb2.d*": 90})
LISTED = ["smb2.rw.rw1", "smb2.rw.rw2", "smb2.dir.find", "smb2.dir.many", "smb2.rwx", "smb2.lock.lock"]


@pytest.mark.parametrize(
    ("globs", "everything", "chosen"),
    [
        ([], False, ["smb2.rw.rw1", "smb2.rw.rw2", "smb2.dir.find"]),
        ([], True, ["smb2.rw.rw1", "smb2.rw.rw2", "smb2.dir.find", "smb2.dir.many"]),
        (["smb2.dir"], False, ["smb2.dir.find", "smb2.dir.many"]),
        (["smb2.*.*2", "smb2.lock"], False, ["smb2.rw.rw2"]),
    ],
)
def test_choice(globs, everything, chosen):
    assert RUN.choose(LISTED, globs, everything) == chosen


def test_limits():
    assert (RUN.limit("smb2.rw.rw1"), RUN.limit("smb2.dir.find")) == (60, 300)


def test_differences():
    expected = Expected(
        [
            Expectation("smb2.rw.rw2", "fail", "known", run="other"),
            Expectation("smb2.rw.rw[12]", "fail", "known"),
            Expectation("smb2.gone", "skip", "known"),
        ]
    )
    verdicts = {
        "smb2.rw.rw1": Verdict("fail", "why"),
        "smb2.rw.rw2": Verdict("pass"),
        "smb2.dir.find": Verdict("fail", "why"),
        "smb2.dir.many": Verdict("pass"),
    }
    assert expected.differences("default", verdicts) == [
        "smb2.rw.rw2: expected fail, got pass",
        "smb2.dir.find: expected pass, got fail: why",
    ]
    assert expected.useless({"default": verdicts, "other": ["smb2.rw.rw2"]}) == ["smb2.gone"]


def test_an_entry_must_say_something(tmp_path):
    path = tmp_path / "expected.toml"
    for fields in ('status = "pass"\nreason = "x"', 'status = "fail"\nreason = ""', 'status = "odd"\nreason = "x"'):
        path.write_text(f'[[expected]]\ntest = "smb2.rw"\n{fields}\n')
        with pytest.raises(ValueError, match=r"smb2\.rw: expected"):
            load_expected(path)


def test_what_is_checked_in():
    load_expected()
    for run in load_runs():
        config = parse(run.config.read_text().replace("{DIR}", "/dir"))
        assert {"share1", "share2", "share3", "share4", "other"} <= set(config.shares)
