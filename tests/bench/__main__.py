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

from tests.bench.link import MODES
from tests.bench.measure import Contestant, Sample, median, run_round
from tests.bench.scenarios import SCENARIOS, Scenario, lay_out
from tests.interop.servers import SERVERS, Configuration

_SMBD = {
    "aio read size": "0",  # what is cached is otherwise twice as dear
    "aio write size": "0",
    "use sendfile": "yes",
    "socket options": "TCP_NODELAY",
    "kernel share modes": "no",
    "kernel change notify": "no",
    "posix locking": "no",
    "durable handles": "yes",
    "vfs objects": "acl_xattr streams_xattr",
    "acl_xattr:ignore system acls": "yes",
    "store dos attributes": "yes",
    "map archive": "no",
    "map readonly": "no",
}
_PARAMETERS = {"smbgate": {}, "smbd": _SMBD}
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
    add("--cpus", metavar="SERVER,CLIENT", help="which CPUs they run on (default: the first two)")
    add(
        "--directory",
        type=Path,
        metavar="DIR",
        help="where the shares are, a short path (default: where temporary files are)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures of every round there")
    add("--quick", action="store_true", help="a few operations of each scenario, to see that it works")
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


def choose_cpus(text: str | None) -> tuple[int, int]:
    """The CPU of the servers and the one of the client."""
    if text:
        server, _, client = text.partition(",")
        return int(server), int(client or server)
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[1 if len(available) > 1 else 0]


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def measure(contestants: Sequence[Contestant], arguments: argparse.Namespace) -> Results:
    results: Results = {}
    for scenario in chosen(arguments.scenario):
        for mode in arguments.mode or MODES:
            samples = results[label(scenario), mode] = {one.name: [] for one in contestants}
            for number in range(arguments.rounds):
                for one in contestants:  # by turns, so that what else the machine does meets all of them
                    progress(f"{label(scenario)} {mode} {number + 1}/{arguments.rounds} {one.name}")
                    count = 3 if arguments.quick else scenario.count
                    samples[one.name].append(run_round(one, scenario, mode, count, arguments.seconds))
                    gc.collect()
            progress("")
            print_row(label(scenario), mode, samples)
    return results


def print_head() -> None:
    head = _WHOLE.format("ops/s", "MB/s", "p50 us", "p99 us", "CPU us/op")
    print(f"{'scenario':13} {'mode':5} {'server':7} {head} {'ratio':>6}", flush=True)


def print_row(name: str, mode: str, samples: dict[str, list[Sample]]) -> None:
    for server, rounds in samples.items():
        figures = [median(rounds, what) for what in Sample.__dataclass_fields__ if what != "operations"]
        texts = _WHOLE.format(*(f"{figure:,.1f}" if figure < 1000 else f"{figure:,.0f}" for figure in figures))
        other = samples.get("smbd")
        ratio = f"{figures[-1] / median(other, 'server_cpu'):6.2f}" if other and server != "smbd" else ""
        print(f"{name:13} {mode:5} {server:7} {texts} {ratio}".rstrip(), flush=True)
        name = mode = ""


def run(arguments: argparse.Namespace, directory: Path) -> Results:
    server_cpu, client_cpu = choose_cpus(arguments.cpus)
    names = ["smbgate"]
    if not arguments.alone and shutil.which("smbd") and os.geteuid() == 0:
        names.insert(0, "smbd")
    with contextlib.ExitStack() as stack:
        contestants = []
        for name in names:
            progress(f"starting {name}")
            (directory / name).mkdir()
            parameters = {"server signing": "auto", "server max protocol": "SMB3_11"} | _PARAMETERS[name]
            configuration = Configuration(parameters, max_memory=1 << 40)
            server = stack.enter_context(SERVERS[name](directory / name, configuration))
            os.sched_setaffinity(server.process.pid, {server_cpu})
            lay_out(server.shares["share"])
            contestants.append(Contestant(name, server, {}))
        os.sched_setaffinity(0, {client_cpu})
        for one in contestants:
            for mode in arguments.mode or MODES:
                one.links[mode] = one.connect(mode)
                stack.callback(one.links[mode].close)
        progress("")
        print_head()
        return measure(contestants, arguments)


def main() -> int:
    arguments = parse_arguments()
    chosen(arguments.scenario)
    gc.disable()  # no pauses while something is measured; collected between
    directory = Path(tempfile.mkdtemp(prefix="smbgate-bench-", dir=arguments.directory))
    directory.chmod(0o755)
    try:
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
