"""The suite of tests/vfs/conformance.py on every file system here, and every wrapper."""

from tests.vfs.conformance import *  # noqa: F403 - for pytest to find all tests
