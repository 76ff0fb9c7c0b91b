"""That the benchmark works; how fast the server is, it does not judge."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

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


def test_curves_become_pictures(tmp_path):
    """Well-formed, with every point inside, whether the axes are logarithmic or not."""
    points = {"steep": [[1000, 3.5], [10_000, 40], [100_000, 900]], "flat": [[0, 0], [250, 5.1], [500, 9.9]]}
    rows = [
        {"case": f"{name}, <drawn>", "server": server, "x": "entries", "unit": "us & more", "points": curve}
        for name, curve in points.items()
        for server in ("smbd", "smbgate")
    ]
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(rows))
    command = [sys.executable, "-m", "tests.bench.growth.draw", str(file), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    pictures = sorted(tmp_path.glob("*.svg"))
    assert len(pictures) == 2
    for picture in pictures:
        root = ElementTree.parse(picture).getroot()
        width, height = float(root.get("width", 0)), float(root.get("height", 0))
        dots = root.findall("{http://www.w3.org/2000/svg}circle")
        assert len(dots) == 6
        assert all(0 < float(dot.get("cx", 0)) < width and 0 < float(dot.get("cy", 0)) < height for dot in dots)
