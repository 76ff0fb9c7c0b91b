"""`scripts/bench`: what an operation costs smbgate, and Samba's smbd beside it."""

import argparse
import contextlib
import fnmatch
import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.growth import run as growth
from tests.bench.link import MODES
from tests.bench.measure import Contestant, Sample, median, run_round
from tests.bench.scenarios import SCENARIOS, Scenario, lay_out
from tests.bench.setting import choose_cpus, contestants, progress, started

_WHOLE = "{:>10} {:>9} {:>10} {:>10} {:>11}"

Results = dict[tuple[str, str], dict[str, list[Sample]]]
"""By scenario and mode, then by server."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure what operations cost smbgate, and Samba's smbd beside it if that is installed and this "
        "runs as root. Server CPU for each operation is the figure that is steady on a machine that does "
        "something else as well; the ratio is smbgate's to smbd's.",
    )
    add = parser.add_argument
    add("--scenario", action="append", metavar="PATTERN", help="only these; may be repeated (default: all)")
    add("--mode", action="append", choices=MODES, help="only these; may be repeated (default: all)")
    add("--rounds", type=int, default=5, metavar="N", help="rounds, of which the median counts (default: 5)")
    add("--seconds", type=float, default=1.0, metavar="S", help="the most a round takes (default: 1)")
    add("--alone", action="store_true", help="without smbd")
    add("--compiled", action="store_true", help="smbgate once more, with its data path compiled")
    add("--as-root", action="store_true", help="log on as root, not as an ordinary user: servers spare work then")
    add("--cpus", metavar="SERVER,CLIENT", help="which CPUs they run on (default: the first two)")
    add(
        "--directory",
        type=Path,
        metavar="DIR",
        help="where the shares are, a short path (default: where temporary files are)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures of every round there")
    add("--quick", action="store_true", help="a few operations of each scenario, to see that it works")
    add("--growth", action="store_true", help="measure what becomes of the costs as work grows, instead")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 0.5
    return arguments


def chosen(patterns: Sequence[str] | None) -> list[Scenario]:
    """The scenarios that any of the patterns names."""
    found = [one for one in SCENARIOS if any(fnmatch.fnmatch(label(one), pattern) for pattern in patterns or ["*"])]
    if not found:
        sys.exit(f"there is no such scenario; there are: {', '.join(map(label, SCENARIOS))}")
    return found


def label(scenario: Scenario) -> str:
    return f"{scenario.name} d{scenario.depth}"


def measure(taking_part: Sequence[Contestant], arguments: argparse.Namespace) -> Results:
    results: Results = {}
    for scenario in chosen(arguments.scenario):
        for mode in arguments.mode or MODES:
            samples = results[label(scenario), mode] = {one.name: [] for one in taking_part}
            for number in range(arguments.rounds):
                for one in taking_part:  # by turns, so that what else the machine does meets all of them
                    progress(f"{label(scenario)} {mode} {number + 1}/{arguments.rounds} {one.name}")
                    count = 3 if arguments.quick else scenario.count
                    samples[one.name].append(run_round(one, scenario, mode, count, arguments.seconds))
                    gc.collect()
            progress("")
            print_row(label(scenario), mode, samples)
    return results


def print_head() -> None:
    head = _WHOLE.format("ops/s", "MB/s", "p50 us", "p99 us", "CPU us/op")
    print(f"{'scenario':13} {'mode':5} {'server':8} {head} {'ratio':>6}", flush=True)


def print_row(name: str, mode: str, samples: dict[str, list[Sample]]) -> None:
    for server, rounds in samples.items():
        figures = [median(rounds, what) for what in Sample.__dataclass_fields__ if what != "operations"]
        texts = _WHOLE.format(*(f"{figure:,.1f}" if figure < 1000 else f"{figure:,.0f}" for figure in figures))
        other = samples.get("smbd")
        ratio = f"{figures[-1] / median(other, 'server_cpu'):6.2f}" if other and server != "smbd" else ""
        print(f"{name:13} {mode:5} {server:8} {texts} {ratio}".rstrip(), flush=True)
        name = mode = ""


def run(arguments: argparse.Namespace, directory: Path) -> Results:
    server_cpu, client_cpu = choose_cpus(arguments.cpus)
    with contextlib.ExitStack() as stack:
        taking_part = []
        for name in contestants(arguments.alone, arguments.compiled):
            as_ordinary = os.geteuid() == 0 and not arguments.as_root
            server = started(stack, name, directory, server_cpu, as_ordinary=as_ordinary)
            lay_out(server.shares["share"])
            taking_part.append(Contestant(name, server, {}))
        os.sched_setaffinity(0, {client_cpu})
        for one in taking_part:
            for mode in arguments.mode or MODES:
                one.links[mode] = one.connect(mode)
                stack.callback(one.links[mode].close)
        progress("")
        print_head()
        return measure(taking_part, arguments)


def main() -> int:
    arguments = parse_arguments()
    if not arguments.growth:
        chosen(arguments.scenario)
    gc.disable()  # no pauses while something is measured; collected between
    directory = Path(tempfile.mkdtemp(prefix="smbgate-bench-", dir=arguments.directory))
    directory.chmod(0o755)
    try:
        if arguments.growth:
            found = growth.run(arguments, directory)
            return 0 if arguments.quick or all(finding.holds for finding in found) else 1
        results = run(arguments, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if arguments.json:
        rows = [
            {"scenario": name, "mode": mode, "server": server, "rounds": [asdict(sample) for sample in rounds]}
            for (name, mode), samples in results.items()
            for server, rounds in samples.items()
        ]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
