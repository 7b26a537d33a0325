"""Fixtures of the export tests."""

import pytest
from filelock import FileLock

from tests.helpers import fake_npm


@pytest.fixture(scope="session")
def tiny_export(tiny_run):
    """An export of `tiny_run` at 32 px: xy in all variants, yx as float32; read only.

    Made once for all workers.
    """
    from cyclegan_tf.export import command as export

    out, making = tiny_run.parent / "export", tiny_run.parent / "export_making"
    words = [str(tiny_run), str(making), "--allow_lossy", "--size_px", "32", "--quiet"]
    with FileLock(tiny_run.parent / "export.lock"):
        if not out.is_dir():
            assert export.main([*words, "--direction", "xy"]) == 0
            assert export.main([*words, "--direction", "yx", "--variants", "float32"]) == 0
            making.rename(out)
    return out


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """The folder of the fake npm's packages."""
    return fake_npm.install(tmp_path, monkeypatch)
