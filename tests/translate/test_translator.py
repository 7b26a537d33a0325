"""One image of any size through a generator."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.networks.builders import build_generator, size_divisor_of
from cyclegan_tf.translate import translator as translator_module
from cyclegan_tf.translate.translator import Translator
from tests.helpers.errors import refused


class Identity(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def noting(then=None):
    """The identity, or a network, and the list of shapes that it is traced with."""
    shapes = []

    class Noting(keras.layers.Layer):
        def call(self, inputs):
            shapes.append(tuple(inputs.shape))
            return inputs

    inputs = keras.Input((None, None, 3))
    outputs = Noting()(inputs)
    network = keras.Model(inputs, outputs if then is None else then(outputs))
    shapes.clear()
    return network, shapes


def random_image(height, width, dtype=np.uint8, seed=1):
    return (
        np.random.default_rng(seed)
        .integers(0, np.iinfo(dtype).max + 1, (height, width, 3))
        .astype(dtype)
    )


def largest_difference(a, b):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    return np.abs(a.astype(int) - b).max()


@pytest.mark.parametrize("size", [(64, 48), (61, 47), (1, 1), (3, 200), (17, 16)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_comes_back_at_its_place_and_depth(size, dtype):
    inputs = keras.Input((None, None, 3))
    translator = Translator(keras.Model(inputs, Identity()(inputs)), 4)
    image = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (*size, 3)).astype(dtype)
    out = translator(image)
    assert out.dtype == dtype
    assert np.abs(out.astype(int) - image).max() <= (0 if dtype == np.uint8 else 1)


def test_an_image_that_fits_is_given_to_the_network_as_it_is():
    network = build_generator("resnet_6blocks", filters=2, blocks=1, seed=3)
    image = np.random.default_rng(1).integers(0, 256, (32, 20, 3), np.uint8)
    direct = network(tf.constant(image[None] / 127.5 - 1, tf.float32))[0].numpy()
    expected = np.round((direct + 1) * 127.5)
    assert np.abs(Translator(network, 4)(image).astype(int) - expected).max() <= 1


def test_u_nets_take_any_size_too():
    network = build_generator("unet_128", filters=1, seed=0)
    assert size_divisor_of(network) == 128
    assert Translator(network, 128)(np.zeros((50, 130, 3), np.uint8)).shape == (
        50,
        130,
        3,
    )


@pytest.mark.parametrize("architecture", ["resnet_6blocks", "unet_128"])
def test_a_graph_of_one_size_gives_what_the_graph_of_any_size_gives(architecture):
    blocks = {} if architecture.startswith("unet") else {"blocks": 1}
    network, shapes = noting(
        build_generator(architecture, filters=2, norm_affine=True, seed=3, **blocks)
    )
    multiple = 4 if blocks else 128
    image = random_image(45, 150, np.uint16)  # 16 bits show differences that 8 hide
    own = Translator(network, multiple)(image)
    (static,) = shapes
    assert None not in static
    other = Translator(network, multiple)
    other(random_image(300, 20))
    shapes.clear()
    assert largest_difference(other(image), own) <= 2
    assert shapes == [(1, None, None, 3)]


def test_a_hundred_sizes_share_one_graph():
    network, shapes = noting()
    translator = Translator(network, 4)
    for side in range(16, 416, 4):
        translator(np.zeros((16, side, 3), np.uint8))
    assert shapes == [(1, 16, 16, 3), (1, None, None, 3)]


def test_a_size_that_comes_often_gets_a_graph_and_one_long_unused_loses_it(monkeypatch):
    monkeypatch.setattr(translator_module, "GRAPH_PAYS_PX", 2 * 16 * 32)
    monkeypatch.setattr(translator_module, "MAX_GRAPHS", 2)
    network, shapes = noting()
    translator = Translator(network, 4)
    for width, traced in [
        (16, [16]),
        (32, [None]),
        (32, [32]),
        (36, []),
        (16, []),
        (36, [36]),  # in place of 32, which was used before 16
        (16, []),
        (32, []),  # has to earn it again
        (32, [32]),  # in place of 36
        (36, []),
        (16, []),
    ]:
        shapes.clear()
        translator(np.zeros((16, width, 3), np.uint8))
        assert [shape[2] for shape in shapes] == traced, width


def test_a_batch_gives_what_each_image_alone_gives():
    """Also where sizes differ before padding, or depths do."""
    network, shapes = noting(build_generator("resnet_6blocks", filters=2, blocks=1, seed=3))
    images = [
        random_image(30, 21, np.uint8, 1),
        random_image(32, 22, np.uint16, 2),
        random_image(29, 24, np.uint8, 3) // 8,
    ]
    together = Translator(network, 4).batch(images)
    assert shapes == [(3, 32, 24, 3)]
    translator = Translator(network, 4)
    translator(random_image(16, 16))
    shapes.clear()
    for image, translated, in_turn in zip(images, together, translator.batch(images), strict=True):
        alone = Translator(network, 4)(image)
        assert largest_difference(translated, alone) <= (1 if image.dtype == np.uint8 else 2)
        assert largest_difference(in_turn, alone) <= (1 if image.dtype == np.uint8 else 2)
    assert shapes[0] == (1, None, None, 3)


@pytest.mark.parametrize("sizes", [[], [(16, 16), (16, 17)]])
def test_a_batch_of_several_padded_sizes_is_refused(sizes):
    translator = Translator(noting()[0], 4)
    with pytest.raises(ValueError, match="one padded size"):
        translator.batch([np.zeros((*size, 3), np.uint8) for size in sizes])


def test_nan_is_an_error_and_not_an_image():
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.Rescaling(float("nan"))(inputs))
    with refused("unsupported", match="NaN") as caught:
        Translator(network, 4)(random_image(16, 16))
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_network_sees_exactly_what_images_makes_of_every_pixel_value(dtype):
    seen = []

    class Seeing(keras.layers.Layer):
        def call(self, inputs):
            if inputs.shape[0] is not None:  # not the symbolic call
                tf.py_function(lambda x: seen.append(x.numpy()), [inputs], [])
            return inputs

    inputs = keras.Input((None, None, 1))
    pixels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1, 1)
    Translator(keras.Model(inputs, Seeing()(inputs)), 4)(pixels)
    np.testing.assert_array_equal(seen[0][0], image_io.to_signed(pixels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(200, 130), (64, 64), (20, 35)])
def test_at_a_scale_the_identity_gives_the_image_back(size, dtype):
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, Identity()(inputs))
    image = random_image(*size, dtype)
    found = Translator(network, 4, TrainingScale("area", 64))(image)
    # A reduced image and its gains hold all detail of what is mapped by the identity.
    assert largest_difference(found, image) <= 0.08 * np.iinfo(dtype).max


def test_the_network_sees_the_scale_and_images_of_one_shape_together():
    network, shapes = noting()
    translator = Translator(network, 4, TrainingScale("area", 32))
    assert translator.padded_size(640, 640) == translator.padded_size(64, 64) == (32, 32)
    images = [random_image(64, 64), random_image(96, 96, np.uint16)]
    together = translator.batch(images)
    assert (2, 32, 32, 3) in shapes
    for image, found in zip(images, together, strict=True):
        alone = Translator(network, 4, TrainingScale("area", 32))(image)
        np.testing.assert_array_equal(found, alone)


def test_nan_is_said_at_a_scale_too():
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, inputs * np.nan)
    with refused("unsupported", match="NaN"):
        Translator(network, 4, TrainingScale("area", 32))(random_image(64, 64))


def test_tensorflow_says_nothing_of_many_sizes(monkeypatch, caplog):
    monkeypatch.setattr(translator_module, "GRAPH_PAYS_PX", 1)
    translator = Translator(noting()[0], 4)
    with caplog.at_level("WARNING"):
        for width in range(32, 64, 4):
            translator(random_image(32, width))
    assert not [record for record in caplog.records if "retracing" in record.getMessage()]
