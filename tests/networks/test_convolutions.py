"""Convolutions with gradient routes of their own against Keras's plain layers."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.devices.hardware import choose_precision
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.networks.convolutions import Convolution2D, CropFirst2D

WIDE = 64  # from here the matrix products are taken
PLAIN_GRADIENT = "Conv2DBackpropFilter"


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def pair(channels=WIDE, filters=WIDE, kernel=3, **options):
    """Ours and Keras's with the same weights, biases not zero."""
    layers = [kind(filters, kernel, **options) for kind in (Convolution2D, keras.layers.Conv2D)]
    rng = np.random.default_rng(1)
    for layer in layers:
        layer.build((None, None, None, channels))
    weights = [rng.normal(size=w.shape) / 8 for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def objective(layer, x, training=True):
    """A number whose gradient by the layer's outputs varies from place to place."""
    outputs = layer(x, training=training)
    tilt = noise(*outputs.shape[1:], seed=2)
    return outputs, tf.reduce_sum(tf.sin(outputs) * tf.constant(tilt, outputs.dtype))


def derivatives(layer, x, training=True):
    """Outputs and the gradients by input, kernel and bias."""
    x = tf.constant(x, layer.compute_dtype)
    sources = [x, *(v.value for v in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs, total = objective(layer, x, training)
    return [outputs, *tape.gradient(total, sources)]


def gradient_operations(layer, shape, training=True):
    """Types of the operations in the graph of outputs and gradients."""

    def run(x):
        sources = [x, *(v.value for v in layer.trainable_variables)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.sin(layer(x, training=training)))
        return tape.gradient(total, sources)

    spec = tf.TensorSpec(shape, layer.compute_dtype)
    return [
        op.type
        for op in tf.function(run, autograph=False)
        .get_concrete_function(spec)
        .graph.get_operations()
    ]


def assert_alike(found, expected, tolerance):
    """Largest difference as a share of the largest value."""
    for name, a, b in zip(("outputs", "input", "kernel", "bias"), found, expected, strict=False):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max(), name
        assert np.abs(b).max() > 0, name


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("images", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(5, 8), (7, 3)])
def test_outputs_and_gradients_are_those_of_keras(images, height, width, dtype, tolerance):
    ours, plain = pair(filters=WIDE + 1, dtype=dtype)
    x = noise(images, height, width, WIDE)
    assert PLAIN_GRADIENT not in gradient_operations(ours, x.shape)
    assert_alike(derivatives(ours, x), derivatives(plain, x), tolerance)


@pytest.mark.parametrize("images", [None, 2])
def test_the_same_in_a_graph_that_may_not_know_the_batch(images):
    ours, plain = pair(dtype="float64")
    x = noise(2, 4, 5, WIDE)

    @tf.function(input_signature=[tf.TensorSpec((images, 4, 5, WIDE), tf.float64)], autograph=False)
    def graph(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.sin(ours(x, training=True)))
        return tape.gradient(total, [x, ours.kernel.value, ours.bias.value])

    with tf.GradientTape() as tape:
        x = tf.constant(x)
        tape.watch(x)
        total = tf.reduce_sum(tf.sin(plain(x)))
    expected = tape.gradient(total, [x, plain.kernel.value, plain.bias.value])
    for a, b in zip(graph(x), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
    spec = (images, 4, 5, WIDE)
    assert PLAIN_GRADIENT not in gradient_operations(ours, spec)


def test_an_activation_is_kept():
    ours, plain = pair(dtype="float64", activation="relu")
    x = noise(1, 4, 5, WIDE)
    assert np.min(ours(x, training=True)) == 0
    assert_alike(derivatives(ours, x), derivatives(plain, x), 1e-12)


def test_the_kernel_gradient_is_the_sum_over_the_places_it_visits():
    """By NumPy: dL/dK[i, j, c, f] = sum over n, y, x of X[n, y + i, x + j, c] U[n, y, x, f]."""
    ours, _ = pair(dtype="float64")
    x, upstream = noise(2, 4, 6, WIDE), noise(2, 2, 4, WIDE, seed=3)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(ours(x, training=True) * upstream)
    kernel, bias = tape.gradient(total, [ours.kernel.value, ours.bias.value])
    for i, j in itertools.product(range(3), range(3)):
        expected = np.einsum("nyxc,nyxf->cf", x[:, i : i + 2, j : j + 4], upstream)
        np.testing.assert_allclose(
            kernel[i, j], expected, rtol=1e-10, atol=1e-10, err_msg=f"{i}, {j}"
        )
    np.testing.assert_allclose(bias, upstream.sum((0, 1, 2)), rtol=1e-10)


def test_second_derivatives_are_those_of_keras():
    x, both = noise(2, 4, 5, WIDE), []
    for layer in pair(dtype="float64"):
        values = tf.constant(x)
        sources = [values, layer.kernel.value, layer.bias.value]
        with tf.GradientTape() as outer:
            outer.watch(values)
            with tf.GradientTape() as inner:
                inner.watch(values)
                _, total = objective(layer, values)
            first = inner.gradient(total, sources)
            size = tf.add_n([tf.reduce_sum(g**2) for g in first])
        both.append([size, *outer.gradient(size, sources)])
    assert_alike(*both, 1e-11)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 5, 6, WIDE - 1), {}),
        ((1, 5, 6, WIDE), {"filters": WIDE - 1}),
        ((1, 5, 6, WIDE), {"strides": 2}),
        ((1, 5, 6, WIDE), {"padding": "same"}),
        ((1, 6, 7, WIDE), {"dilation_rate": 2}),
        ((1, 5, 6, WIDE), {"use_bias": False}),
        ((1, 5, 6, WIDE), {"kernel": 1}),
        ((1, 5, 6, WIDE), {"kernel": (3, 1)}),
        ((2, 5, 6, 2 * WIDE), {"groups": 2, "filters": 2 * WIDE}),
    ],
    ids=[
        "narrow_in",
        "narrow_out",
        "stride",
        "same",
        "dilation",
        "no_bias",
        "1x1",
        "3x1",
        "groups",
    ],
)
def test_everything_else_goes_the_plain_way(shape, options):
    ours, plain = pair(shape[-1], dtype="float32", **options)
    assert gradient_operations(ours, shape) == gradient_operations(plain, shape)
    assert_alike(derivatives(ours, noise(*shape)), derivatives(plain, noise(*shape)), 1e-5)


def test_unknown_sizes_go_the_plain_way():
    ours, plain = pair()
    shape = (None, None, None, WIDE)
    assert gradient_operations(ours, shape) == gradient_operations(plain, shape)
    assert PLAIN_GRADIENT in gradient_operations(ours, shape)


def test_a_gpu_goes_the_plain_way(monkeypatch):
    ours, _ = pair()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"])
    assert PLAIN_GRADIENT in gradient_operations(ours, (1, 4, 5, WIDE))


def representable(*shape, seed):
    """Numbers that bfloat16 has, so that only the arithmetic can differ."""
    return tf.cast(tf.cast(noise(*shape, seed=seed), "bfloat16"), "float32")


@pytest.mark.parametrize("images", [1, 3])
def test_bfloat16_gradients_are_near_those_of_float32(images):
    # Without bfloat16 instructions partial sums are rounded too: 0.0104 on a CPU of Zen 3.
    bound = 0.01 if choose_precision("auto")[0] == "mixed_bfloat16" else 0.015
    exact, half = pair(dtype="float32")[0], pair(dtype="mixed_bfloat16")[0]
    for variable, other in zip(exact.weights, half.weights, strict=True):
        variable.assign(representable(*variable.shape, seed=3))
        other.assign(variable)
    x, upstream = (
        representable(images, 18, 16, WIDE, seed=0),
        representable(images, 16, 14, WIDE, seed=1),
    )
    both = []
    for layer in (half, exact):
        values, towards = tf.cast(x, layer.compute_dtype), tf.cast(upstream, layer.compute_dtype)
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = layer(values, training=True)
        sources = [values, layer.kernel.value, layer.bias.value]
        both.append([outputs, *tape.gradient(outputs, sources, towards)])
    assert [g.dtype for g in both[0]] == ["bfloat16", "bfloat16", "float32", "float32"]
    for name, a, b in zip(("outputs", "input", "kernel", "bias"), *both, strict=True):
        a, b = (np.asarray(tf.cast(g, "float64")) for g in (a, b))
        assert np.linalg.norm(a - b) < bound * np.linalg.norm(b), name


def test_the_same_compiled_by_xla():
    ours, plain = pair()
    x = tf.constant(noise(2, 4, 5, WIDE), tf.float32)

    @tf.function(jit_compile=True, autograph=False)
    def compiled(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.sin(ours(x, training=True)))
        return tape.gradient(total, [ours.kernel.value, ours.bias.value])

    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.sin(plain(x)))
    for a, b in zip(
        compiled(x), tape.gradient(total, [plain.kernel.value, plain.bias.value]), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def operations(layer, training, shape):
    graph = tf.function(lambda x: layer(x, training=training), autograph=False)
    return [
        op.type for op in graph.get_concrete_function(tf.TensorSpec(shape)).graph.get_operations()
    ]


@pytest.mark.parametrize("shape", [(1, 5, 6, WIDE), (None, None, None, WIDE)])
def test_without_training_the_graph_is_that_of_keras(shape):
    ours, plain = pair()
    assert operations(ours, False, shape) == operations(plain, False, shape)
    for crop in ([CropFirst2D(), keras.layers.Cropping2D(((1, 0), (1, 0)))],):
        assert operations(crop[0], False, shape) == operations(crop[1], False, shape)


def test_config_is_that_of_keras():
    ours, plain = pair(padding="same", strides=2, activation="relu", name="wide")
    assert ours.get_config() == plain.get_config()
    assert Convolution2D.from_config(plain.get_config()).get_config() == plain.get_config()
    crop = CropFirst2D(name="crop")
    assert crop.get_config() == keras.layers.Cropping2D(((1, 0), (1, 0)), name="crop").get_config()
    assert CropFirst2D.from_config(crop.get_config()).get_config() == crop.get_config()


def test_both_layers_are_saved_and_loaded(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            Convolution2D(4, 3, name="wide", dtype="mixed_bfloat16"),
            CropFirst2D(),
        ]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [Convolution2D, CropFirst2D]
    x = noise(1, 6, 7, 3)
    np.testing.assert_array_equal(tf.cast(loaded(x), "float32"), tf.cast(model(x), "float32"))


# Cropping.


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_crops_the_first_row_and_column(dtype, training):
    x = tf.constant(noise(2, 4, 5, 3), dtype)
    y = CropFirst2D(dtype=dtype)(x, training=training)
    assert y.dtype == dtype
    np.testing.assert_array_equal(tf.cast(y, "float64"), tf.cast(x, "float64").numpy()[:, 1:, 1:])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (None, None, None, 3)])
def test_the_gradient_of_the_crop_is_zero_where_it_cut(shape, training):
    layer, upstream = CropFirst2D(), tf.constant(noise(2, 3, 4, 3), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec(shape)], autograph=False)
    def derivatives(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(upstream * layer(x, training=training) ** 2)
            first = inner.gradient(total, x)
            size = tf.reduce_sum(first**2)
        return first, outer.gradient(size, x)

    x = noise(2, 4, 5, 3, seed=4).astype(np.float32)
    inside = np.pad(upstream.numpy(), [(0, 0), (1, 0), (1, 0), (0, 0)])
    first, second = derivatives(tf.constant(x))
    np.testing.assert_allclose(first, 2 * inside * x, rtol=1e-6)
    np.testing.assert_allclose(second, 8 * inside**2 * x, rtol=1e-5)


def test_the_crop_knows_its_output_shape():
    layer = CropFirst2D()
    assert tuple(layer.compute_output_shape((None, 4, None, 3))) == (None, 3, None, 3)
    assert tuple(layer(keras.Input((None, 6, 2))).shape) == (None, None, 5, 2)
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(
        tf.TensorSpec((None, 4, None, 3))
    )
    assert graph.structured_outputs.shape.as_list() == [None, 3, None, 3]


@pytest.mark.parametrize("training", [False, True])
def test_the_crop_knows_where_the_channels_are(training):
    x = tf.reshape(tf.range(1 * 3 * 7 * 9.0), (1, 3, 7, 9))
    cropped = CropFirst2D(data_format="channels_first")(x, training=training)
    np.testing.assert_array_equal(cropped, x[:, :, 1:, 1:])


def test_networks_are_channels_last_whatever_keras_says():
    options = {"filters": 2, "seed": 0}
    x = tf.random.uniform((1, 128, 128, 3))

    def outputs():
        yield build_generator("resnet_6blocks", blocks=1, **options)(x)
        yield build_generator("fast_style", blocks=1, upsampling="resize", **options)(x)
        yield build_generator("fast_style", blocks=1, upsampling="antialiased", **options)(x)
        yield build_generator("unet_128", **options)(x)
        yield build_discriminator(n_layers=1, **options)(x)

    expected = list(outputs())
    keras.config.set_image_data_format("channels_first")
    try:
        for one, other in zip(outputs(), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("upsampling", ["resize", "antialiased"])
def test_a_saved_model_of_any_size_keeps_its_channels_for_tflite(upsampling, tmp_path):
    network = build_generator("resnet_6blocks", filters=2, blocks=1, upsampling=upsampling, seed=0)
    served = tf.Module()
    served.network = network
    served.call = tf.function(network, input_signature=[tf.TensorSpec((None, None, None, 3))])
    tf.saved_model.save(served, str(tmp_path), signatures=served.call)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    assert converter.convert()
