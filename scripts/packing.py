"""What `scripts/compile --wheel` does: a wheel of the compiled copy, for machines that have no compiler.

It is good for the same version of Python, on the same kind of machine with the same C library or a newer one.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from compiling import compiled_tree, run_setup
from environment import ROOT, say

__all__ = ["make_wheel"]

_PACK = """
import shutil, sys
from pathlib import Path
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class Copied(build_ext):
    def build_extension(self, ext):
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.get_ext_filename(ext.name), target)

made = [".".join(path.parts[:-1] + (path.name.split(".")[0],)) for path in Path().rglob("*.so")]
directory, sys.argv = sys.argv[1], ["pack", "--quiet", "bdist_wheel", "--dist-dir", sys.argv[1]]
setup(ext_modules=[Extension(name, []) for name in made], cmdclass={"build_ext": Copied})
"""


def make_wheel(directory: Path) -> Path:
    """Put a wheel of the program as it is, compiled, into `directory`; where it is then."""
    tree = compiled_tree()
    say(f"packing {tree.name}")
    with tempfile.TemporaryDirectory(dir=tree.parent) as name:
        copy, packed = Path(name) / "copy", Path(name) / "packed"
        shutil.copytree(tree, copy)
        for file in ("pyproject.toml", "README.md"):
            shutil.copy2(ROOT / file, copy)
        run_setup(_PACK, packed, tree=copy, failure="the compiled packages could not be packed")
        (wheel,) = packed.iterdir()
        directory.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(wheel, directory / wheel.name))


if __name__ == "__main__":
    print(make_wheel(Path(sys.argv[1])))
