"""A network cut at its normalizations: the stages together are the network."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import addons
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.contrib import ContribInstanceNormalization
from cyclegan_tf.networks.graph import INPUT
from cyclegan_tf.networks.shared_normalization import (
    set_momentum,
    shared_layers,
    with_shared_normalization,
)
from cyclegan_tf.translate.tiling.stages import (
    TileTensorFiles,
    plan_stages,
    relative_cost,
    sized_calls,
)

SIDE = 32
KINDS = {
    "resnet": {"architecture": "resnet_6blocks", "blocks": 1, "dropout": True},
    "bfloat16": {"architecture": "resnet_6blocks", "blocks": 1, "dtype_policy": "mixed_bfloat16"},
    "skips": {
        "architecture": "resnet_6blocks",
        "blocks": 1,
        "color_skip": True,
        "long_skips": True,
    },
    "resize": {
        "architecture": "resnet_6blocks",
        "blocks": 1,
        "upsampling": "resize",
        "norm_affine": True,
    },
    "unet": {"architecture": "unet_128", "side": 128},
    "batch": {"architecture": "resnet_6blocks", "blocks": 1, "norm": "batch"},
}


def built(kind):
    options = dict(KINDS[kind])
    side = options.pop("side", SIDE)
    return with_shared_normalization(build_generator(filters=2, seed=3, **options)), side


@pytest.mark.parametrize(
    ("kind", "keeping"), [*((kind, True) for kind in KINDS), ("resnet", False)]
)
def test_the_stages_together_are_the_network(kind, keeping, tmp_path):
    network, side = built(kind)
    image = np.random.default_rng(0).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)
    expected = network(image).numpy()  # at rate 1: keeps the image's own statistics
    set_momentum(network, 0)
    stages = plan_stages(sized_calls(network, image.shape), keeping)
    assert [stage.norm for stage in stages] == [*shared_layers(network), None]
    kept, tile = TileTensorFiles(tmp_path), (0, 0)
    for stage in stages:
        given = [tf.constant(image) if n == INPUT else kept.get(tile, n) for n in stage.inputs]
        result, *keeps = stage.graph()(*given)
        for number in stage.frees:
            kept.free(tile, number)
        for number, values in zip(stage.outputs[1:], keeps, strict=True):
            kept.put(tile, number, values)
        if stage.norm is not None:
            mean, variance = tf.nn.moments(tf.cast(result, tf.float32), (0, 1, 2))
            np.testing.assert_allclose(
                mean, stage.norm.mean, atol=2e-2 if kind == "bfloat16" else 1e-5
            )
            np.testing.assert_allclose(
                variance, stage.norm.variance, rtol=2e-2 if kind == "bfloat16" else 1e-4
            )
        # what lies in the folder is what was planned
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) == stage.kept_bytes
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_allclose(result, expected, atol=3e-2 if kind == "bfloat16" else 1e-5)


def test_many_stages_are_not_taken_for_one_that_is_traced_too_often(caplog):
    network = with_shared_normalization(
        build_generator("resnet_6blocks", blocks=1, filters=2, seed=3)
    )
    stages = plan_stages(sized_calls(network, (1, 16, 16, 3)), keeping=False)
    assert len(stages) == 8
    for stage in stages:
        stage.graph()(tf.random.uniform((1, 16, 16, 3)))
    assert "retracing" not in caplog.text


def test_keeping_costs_little_more_than_one_pass_and_not_keeping_half_as_many_as_norms():
    network = with_shared_normalization(build_generator("resnet_9blocks", filters=2, seed=3))
    calls = sized_calls(network, (1, 64, 64, 3))
    assert len(shared_layers(network)) == 23
    assert relative_cost(calls, plan_stages(calls, keeping=True)) < 1.5
    assert 8 < relative_cost(calls, plan_stages(calls, keeping=False)) < 16


def test_the_work_is_counted_as_by_hand():
    x = inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, 2, padding="same")(x)
    x = keras.layers.Conv2DTranspose(5, 4, 2, padding="same")(x)
    calls = sized_calls(keras.Model(inputs, x), (1, 8, 16, 3))
    assert [call.shape for call in calls] == [(1, 4, 8, 4), (1, 8, 16, 5)]
    assert [call.products for call in calls] == [4 * 8 * 3 * 3 * 3 * 4, 4 * 8 * 4 * 4 * 4 * 5]
    assert [call.bytes for call in calls] == [4 * 4 * 8 * 4, 4 * 8 * 16 * 5]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            lambda: keras.layers.GroupNormalization(-1, name="n"),
            r"its layer n \(GroupNormalization\) looks at all",
        ),
        (
            lambda: addons.GroupNormalization(2, name="n"),
            r"its layer n \(GroupNormalization\) looks at all",
        ),
        (
            lambda: ContribInstanceNormalization(name="n"),
            r"its layer n \(ContribInstanceNormalization\) looks at all",
        ),
        (
            lambda: keras.Sequential([keras.layers.ReLU()], name="part"),
            r"part \(Sequential\) is not a layer",
        ),
        (lambda: keras.ops.abs, "is not a layer on its own"),
    ],
)
def test_a_network_that_cannot_be_cut_is_refused(layer, message):
    inputs = keras.Input((None, None, 4))
    with pytest.raises(UserError, match=message) as caught:
        sized_calls(keras.Model(inputs, layer()(inputs)), (1, 16, 16, 4))
    assert "leave --tile_px out" in str(caught.value)
    assert (caught.value.code, caught.value.field) == ("unsupported", "--tile_px")
