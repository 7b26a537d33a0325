"""Networks against counts, published numbers, and direct implementations of PyTorch's
convolutions."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.networks.builders import (
    ARCHITECTURES,
    DISCRIMINATOR_ARCHITECTURES,
    build_discriminator,
    build_generator,
    minimum_size_px,
    receptive_field_px,
    size_divisor,
    size_divisor_of,
)
from cyclegan_tf.networks.layers import InstanceNormalization


def convolved(x, kernel, bias, stride, zeros):
    """PyTorch's Conv2d on one image (H, W, C): cross-correlation, `zeros` around all four sides."""
    x = np.pad(np.asarray(x, np.float64), [(zeros, zeros), (zeros, zeros), (0, 0)])
    side = kernel.shape[0]
    height, width = ((n - side) // stride + 1 for n in x.shape[:2])
    y = np.zeros((height, width, kernel.shape[-1]))
    for i, j in itertools.product(range(height), range(width)):
        window = x[i * stride : i * stride + side, j * stride : j * stride + side]
        y[i, j] = np.tensordot(window, kernel, 3)
    return y + bias


def transposed(x, kernel, bias, padding, output_padding):
    """PyTorch's ConvTranspose2d of stride 2: every input pixel stamps the kernel; `padding` crops
    from the start."""
    side = kernel.shape[0]
    height, width = ((n - 1) * 2 - 2 * padding + side + output_padding for n in x.shape[:2])
    canvas = np.zeros((2 * x.shape[0] + 9, 2 * x.shape[1] + 9, kernel.shape[2]))
    for i, j in itertools.product(range(x.shape[0]), range(x.shape[1])):
        canvas[2 * i : 2 * i + side, 2 * j : 2 * j + side] += np.tensordot(
            kernel, x[i, j], axes=(3, 0)
        )
    return canvas[padding : padding + height, padding : padding + width] + bias


def layer_io(model, layer, x, output=None):
    """Input and output of a layer inside a model, for one image; biases made visible first."""
    for variable in model.trainable_variables:
        if variable.name == "bias":
            variable.assign(keras.random.normal(variable.shape, seed=1))
    first, last = model.get_layer(layer), model.get_layer(output or layer)
    inner, outer = keras.Model(model.input, [first.input, last.output])(x[None])
    return inner[0].numpy(), outer[0].numpy(), *(v.numpy() for v in first.trainable_variables)


def image(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def kernels(model):
    return [v.numpy() for v in model.trainable_variables if v.name == "kernel"]


# Sizes.


def test_parameters_of_the_nine_blocks():
    assert build_generator("resnet_9blocks", seed=0).count_params() == 11_378_179


@pytest.mark.parametrize(
    ("architecture", "blocks"), [("resnet_9blocks", 9), ("resnet_6blocks", 6), ("fast_style", 4)]
)
def test_names_say_how_many_blocks(architecture, blocks):
    model = build_generator(architecture, filters=1, seed=0)
    assert sum(isinstance(layer, keras.layers.Add) for layer in model.layers) == blocks


def test_fast_style_has_the_lecture_numbers():
    model = build_generator("fast_style", seed=0)
    assert model.count_params() == pytest.approx(1.38e6, rel=0.03)
    expected = [
        (9, 3, 32),
        (3, 32, 64),
        (3, 64, 128),
        *[(3, 128, 128)] * 8,
        (3, 128, 64),
        (3, 64, 32),
        (9, 32, 3),
    ]
    found = [
        (k.shape[0], *(k.shape[:1:-1] if "up" in v.path else k.shape[2:]))
        for k, v in zip(
            kernels(model), (v for v in model.variables if v.name == "kernel"), strict=True
        )
    ]
    assert found == expected


def unet_parameters(filters):
    """unet_256 by hand: every 4x4 layer has inputs * outputs * 16 weights and a bias; norms have
    none."""
    f = filters
    down = [(3, f), (f, 2 * f), (2 * f, 4 * f), (4 * f, 8 * f), *[(8 * f, 8 * f)] * 4]
    # each ascending layer but the innermost also takes the skip
    up = [
        (8 * f, 8 * f),
        *[(16 * f, 8 * f)] * 3,
        (16 * f, 4 * f),
        (8 * f, 2 * f),
        (4 * f, f),
        (2 * f, 3),
    ]
    return sum(16 * inputs * outputs + outputs for inputs, outputs in down + up)


def test_parameters_of_the_unet():
    assert build_generator("unet_256", filters=8, seed=0).count_params() == unet_parameters(8)
    # 3136 + 131200 + 524544 + 2097664 + 4 * 4194816 down, 4194816 + 3 * 8389120 + 4194560 + 1048704
    # + 262208 + 6147 up
    assert unet_parameters(64) == 54_409_603


def test_the_unet_halves_down_to_one_pixel():
    model = build_generator("unet_128", filters=2, seed=0)
    sized = keras.models.clone_model(model, input_tensors=keras.Input((128, 128, 3)))
    sides = [sized.get_layer(f"down{level}").output.shape[1] for level in range(1, 8)]
    assert sides == [64, 32, 16, 8, 4, 2, 1]
    widths = [sized.get_layer(f"down{level}").output.shape[-1] for level in range(1, 8)]
    assert widths == [2, 4, 8, 16, 16, 16, 16]
    normalized = {layer.name for layer in model.layers if isinstance(layer, InstanceNormalization)}
    assert normalized == {f"down{n}_norm" for n in range(2, 7)} | {
        f"up{n}_norm" for n in range(2, 8)
    }


def test_patchgan_numbers():
    model = build_discriminator(seed=0)
    assert model.count_params() == 2_764_737
    assert model.compute_output_shape((1, 256, 256, 3)) == (1, 30, 30, 1)
    normalized = [layer.name for layer in model.layers if isinstance(layer, InstanceNormalization)]
    assert normalized == ["conv2_norm", "conv3_norm", "conv4_norm"]
    assert [k.shape[2:] for k in kernels(model)] == [
        (3, 64),
        (64, 128),
        (128, 256),
        (256, 512),
        (512, 1),
    ]


def test_pixel_discriminator_sees_one_pixel():
    model = build_discriminator("pixel", filters=4, seed=0)
    assert [k.shape for k in kernels(model)] == [(1, 1, 3, 4), (1, 1, 4, 8), (1, 1, 8, 1)]
    assert model(image(1, 5, 7, 3)).shape == (1, 5, 7, 1)
    assert minimum_size_px("pixel", n_layers=6) == 1


@pytest.mark.parametrize(
    ("n_layers", "side"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286), (6, 574)]
)
def test_receptive_field_by_gradient(n_layers, side):
    """One central logit of a discriminator of ones depends on exactly a square of this side.

    Instance normalization couples all pixels, so it is taken out for this.
    """

    def without_norm(layer):
        if isinstance(layer, InstanceNormalization):
            return keras.layers.Identity(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    discriminator = build_discriminator(input_channels=1, filters=1, n_layers=n_layers, seed=0)
    discriminator = keras.models.clone_model(discriminator, clone_function=without_norm)
    discriminator.set_weights(
        [np.ones_like(w) if w.ndim == 4 else w for w in discriminator.get_weights()]
    )
    x = tf.ones((1, 14 * 2**n_layers, 14 * 2**n_layers, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        logit = discriminator(x)[0, 6, 6, 0]
    seen = tape.gradient(logit, x)[0, :, :, 0].numpy() > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert seen.sum() == side * side
    assert rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1 == side
    assert receptive_field_px(n_layers) == side


@pytest.mark.parametrize("n_layers", range(1, 7))
def test_minimum_size_is_the_smallest_that_works(n_layers):
    discriminator = build_discriminator(filters=1, n_layers=n_layers, seed=0)
    least = minimum_size_px("patch", n_layers=n_layers)
    assert discriminator.compute_output_shape((1, least, least, 3)) == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="zero or negative"):
        discriminator.compute_output_shape((1, least - 1, least, 3))


# Paddings, against direct implementations.


@pytest.mark.parametrize("shape", [(8, 12, 3), (9, 7, 3)])
def test_strided_convolutions_pad_all_four_sides(shape):
    model = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    x, y, kernel, bias = layer_io(
        keras.Model(model.input, model.get_layer("down2").output), "down1", image(*shape)
    )
    x = x[1:-1, 1:-1]  # the layer before pads
    np.testing.assert_allclose(y, convolved(x, kernel, bias, 2, 1), atol=1e-5)


@pytest.mark.parametrize(("name", "stride"), [("conv1", 2), ("conv3", 1), ("verdict", 1)])
def test_patchgan_convolutions_pad_all_four_sides(name, stride):
    discriminator = build_discriminator(filters=2, n_layers=2, seed=0)
    x, y, kernel, bias = layer_io(discriminator, name, image(21, 18, 3))
    np.testing.assert_allclose(y, convolved(x[1:-1, 1:-1], kernel, bias, stride, 1), atol=1e-5)


def test_transposed_convolutions_crop_the_first_row_and_column():
    model = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    x, y, kernel, bias = layer_io(model, "up1", image(12, 20, 3), output="up1_crop")
    assert kernel.shape == (3, 3, 4, 8)
    assert y.shape == (6, 10, 4)
    np.testing.assert_allclose(
        y, transposed(x, kernel, bias, padding=1, output_padding=1), atol=1e-5
    )


def test_unet_convolutions_have_padding_one():
    model = build_generator("unet_128", filters=2, seed=0)
    x, y, kernel, bias = layer_io(model, "down3", image(128, 128, 3))
    np.testing.assert_allclose(y, convolved(x[1:-1, 1:-1], kernel, bias, 2, 1), atol=1e-5)
    x, y, kernel, bias = layer_io(model, "up4", image(128, 128, 3))
    np.testing.assert_allclose(
        y, transposed(x, kernel, bias, padding=1, output_padding=0), atol=1e-5
    )


def test_resize_doubles_by_nearest_neighbor_and_mirrors():
    model = build_generator("fast_style", filters=2, blocks=1, upsampling="resize", seed=0)
    x, y, kernel, bias = layer_io(model, "up1_resize", image(12, 8, 3), output="up1")[:2] + tuple(
        v.numpy() for v in model.get_layer("up1").trainable_variables
    )
    doubled = np.pad(
        x.repeat(2, axis=0).repeat(2, axis=1), [(1, 1), (1, 1), (0, 0)], mode="reflect"
    )
    np.testing.assert_allclose(y, convolved(doubled, kernel, bias, 1, 0), atol=1e-5)
    assert kernel.shape == (3, 3, 8, 4)


def test_first_layer_and_blocks_mirror_the_edges():
    model = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    x = image(8, 12, 3)
    padded, y, kernel, bias = layer_io(model, "first", x)
    np.testing.assert_array_equal(padded, np.pad(x, [(3, 3), (3, 3), (0, 0)], mode="reflect"))
    np.testing.assert_allclose(y, convolved(padded, kernel, bias, 1, 0), atol=1e-5)
    inner, outer = keras.Model(
        model.input,
        [model.get_layer("down2_relu").output, model.get_layer("block1_conv1_pad").output],
    )(x[None])
    np.testing.assert_array_equal(
        outer[0], np.pad(inner[0], [(1, 1), (1, 1), (0, 0)], mode="reflect")
    )


def test_blocks_add_without_activation():
    model = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    outputs = [
        model.get_layer(name).output for name in ("down2_relu", "block1_conv2_norm", "block1_add")
    ]
    x, branch, total = (
        value.numpy() for value in keras.Model(model.input, outputs)(image(1, 8, 8, 3))
    )
    np.testing.assert_allclose(total, x + branch, atol=1e-6)
    assert total.min() < 0
    assert model.get_layer("up1").input is model.get_layer("block1_add").output


def seen(model, *names):
    """A function from a batch to the outputs of these layers."""
    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return lambda x, training=False: [value.numpy() for value in inner(x, training=training)]


def mirrored(x):
    return np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")


def test_relu_inside_a_block_stands_after_the_padding_and_dropout_before():
    """The rim must mirror the image that was dropped from: drawn after the padding, it would drop
    others."""
    plain = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    norm, padded, activated = seen(
        plain, "block1_conv1_norm", "block1_conv2_pad", "block1_conv1_relu"
    )(image(2, 8, 12, 3))
    np.testing.assert_array_equal(padded, mirrored(norm))
    np.testing.assert_array_equal(activated, np.maximum(mirrored(norm), 0))
    assert plain.get_layer("block1_conv2").input is plain.get_layer("block1_conv1_relu").output

    dropping = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0, dropout=True)
    names = ("block1_conv1_norm", "block1_conv1_relu", "block1_dropout", "block1_conv2_pad")
    norm, activated, dropped, padded = seen(dropping, *names)(image(2, 8, 12, 3), training=True)
    np.testing.assert_array_equal(activated, np.maximum(norm, 0))
    np.testing.assert_array_equal(padded, mirrored(dropped))
    lost = (activated > 0) & (dropped == 0)
    assert 0.3 < lost.sum() / (activated > 0).sum() < 0.7
    assert dropping.get_layer("block1_conv2").input is dropping.get_layer("block1_conv2_pad").output


def papers_generator(filters, blocks, dropout=False):
    """Appendix 7.2 in its own order, convolution - normalization - ReLU - padding, of Keras's
    layers alone."""
    layers = keras.layers

    def pad(x, side):
        return layers.Lambda(
            lambda x: tf.pad(x, [[0, 0], [side] * 2, [side] * 2, [0, 0]], "REFLECT")
        )(x)

    def norm(x):
        return layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)(x)

    def norm_relu(x):
        return layers.ReLU()(norm(x))

    x = inputs = keras.Input((None, None, 3))
    x = norm_relu(layers.Conv2D(filters, 7)(pad(x, 3)))
    for factor in (2, 4):
        x = norm_relu(layers.Conv2D(factor * filters, 3, 2)(layers.ZeroPadding2D(1)(x)))
    for _ in range(blocks):
        y = norm_relu(layers.Conv2D(4 * filters, 3)(pad(x, 1)))
        if dropout:
            y = layers.Dropout(0.5)(y)
        x = layers.Add()([x, norm(layers.Conv2D(4 * filters, 3)(pad(y, 1)))])
    for factor in (2, 1):
        x = layers.Conv2DTranspose(factor * filters, 3, 2, padding="valid")(x)
        x = norm_relu(layers.Cropping2D(((1, 0), (1, 0)))(x))
    return keras.Model(inputs, layers.Activation("tanh")(layers.Conv2D(3, 7)(pad(x, 3))))


@pytest.mark.parametrize("dropout", [False, True])
def test_the_residual_generator_is_the_papers(dropout):
    model = build_generator("resnet_6blocks", filters=4, blocks=2, seed=0, dropout=dropout)
    plain = papers_generator(4, 2, dropout)
    rng = np.random.default_rng(0)
    weights = [
        v.numpy() + 0.1 * rng.normal(size=v.shape) for v in model.trainable_variables
    ]  # biases as well
    for network in (model, plain):
        for variable, value in zip(network.trainable_variables, weights, strict=True):
            variable.assign(value)
    x = image(2, 12, 16, 3)
    for training in (False,) if dropout else (False, True):
        # normalized by other kernels, in other orders of summation: rounding through ten layers
        np.testing.assert_allclose(model(x, training=training), plain(x), atol=2e-5)


def test_unet_skips_carry_activated_features():
    model = build_generator("unet_128", filters=2, seed=0)
    outputs = [
        model.get_layer(name).output
        for name in ("down1", "down2_leaky_relu", "up2_norm", "up2_join")
    ]
    raw, activated, risen, joined = (
        v.numpy() for v in keras.Model(model.input, outputs)(image(1, 128, 128, 3))
    )
    assert raw.min() < 0
    np.testing.assert_allclose(activated, np.where(raw > 0, raw, 0.2 * raw), atol=1e-7)
    np.testing.assert_array_equal(joined, np.concatenate([activated, risen], axis=-1))


def test_leaky_relu_has_slope_two_tenths():
    discriminator = build_discriminator(filters=3, seed=0)
    names = [
        layer.name for layer in discriminator.layers if isinstance(layer, keras.layers.LeakyReLU)
    ]
    assert names == [f"conv{n}_leaky_relu" for n in range(1, 5)]
    for name in names:
        before, after = layer_io(discriminator, name, image(32, 32, 3))
        assert before.min() < 0 < before.max()
        np.testing.assert_allclose(after, np.where(before > 0, before, 0.2 * before), atol=1e-6)


# Initial weights.


def all_different(arrays):
    return all(
        a.shape != b.shape or not np.array_equal(a, b) for a, b in itertools.combinations(arrays, 2)
    )


@pytest.mark.parametrize("seed", [0, None])
def test_every_layer_starts_with_numbers_of_its_own(seed):
    assert all_different(kernels(build_generator("resnet_6blocks", filters=4, blocks=3, seed=seed)))
    assert all_different(kernels(build_generator("unet_128", filters=2, seed=seed)))
    assert all_different(kernels(build_discriminator(filters=2, n_layers=6, seed=seed)))


def test_seeds_decide_the_weights():
    def of(seed):
        return kernels(build_generator("fast_style", filters=4, blocks=1, seed=seed))

    for a, again, b, random, other in zip(of(1), of(1), of(2), of(None), of(None), strict=True):
        np.testing.assert_array_equal(a, again)
        assert all_different([a, b, random, other])


def test_weights_follow_the_recipe():
    model = build_generator("resnet_6blocks", filters=16, blocks=2, seed=0)
    values = np.concatenate([k.ravel() for k in kernels(model)])
    assert abs(values.mean()) < 3e-4
    assert values.std() == pytest.approx(0.02, rel=0.02)
    assert np.abs(values).max() > 0.07, "truncated"
    assert all(not v.numpy().any() for v in model.variables if v.name == "bias")


def test_affine_gammas_start_at_one():
    for model in (
        build_generator("fast_style", filters=2, blocks=1, norm_affine=True, seed=0),
        build_discriminator(filters=2, norm_affine=True, seed=0),
    ):
        gammas = [v.numpy() for v in model.trainable_variables if v.name == "gamma"]
        betas = [v.numpy() for v in model.trainable_variables if v.name == "beta"]
        norms = sum(isinstance(layer, InstanceNormalization) for layer in model.layers)
        assert len(gammas) == len(betas) == norms > 0
        assert all((g == 1).all() for g in gammas)
        assert not any(b.any() for b in betas)


# Batch normalization.


def convolution_biases(model):
    return {layer.name: layer.use_bias for layer in model.layers if hasattr(layer, "use_bias")}


def test_batch_normalization_replaces_instance_normalization_and_most_biases():
    """Only those convolutions keep a bias that have one in the official PyTorch code."""
    cases = [
        (lambda **o: build_generator("resnet_6blocks", filters=2, blocks=2, **o), {"last"}),
        (
            lambda **o: build_generator(
                "fast_style", filters=2, blocks=1, upsampling="resize", **o
            ),
            {"last"},
        ),
        (lambda **o: build_generator("unet_128", filters=1, **o), {"up1"}),
        (lambda **o: build_discriminator(filters=2, **o), {"conv1", "verdict"}),
        (lambda **o: build_discriminator("pixel", filters=2, **o), {"conv1"}),
    ]
    for build, biased in cases:
        batch, instance = build(norm="batch", seed=0), build(seed=0)
        norms = {
            layer.name
            for layer in batch.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        }
        assert norms == {
            layer.name for layer in instance.layers if isinstance(layer, InstanceNormalization)
        }
        assert {name for name, has in convolution_biases(batch).items() if has} == biased
        assert all(convolution_biases(instance).values())
        assert [layer.name for layer in batch.layers] == [layer.name for layer in instance.layers]


def test_batch_normalization_by_hand():
    """In inference by the moving statistics; in training by the batch's, a tenth of which moves
    them."""
    model = build_discriminator("pixel", filters=2, norm="batch", seed=0)
    inner = keras.Model(
        model.input, [model.get_layer("conv2").output, model.get_layer("conv2_norm").output]
    )
    gamma, beta, mean, variance = (v.value.numpy() for v in model.get_layer("conv2_norm").weights)
    assert np.abs(gamma - 1).max() < 0.1
    assert gamma.std() > 0
    assert not beta.any()
    rng = np.random.default_rng(1)
    mean, variance = rng.normal(size=4), rng.uniform(0.5, 2, 4)
    model.get_layer("conv2_norm").set_weights([gamma, beta, mean, variance])
    x = image(3, 5, 4, 3)
    before, after = (value.numpy() for value in inner(x, training=False))
    np.testing.assert_allclose(after, (before - mean) / np.sqrt(variance + 1e-5) * gamma, atol=1e-5)
    before, after = (value.numpy() for value in inner(x, training=True))
    own_mean, own_variance = before.mean(axis=(0, 1, 2)), before.var(axis=(0, 1, 2))
    np.testing.assert_allclose(
        after, (before - own_mean) / np.sqrt(own_variance + 1e-5) * gamma, atol=1e-5
    )
    *_, moved_mean, moved_variance = model.get_layer("conv2_norm").get_weights()
    np.testing.assert_allclose(moved_mean, 0.9 * mean + 0.1 * own_mean, rtol=1e-5)
    np.testing.assert_allclose(moved_variance, 0.9 * variance + 0.1 * own_variance, rtol=1e-5)


def test_batch_normalizations_gammas_differ_and_follow_the_seed():
    def gammas(seed):
        model = build_generator("resnet_6blocks", filters=8, blocks=2, norm="batch", seed=seed)
        return [v.value.numpy() for v in model.trainable_variables if v.name == "gamma"]

    assert all_different(gammas(1))
    assert all_different(gammas(None))
    for a, again in zip(gammas(1), gammas(1), strict=True):
        np.testing.assert_array_equal(a, again)
    everything = np.concatenate(gammas(1))
    assert everything.mean() == pytest.approx(1, abs=0.01)
    assert everything.std() == pytest.approx(0.02, rel=0.2)


# Behavior.


@pytest.mark.parametrize(
    ("architecture", "upsampling"),
    [
        ("resnet_9blocks", "transposed"),
        ("resnet_6blocks", "resize"),
        ("fast_style", "resize"),
        ("resnet_9blocks", "antialiased"),
        ("unet_256", "transposed"),
        ("unet_128", "resize"),
    ],
)
def test_any_size_and_channels(architecture, upsampling):
    side = size_divisor(architecture)
    residual = {} if architecture.startswith("unet") else {"blocks": 1}
    model = build_generator(
        architecture,
        filters=2,
        input_channels=1,
        output_channels=2,
        upsampling=upsampling,
        seed=0,
        **residual,
    )
    assert model.name == architecture
    height, width = (side, side) if side >= 128 else (3 * side, 4 * side)
    y = model(image(1, height, width, 1)).numpy()
    assert y.shape == (1, height, width, 2)
    assert y.dtype == np.float32
    assert np.abs(y).max() <= 1
    assert np.abs(y).max() > 0
    assert size_divisor_of(model) == side


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_output_is_float32_under_every_policy(policy):
    x = image(1, 32, 32, 3)
    for build in (
        lambda p: build_generator("fast_style", filters=2, blocks=1, seed=0, dtype_policy=p),
        lambda p: build_discriminator(filters=2, seed=0, dtype_policy=p),
    ):
        model, exact = build(policy), build("float32")
        exact.set_weights(model.get_weights())
        assert {layer.compute_dtype for layer in model.layers[1:-1]} == {
            policy.removeprefix("mixed_")
        }
        assert all(
            v.dtype == ("float64" if policy == "float64" else "float32")
            for v in model.trainable_variables
        )
        y = model(x, training=True)
        assert y.dtype == tf.float32
        np.testing.assert_allclose(y, exact(x), atol=0.1 * np.abs(exact(x)).max() + 0.02)


def test_the_global_policy_counts_when_none_is_given():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_discriminator(filters=1, seed=0)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("verdict").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


def test_images_of_a_batch_do_not_see_each_other():
    x = image(3, 16, 16, 3)
    for model in (
        build_generator("resnet_6blocks", filters=2, blocks=1, seed=0),
        build_discriminator(filters=2, n_layers=2, seed=0),
    ):
        alone = np.concatenate([model(one[None]) for one in x])
        for training in (False, True):
            np.testing.assert_allclose(model(x, training=training), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "places"),
    [
        ("resnet_6blocks", [f"block{n}_dropout" for n in range(1, 7)]),
        ("unet_128", ["up6_dropout", "up5_dropout"]),
    ],
)
def test_dropout_has_its_places_and_names_that_do_not_depend_on_what_was_built_before(
    architecture, places
):
    models = [build_generator(architecture, filters=1, dropout=True, seed=0) for _ in range(2)]
    dropouts = [layer for layer in models[0].layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.name for layer in dropouts] == places
    assert {layer.rate for layer in dropouts} == {0.5}
    assert [v.path for v in models[0].variables] == [v.path for v in models[1].variables]


def test_dropout_acts_in_training_only():
    model = build_generator("resnet_6blocks", filters=2, blocks=1, dropout=True, seed=0)
    x = image(1, 16, 16, 3)
    assert np.abs(model(x, training=True).numpy() - model(x, training=True).numpy()).max() > 1e-4
    np.testing.assert_array_equal(model(x), model(x))


def test_every_layer_is_named_by_us():
    cases = [("fast_style", "transposed"), ("unet_128", "resize"), ("fast_style", "antialiased")]
    networks_made = [
        build_generator(a, filters=1, seed=0, upsampling=u, dropout=True) for a, u in cases
    ]
    networks_made += [
        build_discriminator(a, filters=1, seed=0) for a in DISCRIMINATOR_ARCHITECTURES
    ]
    for model in networks_made:
        parts = {part for layer in model.layers for part in layer.name.split("_")}
        assert not {part for part in parts if part.isdigit()}
        assert len({v.path for v in model.variables}) == len(model.variables)


# Keras 3.15 saves variables through np.array(variable), whose copy keyword they lack
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
@pytest.mark.parametrize("kind", ["transposed", "resize", "batch", "patch"])
def test_saved_networks_answer_the_same(kind, tmp_path):
    model = {
        "transposed": lambda: build_generator(
            "resnet_6blocks", filters=2, blocks=1, dropout=True, norm_affine=True
        ),
        "resize": lambda: build_generator(
            "fast_style", filters=1, blocks=1, upsampling="resize", dtype_policy="mixed_bfloat16"
        ),
        "batch": lambda: build_generator("resnet_6blocks", filters=2, blocks=1, norm="batch"),
        "patch": lambda: build_discriminator(filters=2, n_layers=2, name="discriminator_x"),
    }[kind]()
    x = image(1, 16, 16, 3)
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.name == model.name
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert [layer.compute_dtype for layer in loaded.layers] == [
        layer.compute_dtype for layer in model.layers
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: build_generator("resnet"),
            "architecture must be one of resnet_9blocks, .*; got 'resnet'",
        ),
        (
            lambda: build_generator("unet_128", upsampling="antialiased"),
            "'antialiased' is for residual generators, not for unet_128",
        ),
        (
            lambda: build_generator("fast_style", upsampling="bicubic"),
            "upsampling must be one of transposed, resize, antialiased",
        ),
        (
            lambda: build_generator("fast_style", norm="none"),
            "norm must be one of instance, batch; got 'none'",
        ),
        (
            lambda: build_discriminator(norm="batch", norm_affine=True),
            "norm_affine is for instance normalization",
        ),
        (lambda: build_generator("fast_style", filters=0), "filters must be at least 1, got 0"),
        (lambda: build_generator("fast_style", blocks=0), "blocks must be at least 1, got 0"),
        (
            lambda: build_generator("mobile", upsampling="antialiased"),
            "'antialiased' is for residual generators, not for mobile",
        ),
        (lambda: build_generator("unet_128", blocks=3), "unet_128 was given blocks=3"),
        (lambda: build_generator("unet_128", long_skips=True), "unet_128 has skips of its own"),
        (
            lambda: build_generator("fast_style", input_channels=0),
            "input_channels must be at least 1, got 0",
        ),
        (
            lambda: build_discriminator("conv"),
            "architecture must be one of patch, pixel; got 'conv'",
        ),
        (lambda: build_discriminator(n_layers=7), "n_layers must be from 1 to 6, got 7"),
        (lambda: build_discriminator(filters=-1), "filters must be at least 1, got -1"),
        (lambda: receptive_field_px(0), "n_layers must be from 1 to 6, got 0"),
        (lambda: size_divisor("patch"), "architecture must be one of"),
        (
            lambda: minimum_size_px("patch", n_layers=9),
            "n_layers must be from 1 to 6, got 9",
        ),
    ],
)
def test_impossible_networks_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_sizes_by_name():
    assert {name: size_divisor(name) for name in ARCHITECTURES} == {
        "resnet_9blocks": 4, "resnet_6blocks": 4, "fast_style": 4, "mobile": 4,
        "unet_256": 256, "unet_128": 128,
    }  # fmt: skip
    assert minimum_size_px() == 24
    assert (
        math.prod(build_discriminator(filters=1, seed=0).compute_output_shape((1, 70, 70, 3))) == 36
    )
