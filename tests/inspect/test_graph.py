"""Numbers of a network against hand counts, published figures, and what gradients see."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.inspect import graph
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.networks.graph import layer_calls


class TestMacs:
    def test_of_a_discriminator_by_hand(self):
        network = build_discriminator(filters=2, n_layers=1, seed=0)
        # 16 px -> 8 px, 4x4 kernel of 3 x 2; -> 7 px, of 2 x 4; -> 6 px, of 4 x 1
        by_hand = 64 * 16 * 3 * 2 + 49 * 16 * 2 * 4 + 36 * 16 * 4
        assert graph.count_macs(network, 16) == graph.Macs(by_hand, by_hand)

    def test_of_a_generator_by_hand(self):
        network = build_generator("resnet_6blocks", filters=1, blocks=1, seed=0)
        ends = 2 * 64 * 49 * 3
        downs = 16 * 9 * 2 + 4 * 9 * 2 * 4
        block = 2 * 4 * 9 * 4 * 4
        ups = 4 * 9 * 4 * 2 + 16 * 9 * 2  # each input pixel meets each weight
        assert graph.count_macs(network, 8) == graph.Macs(
            ends + downs + block + ups, ends + downs + block + 4 * ups
        )

    def test_of_the_9_block_generator_as_published_and_by_hand(self):
        macs = graph.count_macs(build_generator("resnet_9blocks", seed=0), 256)
        assert macs.published == pytest.approx(
            56.8e9, rel=1e-3
        )  # Li et al. 2020, "GAN Compression", table 1
        # what is really multiplied: a transposed 3x3 convolution touches each input pixel nine
        # times
        ends, downs, ups = (
            2 * 256**2 * 49 * 3 * 64,
            2 * 128**2 * 9 * 64 * 128,
            2 * 64**2 * 9 * 256 * 128,
        )
        assert macs.performed == ends + downs + ups + 9 * 2 * 64 * 64 * (9 * 256 * 256)

    def test_of_fast_style_as_its_lecture_says(self):
        macs = graph.count_macs(build_generator("fast_style", seed=0), 256)
        assert macs.performed == pytest.approx(7.1e9, rel=0.03)

    def test_of_a_unet_equals_the_count_by_layers(self):
        network = build_generator("unet_128", filters=2, seed=0)
        assert graph.count_macs(network, 128) == counted_by_layers(network, 128)

    def test_of_models_within_models_depthwise_layers_and_products(self):
        inner = keras.Sequential(
            [keras.layers.Conv2D(4, 3, strides=2, padding="same"), keras.layers.ReLU()]
        )
        inputs = keras.Input((None, None, 2))
        x = keras.layers.DepthwiseConv2D(3, padding="same")(inner(inputs))
        network = keras.Model(inputs, keras.layers.Dense(5)(x))
        by_hand = 16 * 9 * 2 * 4 + 16 * 9 * 4 + 16 * 4 * 5
        assert graph.count_macs(network, 8) == graph.Macs(by_hand, by_hand)


def counted_by_layers(network, size_px):
    """The same from Keras's layers and the shapes they tell."""
    sized = keras.models.clone_model(
        network, input_tensors=keras.Input((size_px, size_px, network.input_shape[-1]))
    )
    performed = published = 0
    for layer in sized.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            macs = math.prod(layer.input.shape[1:3]) * math.prod(layer.kernel.shape)
            performed, published = performed + macs, published + math.prod(layer.strides) * macs
        elif isinstance(layer, keras.layers.Conv2D):
            macs = math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
            performed, published = performed + macs, published + macs
    return graph.Macs(performed, published)


def seen_by_gradients(network, size_px):
    """Side of the box of input pixels that move one output pixel, the largest over outputs.

    Independent of what is tested: all kernels are made positive, everything that is not linear or
    looks at the whole image is taken out, and TensorFlow differentiates.
    """

    def plain(layer):
        kind = type(layer).__name__
        if "Normalization" in kind or kind in ("Activation", "ReLU", "LeakyReLU"):
            return keras.layers.Activation("linear", name=layer.name)
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=plain)
    copy.set_weights(
        [np.full(w.shape, 1 / np.prod(w.shape[:3] or (1,))) for w in copy.get_weights()]
    )
    image = tf.ones((1, size_px, size_px, network.input_shape[-1]))
    sides = []
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        outputs = copy(image)
        middle = outputs.shape[1] // 2
        pixels = [outputs[0, position, position, 0] for position in range(middle - 4, middle + 4)]
    for pixel in pixels:
        moved = np.abs(tape.gradient(pixel, image).numpy()[0]).max(axis=-1) > 0
        rows, columns = np.where(moved.any(axis=1))[0], np.where(moved.any(axis=0))[0]
        assert rows[0] > 0, "the image is too small for this test"
        assert rows[-1] < size_px - 1, "the image is too small for this test"
        sides.append((int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1))
    return tuple(map(max, zip(*sides, strict=True)))


class TestReceptiveField:
    @pytest.mark.parametrize(("n_layers", "side"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
    def test_of_the_patchgan_as_published(self, n_layers, side):
        network = build_discriminator(filters=1, n_layers=n_layers, seed=0)
        assert graph.receptive_field_px(network) == (side, side)
        assert networks.receptive_field_px(n_layers) == side

    def test_of_the_pixel_discriminator(self):
        assert graph.receptive_field_px(build_discriminator("pixel", filters=1, seed=0)) == (1, 1)

    @pytest.mark.parametrize("upsampling", ["transposed", "resize", "antialiased"])
    @pytest.mark.parametrize("blocks", [1, 2])
    def test_of_residual_generators_is_what_gradients_see(self, upsampling, blocks):
        network = build_generator(
            "resnet_6blocks", filters=1, blocks=blocks, upsampling=upsampling, seed=0
        )
        assert graph.receptive_field_px(network) == seen_by_gradients(network, 128)

    def test_of_the_discriminator_is_what_gradients_see(self):
        network = build_discriminator(filters=1, n_layers=2, seed=0)
        assert graph.receptive_field_px(network) == seen_by_gradients(network, 96)

    @pytest.mark.parametrize("kernel", [3, 4, 5])
    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
    def test_of_layers_of_other_makes_is_what_gradients_see(self, kernel, interpolation):
        inputs = keras.Input((None, None, 1))
        down = keras.layers.Conv2D(1, kernel, strides=2, padding="same", use_bias=False)(inputs)
        inner = keras.layers.AveragePooling2D(2)(down)
        inner = keras.layers.Conv2D(1, (3, 1), dilation_rate=2, padding="same", use_bias=False)(
            inner
        )
        inner = keras.layers.UpSampling2D(2, interpolation=interpolation)(inner)
        joined = keras.layers.Concatenate()([inner, down])
        up = keras.layers.Conv2DTranspose(1, kernel, strides=2, padding="same", use_bias=False)(
            joined
        )
        outer = keras.layers.ZeroPadding2D(((1, 0), (0, 2)))(up)
        outer = keras.layers.Cropping2D(((0, 1), (2, 0)))(outer)
        network = keras.Model(inputs, outer)
        assert graph.receptive_field_px(network) == seen_by_gradients(network, 64)

    def test_goes_through_models_within_models_called_twice(self):
        inner = keras.Sequential([keras.layers.Conv2D(2, 3, padding="same"), keras.layers.ReLU()])
        inputs = keras.Input((None, None, 2))
        network = keras.Model(inputs, inner(inner(inputs)))
        assert graph.receptive_field_px(network) == (5, 5)
        assert len(layer_calls(network)) == 4

    def test_is_not_guessed_where_a_layer_is_not_known(self):
        inputs = keras.Input((8, 8, 1))
        network = keras.Model(inputs, keras.layers.Resizing(4, 4, name="shrink")(inputs))
        with pytest.raises(graph.UnknownLayerError, match=r"^shrink \(Resizing\)$"):
            graph.receptive_field_px(network)


class TestMultiple:
    def test_of_our_networks(self):
        for architecture in ("resnet_6blocks", "fast_style", "unet_128"):
            network = build_generator(architecture, filters=1, seed=0)
            assert graph.size_divisor_px(network) == networks.size_divisor(architecture)
        assert graph.size_divisor_px(build_discriminator(filters=1, seed=0)) is None

    def test_counts_strides_in_models_within(self):
        inner = keras.Sequential([keras.layers.Conv2D(1, 3, strides=2, padding="same")])
        inputs = keras.Input((None, None, 1))
        network = keras.Model(
            inputs, keras.layers.UpSampling2D(4)(keras.layers.MaxPooling2D(2)(inner(inputs)))
        )
        assert graph.size_divisor_px(network) == 4
