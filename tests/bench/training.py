"""A little of every scenario, for a copy of the packages that counts which way requests take.

`python -m tests.bench.training TREE`, which `scripts/compile` runs between compiling the first time and the second.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from tests.bench.link import MODES
from tests.bench.measure import Contestant, run_round
from tests.bench.scenarios import SCENARIOS, lay_out
from tests.bench.setting import choose_cpus, progress, started

_SECONDS = 0.5
"""The most that a scenario takes in one mode."""


def train(tree: Path, directory: Path) -> None:
    """Have smbgate, as it is in `tree`, answer requests of all kinds; its share is below `directory`."""
    server_cpu, _ = choose_cpus(None)
    environment = {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    with contextlib.ExitStack() as stack:
        as_ordinary = os.geteuid() == 0
        server = started(stack, "smbgate", directory, server_cpu, as_ordinary=as_ordinary, environment=environment)
        lay_out(server.shares["share"])
        trained = Contestant("smbgate", server, {})
        for mode in MODES:
            trained.links[mode] = trained.connect(mode)
            stack.callback(trained.links[mode].close)
        for scenario in SCENARIOS:
            for mode in MODES:
                progress(f"training: {scenario.name} {mode}")
                run_round(trained, scenario, mode, scenario.count, _SECONDS)
        progress("")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="smbgate-training-") as name:
        Path(name).chmod(0o755)
        train(Path(sys.argv[1]), Path(name))
