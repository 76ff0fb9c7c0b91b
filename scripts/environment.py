"""What the scripts stand on: a virtual environment in .venv, Debian's packages, and commands that tell what they do.

It runs with the system's Python before anything is installed, so it needs the standard library alone.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is where it is found out
    if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3") and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0])

import contextlib
import fcntl
import hashlib
import json
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STATE = ROOT / ".state"

TEST_PACKAGES = (
    "acl",
    "attr",
    "btrfs-progs",
    "git",
    "iproute2",
    "libnfs13",
    "nfs-ganesha",
    "nfs-ganesha-vfs",
    "python3-samba",
    "samba",
    "samba-testsuite",
    "samba-vfs-modules",
    "smbclient",
)
"""Debian's packages that tests use: independent clients, another server, and tools to look at files with."""

BUILD_PACKAGES = ("fuse3", "gcc", "libfuse3-dev", "pkg-config", "python3-dev")
"""What is needed to build the Python packages without wheels that tests need, and to mount with them."""

POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by Debian's packages whether they may start services."""
_CAN_MAKE_VENV = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"


def say(text: str) -> None:
    print(f"== {text}", flush=True)


def fail(text: str) -> NoReturn:
    sys.exit(f"error: {text}")


def run(*command: str | Path, quiet: bool = False) -> None:
    """Run a command in the checkout, and end if it fails; what a quiet one says is shown only then."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        if quiet:
            print(done.stdout, end="")
        fail(f"`{shlex.join(words)}` failed")


def prepare(extra: str = "") -> Path:
    """Make the environment with what pyproject.toml asks for, and with the extra; returns its Python.

    Does nothing if that was done before and what is asked for is the same.
    """
    with _lock():
        wanted = _fingerprint()
        stamps = [VENV / f".smbgate-{name or 'server'}" for name in dict.fromkeys((extra, ""))]
        python = VENV / "bin/python"
        if not _works(python):
            _make_venv()
        elif stamps[0].exists() and stamps[0].read_text() == wanted:
            return python
        say(f"installing smbgate{f' with what its {extra}s need' if extra else ''} into {VENV.name}")
        target = f"{ROOT}[{extra}]" if extra else str(ROOT)
        if extra:
            install_packages(BUILD_PACKAGES, f"building what {extra}s need")
        # What the server needs has wheels for all; some packages that only tests need are built here.
        wheels = () if extra else ("--only-binary", ":all:")
        pip_install(python, *wheels, "--editable", target)
        for stamp in stamps:
            stamp.write_text(wanted)
    return python


def compiled_environment(python: Path) -> dict[str, str]:
    """The environment in which a Python with the extra `compile` imports the compiled copy of the packages."""
    command = [python, ROOT / "scripts/compiling.py"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout, end="")
        fail("the packages could not be compiled")
    # Imported from there whatever the working directory.
    return dict(os.environ) | {"PYTHONPATH": done.stdout.split()[-1], "PYTHONSAFEPATH": "1"}


def pip_install(python: str | Path, *arguments: str | Path) -> None:
    """Let pip of this Python install what it is told to, and end if it fails."""
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments, quiet=True)


def install_packages(packages: Sequence[str], purpose: str) -> None:
    """Install those of Debian's packages that are missing; only root can."""
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    command = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        fail(f"{purpose} needs packages that only root can install: {command}")
    say(f"installing Debian packages for {purpose}: {' '.join(missing)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    with _no_services():
        run("apt-get", "-qq", "update", quiet=True)
        run("apt-get", "-qq", "-y", *shlex.split(command)[1:], quiet=True)


def link_mount_table() -> None:
    """Make /etc/mtab what it is on every Debian that systemd has started: nfs-ganesha finds file systems in it."""
    table = Path("/etc/mtab")
    if os.geteuid() == 0 and not table.exists():
        say(f"making {table}, which a system started by systemd has")
        table.unlink(missing_ok=True)
        table.symlink_to("../proc/self/mounts")


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Two scripts at the same time do not install into the same environment."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fingerprint() -> str:
    """Changes whenever another environment is asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {key: project[key] for key in ("build-system", "project")} | {"place": str(ROOT)}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _works(python: Path, code: str = "import pip") -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    return False


def _make_venv() -> None:
    names = [
        "/usr/bin/python3",
        sys.executable,
        *(shutil.which(f"python3.{minor}") or "" for minor in range(20, 10, -1)),
    ]
    candidates = [Path(name) for name in dict.fromkeys(names) if name]
    base = next((python for python in candidates if _works(python, _CAN_MAKE_VENV)), None)
    if base is None:
        install_packages(["python3-venv"], "a virtual environment")
        base = candidates[0]
    say(f"making a virtual environment in {VENV.name} with {base}")
    run(base, "-m", "venv", "--clear", VENV)


def _is_installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Packages of servers must not start them: tests start their own."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
