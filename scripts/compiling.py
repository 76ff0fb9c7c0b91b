"""What `scripts/compile` does: a copy of the packages with the modules of the data path compiled by mypyc.

The copy stands beside the checkout, under a name that follows from all that went into it: so a changed source leads to
another copy, never to an old one. It runs with the environment's Python, which has mypy and setuptools.

With GCC it is compiled twice. The first copy counts which way requests take while a little load is put on it; by that
the second is laid out, so that what is used stands together: up to a tenth less CPU for asking about files and
deleting them.
"""

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from environment import ROOT, STATE, fail, say

__all__ = ["MODULES", "compiled_tree", "run_setup"]

PACKAGES = ("acl", "gateway", "vfs_backends")
MODULES = (
    "acl/access.py",
    "acl/mask.py",
    "gateway/crypto/sealing.py",
    "gateway/crypto/signing.py",
    "gateway/fuse/answering.py",
    "gateway/fuse/attributes.py",
    "gateway/fuse/callers.py",
    "gateway/fuse/core.py",
    "gateway/fuse/directories.py",
    "gateway/fuse/driven.py",
    "gateway/fuse/errors.py",
    "gateway/fuse/files.py",
    "gateway/fuse/inodes.py",
    "gateway/fuse/keeping.py",
    "gateway/fuse/metadata.py",
    "gateway/fuse/names.py",
    "gateway/fuse/notifier.py",
    "gateway/fuse/opened.py",
    "gateway/fuse/restoring.py",
    "gateway/fuse/turns.py",
    "gateway/nt/info.py",
    "gateway/nt/names.py",
    "gateway/nt/time.py",
    "gateway/nt/upcase.py",
    "gateway/protocol/connection.py",
    "gateway/protocol/credits.py",
    "gateway/protocol/dialect.py",
    "gateway/protocol/framing.py",
    "gateway/protocol/message.py",
    "gateway/protocol/security.py",
    "gateway/share/access.py",
    "gateway/share/archiving.py",
    "gateway/share/auditing.py",
    "gateway/share/breaking.py",
    "gateway/share/breaks.py",
    "gateway/share/changing.py",
    "gateway/share/closing.py",
    "gateway/share/creating.py",
    "gateway/share/deleting.py",
    "gateway/share/disconnected.py",
    "gateway/share/entering.py",
    "gateway/share/extended.py",
    "gateway/share/granting.py",
    "gateway/share/initialising.py",
    "gateway/share/intent.py",
    "gateway/share/leases.py",
    "gateway/share/listing.py",
    "gateway/share/locks.py",
    "gateway/share/memory_table.py",
    "gateway/share/notify.py",
    "gateway/share/opens.py",
    "gateway/share/parents.py",
    "gateway/share/paths.py",
    "gateway/share/preconditions.py",
    "gateway/share/reaching.py",
    "gateway/share/record.py",
    "gateway/share/remembered.py",
    "gateway/share/removing.py",
    "gateway/share/settings.py",
    "gateway/share/share.py",
    "gateway/share/sharemodes.py",
    "gateway/share/table.py",
    "gateway/smb/answer.py",
    "gateway/smb/clients.py",
    "gateway/smb/commands/close.py",
    "gateway/smb/commands/create.py",
    "gateway/smb/commands/echo.py",
    "gateway/smb/commands/query_directory.py",
    "gateway/smb/commands/query_info.py",
    "gateway/smb/commands/read.py",
    "gateway/smb/commands/set_info.py",
    "gateway/smb/commands/write.py",
    "gateway/smb/compound.py",
    "gateway/smb/connection.py",
    "gateway/smb/context.py",
    "gateway/smb/contexts/lease.py",
    "gateway/smb/dispatch.py",
    "gateway/smb/exports.py",
    "gateway/smb/hiding.py",
    "gateway/smb/inflight.py",
    "gateway/smb/info/buffers.py",
    "gateway/smb/info/directory.py",
    "gateway/smb/info/ea.py",
    "gateway/smb/info/file.py",
    "gateway/smb/info/setfile.py",
    "gateway/smb/info/stat.py",
    "gateway/smb/limits.py",
    "gateway/smb/opens.py",
    "gateway/smb/pending.py",
    "gateway/smb/registry.py",
    "gateway/smb/search.py",
    "gateway/smb/service.py",
    "gateway/smb/session.py",
    "gateway/smb/tree.py",
    "gateway/smb/views.py",
    "gateway/transport/arrival.py",
    "gateway/transport/budget.py",
    "gateway/transport/delivery.py",
    "gateway/transport/hub.py",
    "gateway/transport/lookout.py",
    "gateway/transport/outbox.py",
    "gateway/wire/change_notify.py",
    "gateway/wire/close.py",
    "gateway/wire/create.py",
    "gateway/wire/echo.py",
    "gateway/wire/header.py",
    "gateway/wire/layout.py",
    "gateway/wire/output.py",
    "gateway/wire/pieces.py",
    "gateway/wire/query_directory.py",
    "gateway/wire/query_info.py",
    "gateway/wire/read.py",
    "gateway/wire/set_info.py",
    "gateway/wire/write.py",
    "vfs_backends/api.py",
    "vfs_backends/extent.py",
    "vfs_backends/folding.py",
    "vfs_backends/handle.py",
    "vfs_backends/inline.py",
    "vfs_backends/posix/annotated_handles.py",
    "vfs_backends/posix/attributes.py",
    "vfs_backends/posix/changes.py",
    "vfs_backends/posix/descriptor_handles.py",
    "vfs_backends/posix/descriptors.py",
    "vfs_backends/posix/directory.py",
    "vfs_backends/posix/extents.py",
    "vfs_backends/posix/failures.py",
    "vfs_backends/posix/filesystem.py",
    "vfs_backends/posix/handles.py",
    "vfs_backends/posix/identity.py",
    "vfs_backends/posix/index.py",
    "vfs_backends/posix/leased_handles.py",
    "vfs_backends/posix/made.py",
    "vfs_backends/posix/names.py",
    "vfs_backends/posix/permission_marks.py",
    "vfs_backends/posix/permissions.py",
    "vfs_backends/posix/personalities.py",
    "vfs_backends/posix/remains.py",
    "vfs_backends/posix/resolve.py",
    "vfs_backends/posix/ring.py",
    "vfs_backends/posix/searching.py",
    "vfs_backends/posix/sidestore.py",
    "vfs_backends/posix/stats.py",
    "vfs_backends/posix/stream_handles.py",
    "vfs_backends/posix/syscalls.py",
    "vfs_backends/posix/threads.py",
    "vfs_backends/posix/volume.py",
    "vfs_backends/posix/watch.py",
    "vfs_backends/posix/xattrs.py",
    "vfs_backends/records.py",
)
"""What a request passes through on its way from the socket to the storage, and its answer on the way back.

They call each other as C functions do. A class of theirs can only be inherited from by modules that are compiled too,
unless it says otherwise (`vfs_backends.native`); the same goes for who has the methods of a protocol that one of
them declares. A class that inherits from one that is not compiled costs as much as that. What a subclass of such a
class may have in another way must be a method or a property. A constant is one where it is `Final`.
None of them awaits anything in `except` or `finally`, nor has an `async with`: at the end mypyc would raise what
somebody further out is handling just then. `gateway.uncompiled`, which must not stand here, has what they need instead.
None has anything that each thread has its own of: a compiled class is one for all of them.
"""

_BUILD = """
import json, subprocess, sys
from mypyc.build import mypycify
from setuptools import setup
steps, modules = json.loads(sys.argv[1]), sys.argv[2:]
sys.argv = ["compile", "--quiet", "build_ext", "--inplace", "--force"]
extensions = mypycify(modules, opt_level="2", debug_level="0")
given = [list(extension.extra_compile_args) for extension in extensions]
for options, then in steps:
    for extension, arguments in zip(extensions, given):
        # What no other library can see is called directly, or not at all where it is small; what is Python's, without
        # a detour.
        extension.extra_compile_args = [*arguments, "-fvisibility=hidden", "-fno-plt", *options]
        extension.extra_link_args = options
    setup(name="compiled", packages=[], ext_modules=extensions)
    if then:
        subprocess.run(**then, check=True)
"""
_COUNTED = ("-fprofile-generate={}",)
_TRAINED = ("-fprofile-use={}", "-fprofile-partial-training", "-Wno-missing-profile", "-Wno-coverage-mismatch")
"""What the load did not come by is compiled as it would be without."""
_COMPLETE = ".complete"


def compiled_tree() -> Path:
    """The directory to import from; it is made if there is none for the sources as they are."""
    tree = STATE / "compiled" / _fingerprint()
    if not (tree / _COMPLETE).exists():
        how_long = "a quarter of an hour" if _is_gcc() else "some minutes"
        say(f"compiling {len(_modules())} modules, which takes {how_long}")
        tree.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tree.parent) as name:
            made = Path(name) / "tree"
            _build(made)
            shutil.rmtree(tree, ignore_errors=True)
            made.rename(tree)
    return tree


def _modules() -> list[str]:
    """What can be compiled here: the mount's modules only where there is the package that they use."""
    mount = find_spec("pyfuse3") is not None
    return [module for module in MODULES if mount or not module.startswith("gateway/fuse/")]


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix == ".py" or path.name == "py.typed":
                yield path.relative_to(ROOT)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    # Not of the compiler: what it has made is good where there is none any more.
    for part in (sys.version, platform.machine(), version("mypy"), _BUILD, *_COUNTED, *_TRAINED, *_modules()):
        digest.update(part.encode() + b"\0")
    for path in _sources():
        digest.update(str(path).encode() + b"\0" + hashlib.sha256((ROOT / path).read_bytes()).digest())
    return digest.hexdigest()[:20]


def _build(tree: Path) -> None:
    for path in _sources():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, tree / path)
    with tempfile.TemporaryDirectory() as counts:
        steps = json.dumps(_steps(tree, counts))
        run_setup(_BUILD, steps, *_modules(), tree=tree, failure="the modules could not be compiled")
        # GCC is silent about what it has no counts of, as it has to be for modules that the load does not come by.
        if _is_gcc() and not any(Path(counts).rglob("*.gcda")):
            fail("the copy that was to count which way requests take has left no counts")
    shutil.rmtree(tree / "build")
    (tree / _COMPLETE).touch()


def _steps(tree: Path, counts: str) -> list[tuple[list[str], dict[str, object] | None]]:
    """What options to compile with, each time, and what to run then, as `subprocess.run` takes it."""
    if not _is_gcc():
        return [([], None)]
    load: dict[str, object] = {"args": [sys.executable, "-m", "tests.bench.training", str(tree)], "cwd": str(ROOT)}
    return [([one.format(counts) for one in _COUNTED], load), ([one.format(counts) for one in _TRAINED], None)]


def _is_gcc() -> bool:
    """Whether it is GCC that Python has things compiled with: the options of others differ."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    try:
        said = subprocess.run([*command, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
    except OSError:
        return False
    return "Free Software Foundation" in said


def run_setup(code: str, *arguments: str | Path, tree: Path, failure: str) -> None:
    """Run code that calls setuptools in a tree of packages; if it fails, tell what it said, and end with `failure`."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tree,
        env=dict(os.environ) | {"MYPYPATH": str(tree)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout, end="")
        fail(failure)


if __name__ == "__main__":
    print(compiled_tree())
