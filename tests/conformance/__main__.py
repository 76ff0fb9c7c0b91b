"""`scripts/conformance`: run suites of smbtorture and compare how they end with what is expected."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.compiled import compiled_environment
from tests.conformance.plan import Expected, Run, load_expected, load_runs
from tests.conformance.runner import Runner, list_tests
from tests.conformance.server import JOBS_LIMIT, Server, ServerFailed
from tests.conformance.verdict import STATUSES, Verdict

_HELP = """\
Start a server, run tests of smbtorture against it, each in a process of its own, and compare how they end with
tests/conformance/expected.toml. Every difference is a failure: a test that passes unexpectedly has to leave the list.

examples:
  scripts/conformance                       the quick suites
  scripts/conformance --all                 all suites of tests/conformance/suites.toml
  scripts/conformance smb2.rw 'smb2.dir.f*' some suites or tests
"""


def main() -> int:
    arguments = _arguments()
    if shutil.which("smbtorture") is None:
        print("smbtorture is missing: on Debian, `apt install samba-testsuite`", file=sys.stderr)
        return 1
    if arguments.compiled:
        os.environ |= compiled_environment()
    listed = list_tests()
    expected = load_expected()
    chosen = [(run, run.choose(listed, arguments.suites, arguments.all)) for run in load_runs()]
    if not any(tests for _, tests in chosen):
        print(f"no test of tests/conformance/suites.toml is named {' or '.join(arguments.suites)}", file=sys.stderr)
        return 2
    differences: list[str] = []
    for run, tests in chosen:
        if tests:
            differences += _execute(run, {name: listed[name] for name in tests}, expected, arguments)
    if arguments.all and not arguments.suites:
        ours = {run.name: tests for run, tests in chosen}
        differences += [f"{test}: is in expected.toml, but decides nothing" for test in expected.useless(ours)]
    for text in differences:
        print(f"DIFFERENT {text}")
    print(f"{len(differences)} differences from what is expected" if differences else "all as expected")
    return 1 if differences else 0


def _execute(run: Run, tests: dict[str, str], expected: Expected, arguments: argparse.Namespace) -> list[str]:
    print(f"{run.name}: {len(tests)} tests with {run.config.name}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="smbgate-conformance."))
    directory.chmod(0o755)  # a server that runs as root looks at the shares with its clients' eyes
    begin = time.monotonic()
    counts: Counter[str] = Counter()

    def progress(name: str, verdict: Verdict) -> None:
        counts[verdict.status] += 1
        done = f"[{counts.total()}/{len(tests)} {time.monotonic() - begin:.0f} s]"
        print(f"{done} {verdict.status} {name} ({verdict.seconds:.1f} s)", flush=True)

    differences: list[str] = []
    verdicts: dict[str, Verdict] = {}
    tracebacks = 0
    try:
        with Server(run.config, directory, arguments=run.arguments) as server:
            verdicts = Runner(run, server, directory).run(tests, arguments.jobs, progress)
            tracebacks = server.tracebacks()
    except ServerFailed as error:
        differences.append(f"{run.name}: {error}")
    differences += expected.differences(run.name, verdicts)
    if tracebacks:
        differences.append(f"{run.name}: the server told of {tracebacks} errors of its own")
    print(f"{run.name}: {', '.join(f'{counts[status]} {status}' for status in STATUSES if counts[status])}")
    if differences:
        print(f"{run.name}: the server's log is {directory}/server.log")
    else:
        shutil.rmtree(directory)
    return differences


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/conformance", description=_HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="a suite or test, or a glob of their names")
    parser.add_argument("--all", action="store_true", help="run all suites, not only the quick ones")
    parser.add_argument("--compiled", action="store_true", help="with the data path compiled, as by scripts/compile")
    parser.add_argument(
        "--jobs", type=int, default=2, choices=range(1, JOBS_LIMIT + 1), help="suites at a time (default: 2)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
