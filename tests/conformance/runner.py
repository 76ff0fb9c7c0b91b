"""Run tests of smbtorture, each in a process of its own with a time limit."""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.conformance.plan import Run
from tests.conformance.server import OTHER_USER, USER, Server
from tests.conformance.verdict import Verdict, last_words, read_verdict, short_name
from tests.ports import HOST

__all__ = ["Runner", "list_tests"]

OUTPUT_LIMIT = 32 << 20
"""Bytes that a test may print."""


def list_tests(smbtorture: str = "smbtorture") -> dict[str, str]:
    """All tests that smbtorture has: short name to the name it wants to be given."""
    listing = subprocess.run([smbtorture, "--list"], capture_output=True, text=True, timeout=60, check=True).stdout
    return {short_name(line): line for line in listing.splitlines() if "." in line and " 4." not in line}


class Runner:
    """Runs tests against a server, and starts that again if a test ends it."""

    def __init__(self, run: Run, server: Server, directory: Path, smbtorture: str = "smbtorture") -> None:
        self._run = run
        self._server = server
        self._directory = directory
        self._smbtorture = smbtorture
        self._lock = threading.Lock()
        self._config = directory / "client.conf"
        self._config.write_text(_client_config(directory), encoding="utf-8")

    def run(self, tests: Mapping[str, str], jobs: int, progress: Callable[[str, Verdict], None]) -> dict[str, Verdict]:
        """How each test ended. Suites run side by side; the tests of a suite, which share names of files, do not."""
        suites: dict[str, list[str]] = {}
        for name in tests:
            suites.setdefault(".".join(name.split(".")[:2]), []).append(name)
        waiting = deque(suites.values())
        verdicts: dict[str, Verdict] = {}

        def work(share: str) -> None:
            while True:
                with self._lock:
                    if not waiting:
                        return
                    suite = waiting.popleft()
                for name in suite:
                    verdict = self.run_one(name, tests[name], share)
                    with self._lock:
                        verdicts[name] = verdict
                        progress(name, verdict)

        workers = [threading.Thread(target=work, args=(f"share{job + 1}",), daemon=True) for job in range(jobs)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return {name: verdicts[name] for name in tests if name in verdicts}

    def run_one(self, name: str, listed: str, share: str) -> Verdict:
        """Run a test in a share; a test after which the server is gone is a crash."""
        verdict = self._execute(listed, share, self._run.limit(name))
        with self._lock:
            if self._server.is_running():
                return verdict
            reason = f"the server ended during this test (or one beside it): {self._server.last_words()[-500:]}"
            self._server.start()
        return Verdict("crash", reason, verdict.seconds)

    def _execute(self, listed: str, share: str, limit: float) -> Verdict:
        begin = time.monotonic()
        log = self._directory / f"{share}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                self._command(listed, share),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                start_new_session=True,
            )
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (OUTPUT_LIMIT, OUTPUT_LIMIT))
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        seconds = time.monotonic() - begin
        output = log.read_text(encoding="utf-8", errors="replace")
        if process.returncode == -signal.SIGKILL:
            return Verdict("timeout", f"no end within {limit:.0f} s; {last_words(output)}", seconds)
        verdict = read_verdict(output)
        if process.returncode < 0 or verdict is None:
            return Verdict("crash", f"smbtorture ended with {process.returncode}; {last_words(output)}", seconds)
        return Verdict(verdict.status, verdict.reason, seconds)

    def _command(self, listed: str, share: str) -> Sequence[str]:
        return [
            self._smbtorture,
            f"//{HOST}/{share}",
            f"--smb-ports={self._server.port}",
            f"--user={USER}%{self._server.password}",
            f"--configfile={self._config}",
            "--option=torture:share2=other",
            f"--option=torture:user2name={OTHER_USER}",
            f"--option=torture:user2password={self._server.password}",
            f"--option=torture:localdir={self._directory / share}",
            *(f"--option={option}" for option in self._run.options),
            listed,
        ]


def _client_config(directory: Path) -> str:
    """A configuration for smbtorture, so that nothing depends on the machine's."""
    places = ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir")
    lines = ["[global]", "workgroup = WORKGROUP", "name resolve order = host"]
    return "\n".join([*lines, *(f"{place} = {directory}/client" for place in places)]) + "\n"
