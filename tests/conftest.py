"""What is told of tests that are skipped: always why."""

from collections.abc import Generator

import pytest

from tests.requirements import reason_of


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        path, line, told = report.longrepr
        report.longrepr = path, line, reason_of(told)
    return report
