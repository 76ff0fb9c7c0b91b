"""What operations on the mount cost, beside bindfs (Debian's package of that name) on the same kind of directory.

  python -m tests.fuse.bench [--count N] [--rounds N] [--cache SECONDS] [--cpu N[,M]] [--image] [--compiled] [--check]

Per operation: microseconds that a program waits, and microseconds of processor time of the file system's process; the
best of some rounds, in which the two take turns in the same directory, so that what else the machine does counts
little. Both are mounted as they are by default, which for both means that the kernel keeps names and attributes for a
second.

The file systems run on one processor and the program that uses them on another, the first two, or those that --cpu N,M
tells; with --cpu N all run on one. Where the scheduler puts the one that asks and the one that answers, which --cpu any
leaves to it, differs from run to run, and costs more than many an operation. With --image all is done in an ext4 file
system of its own (which takes root): ext4 searches long for inodes where many files were deleted within the last
minutes. With --compiled smbgate is the copy that `scripts/compile` makes.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.setting import choose_cpus
from tests.compiled import compiled_environment

MIB = 1 << 20
IMAGE_BYTES = 4 << 30
LARGE = 64
"""MiB of the file that is read and written."""


METADATA, BULK = 3.0, 4.0
"""How many times the processor time of bindfs operations may take."""
SLOWER: Final = 2.0
"""How many times as long as with bindfs they may take."""
_FORGOTTEN_SECONDS: Final = 1.1
_SETTLING_SECONDS: Final = 0.05
"""Until a processor that was left is as idle as one can be; before, what wakes is rather put there."""


class Scenario(NamedTuple):
    name: str
    run: Callable[[Path, Sequence[str]], int]
    """In a directory, with so many names of its own; how many operations that were."""
    limit: float = BULK
    after: float = 0.0
    """Seconds to wait before it."""


class Cost(NamedTuple):
    """In microseconds an operation."""

    wall: float
    processor: float


def create(place: Path, names: Sequence[str]) -> int:
    for name in names:
        os.close(os.open(place / name, os.O_CREAT | os.O_WRONLY))
    return len(names)


def stat(place: Path, names: Sequence[str]) -> int:
    """Of what the kernel does not know any more."""
    here = os.open(place, os.O_PATH)
    for name in names:
        os.stat(name, dir_fd=here)
    os.close(here)
    return len(names)


def unlink(place: Path, names: Sequence[str]) -> int:
    for name in names:
        os.unlink(place / name)
    return len(names)


def _write(place: Path, size: int, total: int) -> int:
    data = bytes(size)
    with (place / "large").open("wb", buffering=0) as file:
        for _ in range(total // size):
            file.write(data)
    return total // size


def _read(place: Path, size: int, offsets: list[int], advice: int) -> int:
    with (place / "large").open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(file.fileno(), 0, 0, advice)
        for offset in offsets:
            os.pread(file.fileno(), size, offset)
    return len(offsets)


def write_4k(place: Path, names: Sequence[str]) -> int:
    return _write(place, 4096, len(names) * 4096)


def write_1m(place: Path, names: Sequence[str]) -> int:
    return _write(place, MIB, LARGE * MIB)


def read_1m(place: Path, names: Sequence[str]) -> int:
    offsets = [number * MIB for number in range(LARGE)]
    return _read(place, MIB, offsets, os.POSIX_FADV_SEQUENTIAL)


def read_4k(place: Path, names: Sequence[str]) -> int:
    return _read(place, 4096, [number * 4096 for number in range(len(names))], os.POSIX_FADV_SEQUENTIAL)


def read_4k_random(place: Path, names: Sequence[str]) -> int:
    offsets = random.Random(1).sample(range(LARGE * 256), min(len(names), LARGE * 256))
    return _read(place, 4096, [offset * 4096 for offset in offsets], os.POSIX_FADV_RANDOM)


SCENARIOS = [
    Scenario("create", create, METADATA),
    Scenario("stat", stat, METADATA, _FORGOTTEN_SECONDS),
    Scenario("write 4k", write_4k),
    Scenario("write 1m", write_1m),
    Scenario("read 1m", read_1m),
    Scenario("read 4k", read_4k),
    Scenario("read 4k random", read_4k_random),
    Scenario("unlink", unlink, METADATA),
]


def processor_seconds(pid: int) -> float:
    """User and system time of a process. See proc_pid_schedstat: the ticks of proc_pid_stat are too coarse."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Measured(NamedTuple):
    """A file system that is mounted, and a directory of it to work in."""

    process: subprocess.Popen[bytes]
    place: Path

    def cost(self, scenario: Scenario, names: Sequence[str]) -> Cost:
        time.sleep(scenario.after)
        before, begin = processor_seconds(self.process.pid), time.perf_counter()
        operations = scenario.run(self.place, names)
        wall = time.perf_counter() - begin
        used = processor_seconds(self.process.pid) - before
        return Cost(wall / operations * 1e6, used / operations * 1e6)


@contextmanager
def mounted(
    command: Sequence[str], mount: Path, place: Path, cpus: set[int], environment: Mapping[str, str] | None = None
) -> Iterator[Measured]:
    """Run a file system's program on some processors, with something of its own in its environment."""
    mount.mkdir()
    variables = dict(os.environ) | dict(environment or {})
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables)
    os.sched_setaffinity(process.pid, cpus)
    try:
        while not mount.is_mount():
            if process.poll() is not None:
                sys.exit(f"{command[0]} has ended with {process.returncode}")
            time.sleep(0.05)
        time.sleep(0.3)
        yield Measured(process, place)
    finally:
        subprocess.run(["umount", "-l", mount], check=False)
        # It would not notice while another namespace has the mount, too.
        process.terminate()
        process.wait(20)


def measure(
    top: Path, count: int, rounds: int, parameters: str, cpus: set[int], environment: Mapping[str, str]
) -> dict[str, tuple[Cost, Cost]]:
    """By scenario, the costs of bindfs and those of smbgate, each at their best."""
    source = top / "source"
    (source / "here").mkdir(parents=True)
    file = top / "smbgate.conf"
    file.write_text(
        f"[global]\nstate directory = {top / 'state'}\n{parameters}[share]\npath = {source}\nread only = no\n"
    )
    bindfs, smbgate = top / "bindfs", top / "smbgate"
    served = [sys.executable, "-m", "gateway", "mount", "-c", str(file), str(smbgate)]
    found: dict[str, tuple[list[Cost], list[Cost]]] = {scenario.name: ([], []) for scenario in SCENARIOS}
    with (
        mounted(["bindfs", "-f", str(source), str(bindfs)], bindfs, bindfs / "here", cpus) as one,
        mounted(served, smbgate, smbgate / "share/here", cpus, environment) as other,
    ):
        # Nothing is removed before the end: ext4 takes its time before it uses inodes again.
        for scenario in SCENARIOS:
            for number in range(rounds):
                for who, measured, costs in zip("ab", (one, other), found[scenario.name], strict=True):
                    names = [f"{who} {number} {index}" for index in range(count)]
                    _begin_on(number)
                    costs.append(measured.cost(scenario, names))
    return {name: (_best(ones), _best(others)) for name, (ones, others) in found.items()}


@contextmanager
def file_system(directory: Path) -> Iterator[Path]:
    """A new ext4 file system, in a file of the directory."""
    image, mount = directory / "image", directory / "mounted"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


def _begin_on(number: int) -> None:
    """Go to another processor than in the round before; the scheduler is free to put us elsewhere.

    It mostly lets a file system and who uses it run where they are, be that on one processor or on two; and on two each
    request costs several times as much. So each has rounds that begin either way.
    """
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[number % len(allowed)]})
    time.sleep(_SETTLING_SECONDS)
    os.sched_setaffinity(0, allowed)


def _best(costs: Sequence[Cost]) -> Cost:
    return Cost(min(cost.wall for cost in costs), min(cost.processor for cost in costs))


def report(found: dict[str, tuple[Cost, Cost]]) -> list[str]:
    """Print a table; tells what costs too much."""
    print(f"{'':16}{'bindfs':>18}{'smbgate':>18}{'ratio':>16}{'limit':>16}")
    print(f"{'us an operation':16}" + f"{'wall':>9}{'CPU':>9}" * 2 + f"{'wall':>8}{'CPU':>8}" * 2)
    too_much = []
    for scenario in SCENARIOS:
        one, other = found[scenario.name]
        ratios = other.wall / one.wall, other.processor / max(one.processor, 0.01)
        limits = SLOWER, scenario.limit
        print(f"{scenario.name:16}" + "".join(f"{value:9.1f}" for value in (*one, *other)), end="")
        print("".join(f"{ratio:8.2f}" for ratio in ratios) + "".join(f"{limit:8.0f}" for limit in limits))
        if any(ratio > limit for ratio, limit in zip(ratios, limits, strict=True)):
            too_much.append(scenario.name)
    return too_much


def _processors(text: str | None) -> tuple[set[int], set[int]]:
    """Those of the file systems, and of who uses them."""
    if text == "any":
        every = os.sched_getaffinity(0)
        return every, every
    first, second = choose_cpus(text)
    return {first}, {second}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="small operations of each kind")
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure each")
    parser.add_argument("--cache", type=int, help="`fuse cache timeout`, if it is not to be the default")
    parser.add_argument("--cpu", metavar="N[,M]", help="which processors, or `any` (default: the first two)")
    parser.add_argument("--image", action="store_true", help="make a file system to work in")
    parser.add_argument("--compiled", action="store_true", help="measure the compiled copy, which may have to be made")
    parser.add_argument("--check", action="store_true", help="fail if something costs more than it may")
    arguments = parser.parse_args()
    if shutil.which("bindfs") is None:
        sys.exit("there is no bindfs: apt-get install bindfs")
    parameters = "" if arguments.cache is None else f"fuse cache timeout = {arguments.cache}\n"
    environment = compiled_environment() if arguments.compiled else {}
    cpus, own = _processors(arguments.cpu)
    os.sched_setaffinity(0, own)
    with ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if arguments.image:
            top = stack.enter_context(file_system(top))
        too_much = report(measure(top, arguments.count, arguments.rounds, parameters, cpus, environment))
    if too_much and arguments.check:
        print(f"too much: {', '.join(too_much)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
