"""The compiled copy of the packages: it is the same program."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiled import compiled_environment

ROOT = Path(__file__).parents[2]
TESTED = ("acl", "crypto", "fuse", "nt", "protocol", "server", "share", "smb", "transport", "vfs", "wire")
"""What goes through compiled modules."""


@pytest.fixture(scope="module")
def compiled():
    """An environment in which the compiled packages are imported."""
    return os.environ | compiled_environment()


def run(environment, *arguments):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500, check=False)


def waiting_clauses(source):
    """The lines of what waits within `except` or `finally`, and of every `async with`."""
    tree = ast.parse(source)
    found = {one.lineno for one in ast.walk(tree) if isinstance(one, ast.AsyncWith)}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Try | ast.TryStar):
            for clause in (*statement.finalbody, *statement.handlers):
                for one in ast.walk(clause):
                    if isinstance(one, ast.Await | ast.AsyncFor):
                        found.add(one.lineno)
                    elif isinstance(one, ast.comprehension) and one.is_async:
                        found.add(one.target.lineno)
    return sorted(found)


def test_no_module_awaits_in_except_or_finally(monkeypatch):
    """mypyc would raise, at the end of the clause, what somebody further out is handling just then."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    for module in importlib.import_module("compiling").MODULES:
        assert (module, waiting_clauses((ROOT / module).read_text())) == (module, [])


def test_no_module_keeps_something_for_each_thread(monkeypatch):
    """A compiled class is one for all threads, even if it inherits from `threading.local`."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    for module in importlib.import_module("compiling").MODULES:
        classes = [one for one in ast.walk(ast.parse((ROOT / module).read_text())) if isinstance(one, ast.ClassDef)]
        bases = [ast.unparse(base) for one in classes for base in one.bases]
        assert (module, [base for base in bases if base.endswith("local")]) == (module, [])


def test_what_is_looked_for_is_found():
    source = """
async def one():
    try:
        await nothing()
    except OSError as error:
        await something()
    else:
        await nothing()
    finally:
        async for each in something():
            pass
        some = [one async for one in something()]
    async with something():
        pass
"""
    assert waiting_clauses(source) == [6, 10, 12, 13]


@pytest.mark.parametrize(("compiler", "times"), [("gcc", 2), ("clang", 1), ("none", 1)])
def test_only_gcc_learns_from_load(monkeypatch, tmp_path, compiler, times):
    """Others have other options for it."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    said = {"gcc": "gcc 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.", "clang": "clang version 14.0.6"}
    program = tmp_path / "cc"
    if compiler in said:
        program.write_text(f"#!/bin/sh\necho '{said[compiler]}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("CC", f"{program} -pthread")
    compiling = importlib.import_module("compiling")
    steps = compiling._steps(tmp_path, "/counts")
    assert len(steps) == times
    assert steps[-1][1] is None
    name = compiling._fingerprint()
    monkeypatch.delenv("CC")
    assert compiling._fingerprint() == name


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_it_says_what_it_is(compiled):
    assert run(compiled, "gateway", "--version").stdout.endswith("(compiled)\n")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_wheel_of_it_is_installed_without_a_compiler(compiled, tmp_path):
    environment = os.environ | {"PATH": "/nowhere"}
    command = [sys.executable, ROOT / "scripts/packing.py", tmp_path / "wheels"]
    subprocess.run(command, env=environment, check=True, timeout=300)
    (wheel,) = (tmp_path / "wheels").iterdir()
    place = tmp_path / "place"
    assert run(environment, "pip", "install", "--no-index", "--no-deps", "--target", place, wheel).returncode == 0
    environment |= {"PYTHONPATH": str(place), "PYTHONSAFEPATH": "1"}
    assert run(environment, "gateway", "--version").stdout.endswith("(compiled)\n")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_unit_tests_pass(compiled):
    """The tests of this checkout, with the packages of the other place."""
    places = [f"tests/{name}" for name in TESTED]
    options = ("--import-mode=append", "-o", "pythonpath=", "-p", "no:cacheprovider", "-m", "not replaces and not slow")
    done = run(compiled, "pytest", "-q", *options, *places)
    assert done.returncode == 0, done.stdout[-10_000:]
