"""A user's own segmenter, out of Keras's file or ONNX's, asked about an image."""

import keras
import numpy as np
import pytest

from cyclegan_tf.evaluate.segmenter import Segmenter, open_segmenter
from tests.helpers import tiny_segmenters
from tests.helpers.errors import refused

IMAGE = np.random.default_rng(0).uniform(-1, 1, (8, 12, 3)).astype(np.float32)
BRIGHT = (IMAGE.mean(-1) > 0).astype(int)


def test_a_keras_file(tmp_path):
    path = tiny_segmenters.in_keras(tmp_path / "s.keras")
    segmenter = open_segmenter(path, 3, (0, 255))
    assert segmenter.classes == 2
    np.testing.assert_array_equal(segmenter(IMAGE), BRIGHT)


@pytest.mark.parametrize(("first", "whole"), [(True, False), (False, False), (True, True)])
def test_an_onnx_file(tmp_path, first, whole):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    path = tiny_segmenters.in_onnx(tmp_path / "s.onnx", first, whole)
    segmenter = open_segmenter(path, 3, (0, 1))
    assert segmenter.classes == (255 if whole else 2)
    np.testing.assert_array_equal(segmenter(IMAGE), BRIGHT)


@pytest.mark.parametrize("values", [[[0.2, 0.7]], [[-3.0, 5.0]]])
def test_one_score_is_that_of_the_second_class(values):
    answer = np.array(values, np.float32)[..., np.newaxis]
    found = Segmenter(2, lambda image: answer)(np.zeros((2, 4, 3), np.float32))
    np.testing.assert_array_equal(found, [[0, 0, 1, 1]] * 2)  # and a small answer is enlarged


def test_what_is_no_segmenter_is_refused(tmp_path):
    inputs = keras.Input((None, None, 3))
    pooled = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    pooled.save(tmp_path / "c.keras")
    with refused("unsupported", "--segmenter", match="a map of classes is wanted"):
        open_segmenter(tmp_path / "c.keras", 3, (0, 1))
    pytest.importorskip("onnxruntime")
    with refused("missing", "--segmenter"):
        open_segmenter(tmp_path / "none.onnx", 3, (0, 1))
    (tmp_path / "damaged.onnx").write_bytes(b"no")
    with refused("unreadable", "--segmenter", match="cannot be opened by ONNX Runtime"):
        open_segmenter(tmp_path / "damaged.onnx", 3, (0, 1))
    pytest.importorskip("onnx")
    path = tiny_segmenters.in_onnx(tmp_path / "s.onnx", first=False)
    with refused("mismatch", "--segmenter", match="1 channels here"):
        open_segmenter(path, 1, (0, 1))
