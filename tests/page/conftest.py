"""A real browser for the page's tests."""

import pytest

from tests.browser import hosting


@pytest.fixture(scope="session")
def scripts(tmp_path_factory):
    """The folder of the browser's driver, with its npm packages; once for each worker."""
    hosting.need("node", "npm")
    hosting.chromium()
    return hosting.install(tmp_path_factory.mktemp("browser"))


@pytest.fixture
def visit(scripts, tmp_path):
    """Plays a scenario at an address; see `hosting.drive`."""
    return lambda scenario, url, **config: hosting.drive(
        scripts, tmp_path / "out", scenario, url, **config
    )
