"""A Debian system for a virtual machine, in .state/guest: a kernel, its initial RAM disk and an image of the root.

Made of Debian's packages and of Python packages with wheels; nothing of it is installed on this machine.
"""

import hashlib
import json
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from environment import ROOT, STATE, install_packages, pip_install, prepare, run, say

SUITE = "bookworm"
PYTHON = "3.11"
"""The version of Python in that suite."""
HOST_PACKAGES = ("debootstrap", "e2fsprogs", "qemu-system-x86", "seabios")
PACKAGES = (
    "acl",
    "attr",
    "cifs-utils",
    "initramfs-tools",
    "iproute2",
    "keyutils",
    "kmod",
    "linux-image-amd64",
    "nfs-common",
    "nfs-kernel-server",
    "python3",
)
TESTS_NEED = ("pytest", "pytest-timeout", "pytest-trio", "smbprotocol")
"""Of what the tests need on any machine."""
BOOT_MODULES = ("ext4", "virtio_blk", "virtio_pci")
"""What the root is found with; all others are loaded from it."""
INIT = """\
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
modprobe -a 9pnet_virtio 9p
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144 checkout /checkout
exec /checkout/tests/guest/init
"""
"""The first process: everything else comes from the checkout, so that changing it needs no other system."""
IMAGE_SIZE = "4G"


class Guest(NamedTuple):
    """What a machine is started with."""

    kernel: Path
    initrd: Path
    root: Path


def build() -> Guest:
    """Make the system, if that was not done before with the same ingredients; takes some minutes."""
    place = STATE / "guest"
    guest = Guest(place / "vmlinuz", place / "initrd.img", place / "root.img")
    stamp = place / "made-of"
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return guest
    install_packages(HOST_PACKAGES, "scripts/guest")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    tree = place / "root"
    say(f"making a Debian system of {len(PACKAGES)} packages and what they need, in {place.relative_to(ROOT)}")
    run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, tree, quiet=True)
    _install_libraries(tree / "opt/smbgate")
    say("packing it")
    _make_bootable(tree)
    shutil.copy(next(tree.glob("boot/vmlinuz-*")), guest.kernel)
    shutil.copy(next(tree.glob("boot/initrd.img-*")), guest.initrd)
    for useless in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(tree / useless)
    run("truncate", "--size", IMAGE_SIZE, guest.root)
    run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", tree, guest.root, quiet=True)
    shutil.rmtree(tree)
    stamp.write_text(wanted)
    return guest


def _requirements() -> list[str]:
    """What the server needs, and its tests in the machine, as pyproject.toml asks for it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    server: list[str] = project["dependencies"]
    tests: Sequence[str] = project["optional-dependencies"]["test"]
    return server + [asked for asked in tests if asked.partition(">")[0] in TESTS_NEED]


def _fingerprint() -> str:
    """Changes whenever another system is asked for."""
    asked = [SUITE, PACKAGES, _requirements(), BOOT_MODULES, INIT]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _install_libraries(target: Path) -> None:
    wheels = ("--only-binary", ":all:", "--python-version", PYTHON)
    pip_install(prepare("test"), *wheels, "--target", target, *_requirements())


def _make_bootable(tree: Path) -> None:
    settings = tree / "etc/initramfs-tools"
    (settings / "conf.d").mkdir(exist_ok=True)
    (settings / "conf.d/few").write_text("MODULES=list\n")
    (settings / "modules").write_text("".join(f"{module}\n" for module in BOOT_MODULES))
    run("chroot", tree, "update-initramfs", "-u", "-k", "all", quiet=True)
    for mount_point in ("checkout", "result", "srv"):
        (tree / mount_point).mkdir(exist_ok=True)
    init = tree / "sbin/smbgate-guest"
    init.write_text(INIT)
    init.chmod(0o755)
