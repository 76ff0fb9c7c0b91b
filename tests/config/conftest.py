"""What the tests of the configuration share."""

import pytest


@pytest.fixture
def paths_by_client(monkeypatch):
    """As if the server could do what the configuration can say."""
    monkeypatch.setattr("gateway.config.consistency.PATHS_BY_CLIENT", True)
