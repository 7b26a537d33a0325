"""The rebuilt EfficientNet-Lite0 equals its source, with the package's weights where it is."""

import re

import numpy as np
import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.features.catalog import lite0_weights
from cyclegan_tf.features.efficientnet import build_lite0
from cyclegan_tf.foreign.torch_files import read_tensors
from tests.helpers.errors import refused

# As published: repeats, kernel, stride, expansion, input and output filters.
BLOCKS = """r1_k3_s1_e1_i32_o16 r2_k3_s2_e6_i16_o24 r2_k5_s2_e6_i24_o40 r3_k3_s2_e6_i40_o80
r3_k5_s1_e6_i80_o112 r4_k5_s2_e6_i112_o192 r1_k3_s1_e6_i192_o320""".split()


@pytest.fixture(scope="module")
def arrays():
    try:
        path = lite0_weights()
    except UserError as error:
        pytest.skip(str(error))
    return read_tensors(path)


def by_torch(arrays, images):
    """Features of RGB (N, H, W, 3), 0 to 255, as the source network computes them."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    weights = {name: torch.tensor(array) for name, array in arrays.items()}

    def convolution(x, name, norm, stride=1, groups=1, activation=True):
        kernel = weights[f"{name}.weight"]
        padding = []
        for side in (x.shape[3], x.shape[2]):
            total = max((-(-side // stride) - 1) * stride + kernel.shape[2] - side, 0)
            padding += [total // 2, total - total // 2]
        x = functional.conv2d(functional.pad(x, padding), kernel, None, stride, groups=groups)
        kinds = ("running_mean", "running_var", "weight", "bias")
        x = functional.batch_norm(x, *(weights[f"{norm}.{kind}"] for kind in kinds), eps=1e-3)
        return functional.relu6(x) if activation else x

    x = torch.tensor((images.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
    x, number = convolution(x, "_conv_stem", "_bn0", 2), 0
    for block in BLOCKS:
        repeats, _, stride, expansion, _, _ = map(int, re.findall(r"\d+", block))
        for place in range(repeats):
            name, given, step = f"_blocks.{number}", x, stride if place == 0 else 1
            if expansion > 1:
                x = convolution(x, f"{name}._expand_conv", f"{name}._bn0")
            depthwise = f"{name}._depthwise_conv"
            x = convolution(x, depthwise, f"{name}._bn1", step, groups=x.shape[1])
            x = convolution(x, f"{name}._project_conv", f"{name}._bn2", activation=False)
            x, number = (x + given if x.shape == given.shape else x), number + 1
    return convolution(x, "_conv_head", "_bn1").mean((2, 3)).numpy()


def test_it_equals_its_source_to_a_ten_thousandth(arrays, one_thread):
    network = build_lite0(arrays)
    assert not network.trainable_weights
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (2, 7, 6, 3))
    images = np.repeat(np.repeat(small, 13, 1), 15, 2)  # (2, 91, 90, 3): odd and even sides
    found = network((images / 255 * 2 - 1).astype(np.float32)).numpy()
    wanted = by_torch(arrays, images)
    assert found.shape == (2, 1280)
    assert 0 <= found.min() < 1 < found.max() <= 6
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.abs(wanted[0] - wanted[1]).max() > 0.1


def test_other_weights_are_refused(arrays):
    for change, message in (
        ({"_bn0.bias": None}, "the weights _bn0.bias are missing"),
        ({"_bn9.bias": np.zeros(3)}, "no place for the weights _bn9.bias"),
        ({"_conv_head.weight": np.zeros((8, 320, 1, 1))}, "weights of conv_head have other shapes"),
    ):
        changed = {name: array for name, array in (arrays | change).items() if array is not None}
        with refused("mismatch", match=message):
            build_lite0(changed)
