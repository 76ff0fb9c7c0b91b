"""What operations on the mount cost, beside bindfs (Debian's package of that name) on the same kind of directory.

  python -m tests.fuse.bench [--count N] [--cache SECONDS]

Per operation: microseconds that a program waits, and microseconds of processor time of the file system's process.
bindfs lets the kernel keep names and attributes for a second; so does `--cache 1`, which is the default here, while the
server's is 0.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MIB = 1 << 20
LARGE = 64
"""MiB of the file that is read and written."""


class Scenario(NamedTuple):
    name: str
    run: Callable[[Path, int], int]
    """In a directory, so many times; how many operations that were."""


class Cost(NamedTuple):
    """In microseconds an operation."""

    wall: float
    processor: float


def create(place: Path, count: int) -> int:
    for number in range(count):
        os.close(os.open(place / f"file {number}", os.O_CREAT | os.O_WRONLY))
    return count


def stat(place: Path, count: int) -> int:
    """Of what the kernel does not know any more."""
    time.sleep(1.1)
    here = os.open(place, os.O_PATH)
    for number in range(count):
        os.stat(f"file {number}", dir_fd=here)
    os.close(here)
    return count


def unlink(place: Path, count: int) -> int:
    for number in range(count):
        os.unlink(place / f"file {number}")
    return count


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


def write_4k(place: Path, count: int) -> int:
    return _write(place, 4096, count * 4096)


def write_1m(place: Path, count: int) -> int:
    return _write(place, MIB, LARGE * MIB)


def read_1m(place: Path, count: int) -> int:
    return _read(place, MIB, [number * MIB for number in range(LARGE)], os.POSIX_FADV_SEQUENTIAL)


def read_4k(place: Path, count: int) -> int:
    return _read(place, 4096, [number * 4096 for number in range(count)], os.POSIX_FADV_SEQUENTIAL)


def read_4k_random(place: Path, count: int) -> int:
    offsets = random.Random(1).sample(range(LARGE * 256), min(count, LARGE * 256))
    return _read(place, 4096, [offset * 4096 for offset in offsets], os.POSIX_FADV_RANDOM)


SCENARIOS = [
    Scenario("create", create),
    Scenario("stat", stat),
    Scenario("write 4k", write_4k),
    Scenario("write 1m", write_1m),
    Scenario("read 1m", read_1m),
    Scenario("read 4k", read_4k),
    Scenario("read 4k random", read_4k_random),
    Scenario("unlink", unlink),
]


def processor_seconds(pid: int) -> float:
    """User and system time of a process. See proc_pid_schedstat: the ticks of proc_pid_stat are too coarse."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure(command: list[str], mount: Path, place: Path, count: int) -> dict[str, Cost]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not mount.is_mount():
            if process.poll() is not None:
                sys.exit(f"{command[0]} has ended with {process.returncode}")
            time.sleep(0.05)
        time.sleep(0.3)
        place.mkdir()
        found = {}
        for scenario in SCENARIOS:
            before, begin = processor_seconds(process.pid), time.perf_counter()
            operations = scenario.run(place, count)
            wall = time.perf_counter() - begin - (1.1 if scenario.run is stat else 0)
            used = processor_seconds(process.pid) - before
            found[scenario.name] = Cost(wall / operations * 1e6, used / operations * 1e6)
        return found
    finally:
        subprocess.run(["umount", "-l", mount], check=False)
        process.wait(20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3000, help="small operations of each kind")
    parser.add_argument("--cache", type=int, default=1, help="the server's `fuse cache timeout`")
    arguments = parser.parse_args()
    if shutil.which("bindfs") is None:
        sys.exit("there is no bindfs: apt-get install bindfs")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        mount, source = top / "mount", top / "source"
        mount.mkdir()
        source.mkdir()
        file = top / "smbgate.conf"
        file.write_text(
            f"[global]\nstate directory = {top / 'state'}\nfuse cache timeout = {arguments.cache}\n"
            f"[share]\npath = {source}\nread only = no\n"
        )
        bindfs = measure(["bindfs", "-f", str(source), str(mount)], mount, mount / "bindfs", arguments.count)
        command = [sys.executable, "-m", "gateway", "mount", "-c", str(file), str(mount)]
        smbgate = measure(command, mount, mount / "share/smbgate", arguments.count)
    print(f"{'':16}{'bindfs':>18}{'smbgate':>18}{'ratio':>16}")
    print(f"{'us an operation':16}" + f"{'wall':>9}{'CPU':>9}" * 2 + f"{'wall':>8}{'CPU':>8}")
    for scenario in SCENARIOS:
        one, other = bindfs[scenario.name], smbgate[scenario.name]
        ratios = other.wall / one.wall, other.processor / max(one.processor, 0.01)
        print(f"{scenario.name:16}" + "".join(f"{value:9.1f}" for value in (*one, *other)), end="")
        print("".join(f"{ratio:8.2f}" for ratio in ratios))
    return 0


if __name__ == "__main__":
    sys.exit(main())
