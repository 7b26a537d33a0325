"""Layers found again: in built networks, in networks out of files, in those of other makes."""

import keras
import pytest

from cyclegan_tf.networks.builders import build_generator, with_dtype_policy
from cyclegan_tf.networks.landmarks import (
    block_ends,
    color_skip_join,
    last_kernel_layer,
    long_skip_joins,
)
from tests.helpers import foreign


def found(network):
    join = color_skip_join(network)
    return (
        [layer.name for layer in block_ends(network)],
        [layer.name for layer in long_skip_joins(network)],
        join and join.name,
        last_kernel_layer(network).name,
    )


CASES = [
    (
        {"architecture": "resnet_6blocks", "blocks": 11, "color_skip": True, "long_skips": True},
        (
            [f"block{index}_add" for index in range(1, 12)],
            ["up1_long_skip", "up2_long_skip"],
            "colour_skip_add",
            "last",
        ),
    ),
    ({"architecture": "fast_style", "blocks": 1}, (["block1_add"], [], None, "last")),
    ({"architecture": "unet_128", "color_skip": True}, ([], [], "colour_skip_add", "up1")),
]


@pytest.mark.parametrize(("options", "expected"), CASES)
def test_every_landmark_survives_a_file_and_a_copy(tmp_path, options, expected):
    network = build_generator(filters=1, seed=0, **options)
    assert found(network) == expected
    network.save(tmp_path / "n.keras")
    loaded = keras.saving.load_model(tmp_path / "n.keras")
    assert found(loaded) == expected
    assert found(with_dtype_policy(loaded, "mixed_bfloat16", any_size=True)) == expected


def test_networks_of_other_makes_have_none_but_a_last_kernel():
    assert found(foreign.network()) == ([], [], None, "decode_2")
