"""Conversion: each variant computes what it should, with operations that phones have."""

import numpy as np
import pytest

from cyclegan_tf.export.formats import VARIANTS
from cyclegan_tf.export.litert.converter import MIN_PSNR_DB, Converter
from cyclegan_tf.export.litert.runtime import LiteRTModel, delegated_share, operations_of
from cyclegan_tf.metrics.image_quality import psnr
from cyclegan_tf.networks.builders import build_generator

SIZE = 32


@pytest.fixture(scope="module", params=[False, True], ids=["paper", "modern"])
def network(request):
    modern = {"color_skip": True, "long_skips": True} if request.param else {}
    network = build_generator("resnet_6blocks", filters=8, blocks=1, seed=4, **modern)
    if request.param:
        turned = np.array([[0.9, 0.2, -0.1], [0.0, 0.7, 0.3], [-0.2, 0.1, 1.1]])
        network.get_layer("colour_skip").initialize(turned, np.array([0.2, 0.0, -0.3]))
    for variable in network.trainable_variables:
        if variable.name == "kernel":
            variable.assign(variable.numpy() * 4)
    return network


def images(count, seed):
    """Smooth, as photographs are."""
    small = np.random.default_rng(seed).uniform(-1, 1, (count, 4, 4, 3))
    return np.repeat(np.repeat(small, SIZE // 4, axis=1), SIZE // 4, axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def converted(network):
    converter = Converter(network, SIZE, lambda: images(8, 0))
    return {variant: converter.convert(variant) for variant in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_is_within_its_bound(converted, network, variant):
    given = images(4, 1)
    model = LiteRTModel(converted[variant])
    assert model.shape == (1, SIZE, SIZE, 3)
    outputs, wanted = model(given), network(given).numpy()
    assert wanted.std() > 0.1
    assert psnr(outputs, wanted) > MIN_PSNR_DB[variant]


def test_quantized_files_are_small(converted):
    whole = len(converted["float32"])
    assert len(converted["float16"]) < 0.62 * whole
    assert len(converted["int8"]) < 0.45 * whole
    assert len(converted["dynamic_int8"]) < 0.45 * whole


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_that_phones_lack_and_one_delegate_for_all(converted, variant):
    found = operations_of(converted[variant])
    assert not {"SHAPE", "PACK", "MIRROR_PAD", "GATHER", "CUSTOM"} & set(found)
    assert not any(name.startswith("Flex") for name in found)
    assert delegated_share(converted[variant]) == 1.0


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("fast_style", {"upsampling": "resize"}),
        ("fast_style", {"upsampling": "antialiased"}),
        ("unet_128", {}),
        ("unet_128", {"upsampling": "resize"}),
    ],
)
def test_other_networks_stay_in_one_delegate(architecture, options):
    size = 128 if architecture == "unet_128" else SIZE
    network = build_generator(architecture, filters=4, seed=4, **options)
    assert delegated_share(Converter(network, size, lambda: None).convert("float32")) == 1.0


def test_int8_multiplies_in_8_bits_and_normalizes_in_float(converted):
    nodes = LiteRTModel(converted["int8"], delegate=False)
    kinds = {detail["index"]: detail["dtype"] for detail in nodes._interpreter.get_tensor_details()}
    for node in nodes.nodes():
        first = kinds[int(node["inputs"][-1 if node["op_name"] == "TRANSPOSE_CONV" else 0])]
        if node["op_name"] in ("CONV_2D", "TRANSPOSE_CONV"):
            assert first in (np.int8, np.int32)
        elif node["op_name"] in ("MEAN", "SQUARED_DIFFERENCE", "RSQRT", "TANH"):
            assert first == np.float32


def test_calibration_images_are_asked_for_only_when_needed():
    def never():
        raise AssertionError

    network = build_generator("resnet_6blocks", filters=4, blocks=1)
    converter = Converter(network, SIZE, never)
    converter.convert("dynamic_int8")
    with pytest.raises(AssertionError):
        converter.convert("int8")
