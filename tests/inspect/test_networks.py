"""Networks in one line and as rows of a report."""

import json

import keras
import pytest

from cyclegan_tf.inspect.networks import describe_network, summarize_network
from cyclegan_tf.networks.builders import build_discriminator, build_generator


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (
            lambda: build_generator("resnet_9blocks", filters=2),
            "residual generator, 9 blocks, 2 filters, instance norm",
        ),
        (
            lambda: build_generator(
                "fast_style", filters=3, upsampling="resize", dropout=True, color_skip=True
            ),
            "residual generator, 4 blocks, 3 filters, 9x9 ends, instance norm, enlarging by "
            "resize and convolution, dropout, color skip",
        ),
        (
            lambda: build_generator("fast_style", filters=3, upsampling="antialiased"),
            "residual generator, 4 blocks, 3 filters, 9x9 ends, instance norm, anti-aliased",
        ),
        (
            lambda: build_generator("mobile", filters=3, long_skips=True),
            "residual generator, 6 blocks, 3 filters, 3x3 ends, depthwise-separable, instance "
            "norm, enlarging by resize and convolution, long skips",
        ),
        (
            lambda: build_generator("unet_128", filters=1, norm_affine=True),
            "U-Net, 7 halvings, 1 filters, instance norm with factor and offset",
        ),
        (
            lambda: build_discriminator(filters=2, n_layers=3, norm="batch"),
            "PatchGAN discriminator, 3 layers, 2 filters, batch norm",
        ),
        (
            lambda: build_discriminator("pixel", filters=2),
            "pixel discriminator, 2 filters, instance norm",
        ),
    ],
)
def test_ours_in_words(network, words):
    assert describe_network(network()) == words


def test_others_in_kinds_of_layers_those_within_models_too():
    inner = keras.Sequential([keras.layers.Conv2D(1, 3), keras.layers.ReLU()])
    inputs = keras.Input((8, 8, 1))
    assert (
        describe_network(keras.Model(inputs, keras.layers.Conv2D(1, 1)(inner(inputs))))
        == "Functional of 2 Conv2D, 1 ReLU"
    )


def test_the_papers_networks():
    generator = summarize_network(build_generator("resnet_9blocks", seed=0), 256)
    assert (generator["parameters"], generator["size_divisor_px"], generator["macs_at_px"]) == (
        11_378_179,
        4,
        256,
    )
    assert generator["macs_published"] == pytest.approx(56.8e9, rel=1e-3)
    discriminator = summarize_network(build_discriminator(seed=0), 256)
    assert (
        discriminator["parameters"],
        discriminator["receptive_field_px"],
        discriminator["size_divisor_px"],
    ) == (
        2_764_737,
        70,
        None,
    )
    assert json.loads(json.dumps([generator, discriminator])) == [generator, discriminator]


def test_a_size_that_does_not_fit_becomes_the_next_that_does():
    network = build_generator("resnet_6blocks", filters=1, blocks=1, seed=0)
    assert [summarize_network(network, size)["macs_at_px"] for size in (8, 9, 12)] == [8, 12, 12]
    fixed = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(1, 1)])
    assert (summarize_network(fixed, 256)["macs_at_px"], summarize_network(fixed, 256)["macs"]) == (
        32,
        32 * 32 * 3,
    )


def test_what_is_unknown_is_noted():
    small = summarize_network(build_discriminator(filters=1, n_layers=3, seed=0), 8)
    assert small["macs"] is None
    assert "images of 8 px do not go through it" in small["notes"][0]
    inputs = keras.Input((8, 8, 1))
    odd = summarize_network(
        keras.Model(inputs, keras.layers.Resizing(4, 4, name="shrink")(inputs)), 8
    )
    assert (odd["receptive_field_px"], odd["macs"]) == (None, 0)
    assert odd["notes"] == [
        "what shrink (Resizing) looks at is not known, so there is no receptive field"
    ]
    vector = summarize_network(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), 8)
    assert vector["parameters"] == 10
    assert "takes no images" in vector["notes"][0]


def test_rows_and_columns_that_differ_are_both_reported():
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, (3, 5))])
    assert summarize_network(network, 16)["receptive_field_px"] == [3, 5]
