"""The extractor as the protocol describes it; its network is held in test_efficientnet.py."""

import importlib.util

import keras
import numpy as np

from cyclegan_tf.features import lite0
from tests.helpers.errors import refused


def test_the_file_goes_through_reader_and_builder(monkeypatch, tmp_path):
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    monkeypatch.setattr(lite0, "read_tensors", lambda path: {"of": path})
    monkeypatch.setattr(lite0, "build_lite0", lambda arrays: arrays == {"of": tmp_path} and network)
    found = lite0.open_lite0(tmp_path).features([np.full((3, 9, 3), 255, np.uint8)])
    np.testing.assert_allclose(found, [[1, 1, 1]], atol=1e-6)
    assert "not FID and KID" in lite0.PROTOCOL


def test_a_missing_package_names_the_option(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with refused("dependency", "training.best_metric", match=r"best_metric kid_lite0: the package"):
        lite0.open_lite0(asked="training.best_metric kid_lite0")
