"""Instance normalization and reflection padding against NumPy, on every route they can take."""

import inspect
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.devices import hardware
from cyclegan_tf.networks.layers import InstanceNormalization, ReflectionPadding2D, fast_routes

EPSILON = 1e-5


def normalized(images, epsilon=EPSILON):
    """The definition in float64."""
    images = np.asarray(images, np.float64)
    mean = images.mean(axis=(1, 2), keepdims=True)
    variance = ((images - mean) ** 2).mean(axis=(1, 2), keepdims=True)
    return (images - mean) / np.sqrt(variance + epsilon)


def noise(*shape, seed=0, offset=0.0):
    return (np.random.default_rng(seed).normal(size=shape) + offset).astype(np.float32)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("images", [1, 2, 3])
def test_normalizes_each_channel_of_each_image(images, training):
    x = noise(images, 7, 5, 4) * [1, 5, 0.1, 20] + [0, 3, -1, 50]
    np.testing.assert_allclose(
        InstanceNormalization()(x, training=training), normalized(np.float32(x)), atol=1e-5
    )


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
@pytest.mark.parametrize("training", [False, True])
def test_epsilon_is_exact_where_it_matters(training, epsilon):
    x = noise(2, 8, 8, 3) * np.float32(1e-3)
    y = InstanceNormalization(epsilon)(x, training=training)
    np.testing.assert_allclose(y, normalized(x, epsilon), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("known", "jit"),
    [
        ((1, 6, 5, 3), False),
        ((4, 6, 5, 3), False),
        ((None,) * 3 + (3,), False),
        ((4, 6, 5, 3), True),
    ],
)
def test_the_same_inside_a_graph(known, training, jit):
    layer = InstanceNormalization()
    x = noise(known[0] or 3, 6, 5, 3)
    layer.build(x.shape)
    graph = tf.function(
        lambda x: layer(x, training=training),
        input_signature=[tf.TensorSpec(known)],
        jit_compile=jit,
    )
    np.testing.assert_allclose(graph(x), normalized(x), atol=1e-5)


@pytest.mark.parametrize("route", ["eager", "graph", "xla"])
@pytest.mark.parametrize("training", [False, True])
def test_survives_a_mean_far_above_the_deviation(training, route):
    layer = InstanceNormalization()
    x = noise(2, 64, 64, 3, offset=1000.0)
    run = lambda x: layer(x, training=training)  # noqa: E731
    if route != "eager":
        run = tf.function(run, jit_compile=route == "xla")
    # the mean itself is rounded to about 1e-6 of 1000; E[x^2] - E[x]^2 would be off by 0.4
    np.testing.assert_allclose(run(tf.constant(x)), normalized(x), atol=3e-3)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("level", [-1.0, 0.0, 0.3, 1000.0])
def test_a_constant_image_becomes_zero(level, training):
    y = InstanceNormalization()(np.full((2, 16, 16, 3), level, np.float32), training=training)
    # 1/sqrt(epsilon) = 316 multiplies the rounding of the mean
    np.testing.assert_allclose(y, 0.0, atol=max(abs(level), 1.0) * 5e-5)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("policy", "output", "tolerance"),
    [
        ("float32", "float32", 1e-5),
        ("mixed_bfloat16", "bfloat16", 1e-2),
        ("mixed_float16", "float16", 2e-3),
        ("float64", "float64", 1e-12),
    ],
)
def test_statistics_are_exact_under_every_policy(policy, output, tolerance, training):
    layer = InstanceNormalization(
        scale=True, center=True, gamma_initializer=keras.initializers.Constant(1.001)
    )
    layer = InstanceNormalization.from_config({**layer.get_config(), "dtype": policy})
    # in bfloat16 these values are exact, but sums of them are not: half-precision statistics would
    # be useless
    x = np.random.default_rng(0).choice([128.0, 129.0, 130.0], size=(2, 32, 32, 3))
    y = layer(tf.constant(x, output), training=training)
    assert y.dtype == output
    factor = 1.001 if policy == "float64" else np.float32(1.001)
    np.testing.assert_allclose(tf.cast(y, tf.float64), normalized(x) * factor, atol=tolerance)
    assert layer.gamma.dtype == ("float64" if policy == "float64" else "float32")


def derivatives(layer, x, upstream, direction, training):
    """(first, second): d<upstream, sin y>/dx, and the derivative of its product with
    `direction`."""
    x, upstream, direction = (
        tf.constant(value, layer.compute_dtype) for value in (x, upstream, direction)
    )
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            objective = tf.reduce_sum(upstream * tf.sin(layer(x, training=training)))
        first = inner.gradient(objective, x)
        product = tf.reduce_sum(direction * first)
    return first.numpy(), outer.gradient(product, x).numpy()


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("images", [1, 2, 3])
@pytest.mark.parametrize("training", [False, True])
def test_first_and_second_gradients_match_float64(training, images, affine):
    def layer(dtype):
        options = {
            "gamma_initializer": keras.initializers.Constant(1.3),
            "beta_initializer": "ones",
        }
        return InstanceNormalization(center=affine, scale=affine, dtype=dtype, **options)

    x, upstream, direction = (noise(images, 5, 6, 3, seed=seed) for seed in range(3))
    exact = derivatives(layer("float64"), x, upstream, direction, training=False)
    found = derivatives(layer("float32"), x, upstream, direction, training)
    for a, b in zip(found, exact, strict=True):
        assert np.abs(b).max() > 0.1
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_the_float64_gradients_are_those_of_finite_differences():
    layer = InstanceNormalization(dtype="float64")
    x, upstream, direction = (noise(1, 3, 4, 2, seed=seed).astype(np.float64) for seed in range(3))
    first, second = derivatives(layer, x, upstream, direction, training=False)
    probe = noise(*x.shape, seed=9).astype(np.float64)

    def ahead(step):
        return float(tf.reduce_sum(upstream * tf.sin(layer(x + step * probe))))

    np.testing.assert_allclose(
        (first * probe).sum(), (ahead(1e-5) - ahead(-1e-5)) / 2e-5, rtol=1e-7
    )
    forward, _ = derivatives(layer, x + 1e-5 * probe, upstream, direction, training=False)
    backward, _ = derivatives(layer, x - 1e-5 * probe, upstream, direction, training=False)
    np.testing.assert_allclose(
        (second * probe).sum(), (direction * (forward - backward)).sum() / 2e-5, rtol=1e-6
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("images", [2, 3])
def test_gamma_and_beta_act_per_channel_and_learn(images, training):
    layer = InstanceNormalization(center=True, scale=True)
    x = noise(images, 4, 4, 2)
    layer.build(x.shape)
    layer.gamma.assign([2.0, -1.0])
    layer.beta.assign([0.5, 3.0])
    with tf.GradientTape() as tape:
        y = layer(x, training=training)
        total = tf.reduce_sum(y * x)
    np.testing.assert_allclose(y, normalized(x) * [2.0, -1.0] + [0.5, 3.0], atol=1e-5)
    gamma, beta = tape.gradient(total, [layer.gamma.value, layer.beta.value])
    np.testing.assert_allclose(gamma, (normalized(x) * x).sum((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(beta, x.sum((0, 1, 2)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [False, True])
def test_gamma_and_beta_stay_float32_under_mixed_precision(training):
    layer = InstanceNormalization(center=True, scale=True, dtype="mixed_bfloat16")
    layer.build((1, 2, 2, 1))
    layer.gamma.assign([257.0])  # bfloat16 knows 256 and 258
    layer.beta.assign([-256.0])
    x = np.reshape([128.0, -128.0, 128.0, -128.0], (1, 2, 2, 1))
    np.testing.assert_array_equal(tf.cast(layer(x, training=training)[0, 0, 0], tf.float32), [1.0])


def test_group_normalization_is_not_instance_norm():
    x = noise(2, 6, 6, 4) * [1, 5, 0.1, 20]
    ours = InstanceNormalization()(x)
    per_channel = keras.layers.GroupNormalization(groups=-1, epsilon=EPSILON)(x)
    whole_image = keras.layers.GroupNormalization(groups=1, epsilon=EPSILON)(x)
    np.testing.assert_allclose(ours, per_channel, atol=1e-4)
    assert np.abs(ours - whole_image).max() > 0.5


def test_gamma_starts_at_one():
    layer = InstanceNormalization(center=True, scale=True)
    layer.build((None, None, None, 8))
    np.testing.assert_array_equal(layer.gamma, np.ones(8))
    np.testing.assert_array_equal(layer.beta, np.zeros(8))


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 4, 4, None)])
def test_normalization_refuses_what_is_not_images(shape):
    with pytest.raises(ValueError, match=r"got shape \(2, 4"):
        InstanceNormalization().build(shape)


def test_normalization_refuses_epsilon_zero():
    with pytest.raises(ValueError, match="epsilon above 0, got 0"):
        InstanceNormalization(epsilon=0.0)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 3, (1, 2), (2, 0)])
def test_reflects_like_numpy(padding, training):
    x = noise(2, 5, 4, 3)
    height, width = (padding, padding) if isinstance(padding, int) else padding
    expected = np.pad(x, [(0, 0), (height, height), (width, width), (0, 0)], mode="reflect")
    layer = ReflectionPadding2D(padding)
    np.testing.assert_array_equal(layer(x, training=training), expected)
    assert layer.compute_output_shape((None, 5, None, 3)) == (None, 5 + 2 * height, None, 3)
    unknown = tf.function(
        lambda x: layer(x, training=training), input_signature=[tf.TensorSpec((None,) * 3 + (3,))]
    )
    np.testing.assert_array_equal(unknown(x), expected)


@pytest.mark.parametrize(("side", "jit"), [(2, False), (3, False), (6, False), (3, True)])
def test_both_routes_of_padding_have_the_same_gradients(side, jit):
    x, upstream = noise(2, side, side + 1, 3), noise(2, side + 2, side + 3, 3, seed=1)
    layer = ReflectionPadding2D(1)

    def gradients(training):
        @tf.function(jit_compile=jit)
        def compute(x):
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    objective = tf.reduce_sum(upstream * tf.sin(layer(x, training=training)))
                first = inner.gradient(objective, x)
            return first, outer.gradient(first, x)

        return compute(tf.constant(x))

    for fast, plain in zip(gradients(True), gradients(False), strict=True):
        np.testing.assert_allclose(fast, plain, atol=1e-5)


def test_the_gradient_of_padding_folds_the_reflected_pixels_back():
    x = tf.constant(noise(1, 3, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(ReflectionPadding2D(1)(x, training=True))
    # row 1 of 3 is seen by itself and from beyond both edges
    np.testing.assert_array_equal(
        tape.gradient(total, x)[0, :, :, 0], [[1, 3, 1], [3, 9, 3], [1, 3, 1]]
    )


def padding_gradients(upstream, training, known):
    """Of both routes: by the input of padding by 1, in a graph that knows `known` of its shape."""
    n, height, width, channels = upstream.shape
    layer = ReflectionPadding2D(1, dtype=upstream.dtype.name)

    @tf.function(input_signature=[tf.TensorSpec(known, upstream.dtype)], autograph=False)
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            padded = layer(x, training=training)
        return tape.gradient(padded, x, upstream)

    return compute(tf.ones((n, height - 2, width - 2, channels), upstream.dtype)), compute


def folded(upstream):
    """What reflection by one pixel hands back, in NumPy: each rim pixel is added to where it came
    from."""
    whole = np.asarray(upstream, np.float64)
    for axis in (1, 2):
        whole = np.moveaxis(whole, axis, 0).copy()
        whole[2] += whole[0]
        whole[-3] += whole[-1]  # with three rows this is row 2 again
        whole = np.moveaxis(whole[1:-1], 0, axis)
    return whole


@pytest.mark.parametrize(
    "sides", [(2, 2), (2, 3), (3, 2), (3, 3), (4, 3), (3, 5), (5, 4), (4, 4), (9, 6), (7, 9)]
)
@pytest.mark.parametrize("images", [1, 2, 3])
def test_fast_padding_folds_the_rim_back_exactly(images, sides):
    # whole numbers add up without rounding in any order
    upstream = np.random.default_rng(1).integers(-50, 50, (images, sides[0] + 2, sides[1] + 2, 2))
    upstream = tf.constant(upstream, tf.float32)
    fast, graph = padding_gradients(upstream, True, (images, *sides, 2))
    plain, _ = padding_gradients(upstream, False, (images, *sides, 2))
    np.testing.assert_array_equal(fast, folded(upstream))
    np.testing.assert_array_equal(fast, plain)
    types = {op.type for op in graph.get_concrete_function().graph.get_operations()}
    assert "MirrorPadGrad" not in types, "the slow route was taken"


def test_a_gpu_pads_by_its_own_kernel(monkeypatch):
    """It has no scatter of half precision: each padding would go through the processor."""
    upstream = tf.constant(noise(2, 5, 6, 2), tf.float32)
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    found, graph = padding_gradients(upstream, True, (2, 3, 4, 2))
    np.testing.assert_allclose(found, folded(upstream), rtol=1e-6)
    types = {op.type for op in graph.get_concrete_function().graph.get_operations()}
    assert "MirrorPadGrad" in types


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14), ("bfloat16", 0.04)]
)
@pytest.mark.parametrize("images", [None, 2])
def test_fast_padding_in_every_precision_and_for_unknown_batches(images, dtype, tolerance):
    upstream = tf.constant(noise(2, 5, 7, 3), dtype)
    fast, _ = padding_gradients(upstream, True, (images, 3, 5, 3))
    assert fast.dtype == dtype
    np.testing.assert_allclose(
        tf.cast(fast, "float64"),
        folded(tf.cast(upstream, "float64")),
        rtol=tolerance,
        atol=tolerance,
    )


def test_the_gradient_of_padding_leaves_the_upstream_alone():
    """The scatter may work in place; what others read must not change under them."""
    layer, upstream = ReflectionPadding2D(1), tf.Variable(noise(1, 5, 6, 2))
    before = upstream.numpy()

    @tf.function(autograph=False)
    def compute(x):
        held = tf.identity(upstream)
        with tf.GradientTape() as tape:
            tape.watch(x)
            padded = layer(x, training=True)
        return tape.gradient(padded, x, held), held + 0.0

    for _ in range(2):
        gradient, held = compute(tf.ones((1, 3, 4, 2)))
        np.testing.assert_allclose(gradient, folded(before), rtol=1e-6)
        np.testing.assert_array_equal(held, before)
        np.testing.assert_array_equal(upstream, before)
    given = tf.constant(before)
    with tf.GradientTape() as tape:
        x = tf.ones((1, 3, 4, 2))
        tape.watch(x)
        padded = layer(x, training=True)
    tape.gradient(padded, x, given)
    np.testing.assert_array_equal(given, before)


# The fast routes outside training.


def operations_of_both(training=False):
    """Types of the operations of normalization and padding traced here and now."""
    norm, pad = InstanceNormalization(), ReflectionPadding2D(1)
    graph = tf.function(
        lambda x: norm(pad(x, training=training), training=training), autograph=False
    )
    graph = graph.get_concrete_function(tf.TensorSpec((1, 4, 5, 3))).graph
    return {op.type for op in graph.get_operations()}


def is_fast(types):
    fused, mirrored = any("FusedBatchNorm" in t for t in types), "MirrorPad" not in types
    assert fused == mirrored, "both layers follow one switch"
    return fused


def test_fast_routes_change_the_operations_but_not_the_numbers():
    assert not is_fast(operations_of_both())
    assert is_fast(operations_of_both(training=True))
    x = noise(2, 5, 6, 3, offset=2.0)
    layers = [
        InstanceNormalization(center=True, scale=True, beta_initializer="ones"),
        ReflectionPadding2D(1),
    ]
    expected = [layer(x) for layer in layers]
    with fast_routes():
        assert is_fast(operations_of_both())
        found = [layer(x) for layer in layers]
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_array_equal(found[1], expected[1])


def test_fast_routes_end_with_their_block_also_by_an_exception():
    with fast_routes():
        with fast_routes():
            pass
        assert is_fast(operations_of_both())
    assert not is_fast(operations_of_both())
    with pytest.raises(KeyError), fast_routes():
        raise KeyError
    assert not is_fast(operations_of_both())


def test_other_threads_do_not_see_the_fast_routes():
    seen = []
    with fast_routes():
        thread = threading.Thread(target=lambda: seen.append(is_fast(operations_of_both())))
        thread.start()
        thread.join()
        assert is_fast(operations_of_both())
    assert seen == [False]


def test_what_is_exported_holds_plain_operations_only(tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, InstanceNormalization(scale=True)(ReflectionPadding2D(1)(inputs)))
    with fast_routes():
        model(noise(1, 4, 4, 3))
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported")).signatures["serving_default"]
    definition = served.graph.as_graph_def()
    types = {
        node.op
        for nodes in (definition.node, *(f.node_def for f in definition.library.function))
        for node in nodes
    }
    assert "MirrorPad" in types
    assert not [t for t in types if "FusedBatchNorm" in t]


def test_padding_keeps_half_precision():
    layer = ReflectionPadding2D(1, dtype="mixed_bfloat16")
    assert (
        layer(noise(1, 3, 3, 1), training=True).dtype
        == layer(noise(1, 3, 3, 1)).dtype
        == "bfloat16"
    )


@pytest.mark.parametrize(("padding", "shape"), [(3, (1, 3, 9, 1)), ((0, 2), (1, 9, 2, 1))])
def test_too_small_a_image_is_named(padding, shape):
    with pytest.raises(
        ValueError, match=rf"larger than that on each side, got shape \({shape[0]}, {shape[1]}"
    ):
        ReflectionPadding2D(padding)(np.zeros(shape, np.float32))


@pytest.mark.parametrize("padding", [-1, (1, 2, 3), (1.5, 1)])
def test_padding_must_be_whole_numbers(padding):
    with pytest.raises(ValueError, match="whole number >= 0 or a pair"):
        ReflectionPadding2D(padding)


# Keras 3.15 saves variables through np.array(variable), whose copy keyword they lack
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
@pytest.mark.parametrize(
    "layer",
    [
        InstanceNormalization(
            epsilon=0.1, center=True, scale=True, beta_initializer="ones", gamma_initializer="zeros"
        ),
        ReflectionPadding2D((2, 1)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_covers_the_signature_and_saving_keeps_the_output(layer, tmp_path):
    parameters = inspect.signature(type(layer).__init__).parameters
    names = [
        name
        for name, p in parameters.items()
        if p.kind is p.POSITIONAL_OR_KEYWORD and name != "self"
    ]
    config = layer.get_config()
    assert set(names) <= set(config)
    again = type(layer).from_config(config)
    assert again.get_config() == config
    x = noise(2, 4, 5, 3)
    model = keras.Sequential([keras.Input((None, None, 3)), layer])
    for variable in model.trainable_variables:
        variable.assign(noise(*variable.shape))
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras")
    np.testing.assert_array_equal(loaded(x), model(x))
