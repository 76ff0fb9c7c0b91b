"""`scripts/bench --growth`: run the cases of growth, and tell what they found."""

import argparse
import fnmatch
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from tests.bench.growth.crowds import busy, idle
from tests.bench.growth.directories import directories
from tests.bench.growth.finding import Case, Finding, Place
from tests.bench.growth.memory import memory
from tests.bench.growth.storage import slow_storage
from tests.bench.setting import choose_cpus, progress

__all__ = ["CASES", "run"]

CASES: dict[str, Case] = {
    "directories": directories,
    "idle": idle,
    "busy": busy,
    "slow storage": slow_storage,
    "memory": memory,
}


def run(arguments: argparse.Namespace, directory: Path) -> list[Finding]:
    """Run the cases that are asked for, each in a directory of its own."""
    wanted = arguments.scenario or ["*"]
    chosen = [name for name in CASES if any(fnmatch.fnmatch(name, pattern) for pattern in wanted)]
    if not chosen:
        sys.exit(f"there is no such case; there are: {', '.join(CASES)}")
    server_cpu, client_cpu = choose_cpus(arguments.cpus)
    place = Place(directory, server_cpu, client_cpu, arguments.rounds, arguments.quick, arguments.alone)
    found: list[Finding] = []
    print(f"{'case':34} {'server':7} {'figure':>9} {'at most':>8}", flush=True)
    for name in chosen:
        own = directory / name
        own.mkdir()
        own.chmod(0o755)
        for finding in CASES[name](replace(place, directory=own)):
            progress("")
            show(finding)
            found.append(finding)
    if arguments.json:
        rows = [asdict(finding) | {"holds": finding.holds} for finding in found]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return found


def show(finding: Finding) -> None:
    bound = "" if finding.bound is None else f"{finding.bound:8g}"
    verdict = "" if finding.holds else "  TOO MUCH"
    print(
        f"{finding.case:34} {finding.server:7} {finding.figure:9.2f} {bound:8} {finding.meaning}{verdict}", flush=True
    )
    if 1 < len(finding.points) <= 8:
        curve = ", ".join(f"{x:,.0f}: {y:,.1f}" for x, y in finding.points)
        print(f"    {finding.unit}, by {finding.x}: {curve}", flush=True)
