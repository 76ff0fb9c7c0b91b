"""That the benchmark works; how fast the server is, it does not judge."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.growth.run import CASES
from tests.bench.link import MODES
from tests.bench.scenarios import SCENARIOS
from tests.requirements import Need, need

ROOT = Path(__file__).parents[2]


def bench(*arguments, **environment):
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=250, check=False
    )


@pytest.mark.interop
def test_every_scenario_runs_in_every_mode(tmp_path):
    file = tmp_path / "figures.json"
    done = bench("--quick", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(file.read_text())
    servers = {row["server"] for row in rows}
    assert "smbgate" in servers
    assert len(rows) == len(SCENARIOS) * len(MODES) * len(servers)
    assert all(row["rounds"][0]["server_cpu"] > 0 for row in rows)


@pytest.mark.interop
@pytest.mark.parametrize("case", CASES)
def test_every_case_of_growth_runs(tmp_path, case):
    if case == "slow storage":
        need(Need.ROOT, Need.FUSE)
    file = tmp_path / "figures.json"
    done = bench("--growth", "--quick", "--scenario", case, "--json", str(file), SLOW_SECONDS="0.1")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(file.read_text())
    assert {"smbgate"} <= {row["server"] for row in rows}
    assert all(row["figure"] > 0 for row in rows)


def test_a_scenario_there_is_not():
    done = bench("--scenario", "fly")
    assert done.returncode == 1
    assert "echo" in done.stderr
