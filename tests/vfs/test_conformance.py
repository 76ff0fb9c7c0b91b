"""The suite of tests/vfs/conformance on every file system here, and every wrapper."""

from tests.vfs.conformance.attributes import *  # noqa: F403 - for pytest to find all tests
from tests.vfs.conformance.finding import *  # noqa: F403 - for pytest to find all tests
from tests.vfs.conformance.listing import *  # noqa: F403 - for pytest to find all tests
from tests.vfs.conformance.moving import *  # noqa: F403 - for pytest to find all tests
from tests.vfs.conformance.transfers import *  # noqa: F403 - for pytest to find all tests
