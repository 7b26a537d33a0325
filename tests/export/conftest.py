"""Fixtures of the export tests."""

import pytest

from tests.helpers import fake_npm


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """The folder of the fake npm's packages."""
    return fake_npm.install(tmp_path, monkeypatch)
