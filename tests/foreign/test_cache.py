"""The folder for what was fetched."""

from pathlib import Path

import pytest

from cyclegan_tf.foreign.cache import cache_folder


@pytest.mark.parametrize(
    ("platform", "below"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_the_platforms_own_folder_unless_another_is_named(monkeypatch, tmp_path, platform, below):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder("x") == tmp_path / below / "cyclegan_tf" / "x"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert cache_folder("x") == tmp_path / "other" / "cyclegan_tf" / "x"
