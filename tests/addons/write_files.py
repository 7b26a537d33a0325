"""Runs in the old environment: `python tests/addons/write_files.py FOLDER`.

See `make test-addons`.

Builds networks as the tutorials of their time did, with tensorflow-addons, saves them in each form
Keras 2 had, and writes what they and the layers of tensorflow-addons compute. Imports nothing of
this project.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402 -- TensorFlow reads its environment once
import tensorflow as tf  # noqa: E402
import tensorflow_addons as tfa  # noqa: E402
from absl import logging  # noqa: E402

layers = tf.keras.layers
RANDOM = np.random.default_rng(0)


class ReflectionPadding2D(layers.Layer):
    """Mirrors edges; padding is (width, height).

    No get_config: Keras 2.11 and later find settings by themselves.
    """

    def __init__(self, padding=(1, 1), **kwargs):
        super().__init__(**kwargs)
        self.padding = tuple(padding)

    def call(self, inputs):
        """Pads (N, H, W, C)."""
        width, height = self.padding
        return tf.pad(inputs, [[0, 0], [height, height], [width, width], [0, 0]], "REFLECT")


class BareReflectionPadding2D(ReflectionPadding2D):
    """As Keras before 2.11 saw it."""

    def get_config(self):
        """There is none."""
        raise NotImplementedError


BareReflectionPadding2D.__name__ = "ReflectionPadding2D"


class InstanceNormalization(layers.Layer):
    """The pix2pix tutorial's: weights called scale and offset."""

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        """Makes scale and offset."""
        size = input_shape[-1:]
        self.scale = self.add_weight(
            "scale", size, initializer=tf.random_normal_initializer(1.0, 0.02)
        )
        self.offset = self.add_weight("offset", size, initializer="zeros")

    def call(self, inputs):
        """Normalizes (N, H, W, C) over H and W."""
        mean, variance = tf.nn.moments(inputs, [1, 2], keepdims=True)
        return self.scale * (inputs - mean) * tf.math.rsqrt(variance + self.epsilon) + self.offset


def kernels():
    """Of all convolutions: large enough to matter after several layers."""
    return tf.keras.initializers.RandomNormal(0.0, 0.1)


def resnet(name, filters=4, blocks=2, size=32, padding=ReflectionPadding2D):
    """The generator of keras.io's CycleGAN, small."""

    def unit(x, convolution, activate=True):
        gammas = tf.keras.initializers.RandomNormal(0.0, 0.02)
        x = tfa.layers.InstanceNormalization(gamma_initializer=gammas)(convolution(x))
        return layers.Activation("relu")(x) if activate else x

    def conv(width, side, **options):
        return layers.Conv2D(
            width, (side, side), kernel_initializer=kernels(), use_bias=False, **options
        )

    inputs = layers.Input((size, size, 3), name=f"{name}_input")
    x = unit(padding(padding=(3, 3))(inputs), conv(filters, 7))
    for _ in range(2):
        filters *= 2
        x = unit(x, conv(filters, 3, strides=(2, 2), padding="same"))
    for _ in range(blocks):
        y = unit(padding()(x), conv(filters, 3, padding="valid"))
        y = unit(padding()(y), conv(filters, 3, padding="valid"), activate=False)
        x = layers.add([x, y])
    for _ in range(2):
        filters //= 2
        up = layers.Conv2DTranspose(
            filters, (3, 3), (2, 2), "same", kernel_initializer=kernels(), use_bias=False
        )
        x = unit(x, up)
    x = layers.Conv2D(3, (7, 7), padding="valid")(padding(padding=(3, 3))(x))
    return tf.keras.Model(inputs, layers.Activation("tanh")(x), name=name)


def unet(filters=4, depth=5, norm=InstanceNormalization):
    """The generator of TensorFlow's pix2pix and CycleGAN tutorials, small, of nested chains."""
    widths = [filters * min(2**level, 8) for level in range(depth)]

    def chain(convolution, *others):
        made = tf.keras.Sequential()
        for layer in (convolution, *others):
            made.add(layer)
        return made

    def options():
        return {"strides": 2, "padding": "same", "kernel_initializer": kernels()}

    x = inputs = layers.Input([None, None, 3])
    skips = []
    for level, width in enumerate(widths):
        convolution = layers.Conv2D(width, 4, use_bias=False, **options())
        x = chain(convolution, *([norm()] if level else []), layers.LeakyReLU())(x)
        skips.append(x)
    join = layers.Concatenate()
    for level, skip in zip(range(depth - 1), reversed(skips[:-1]), strict=True):
        convolution = layers.Conv2DTranspose(
            widths[depth - 2 - level], 4, use_bias=False, **options()
        )
        x = chain(
            convolution, norm(), *([layers.Dropout(0.5)] if level < 3 else []), layers.ReLU()
        )(x)
        x = join([x, skip])
    return tf.keras.Model(inputs, layers.Conv2DTranspose(3, 4, activation="tanh", **options())(x))


def mixture():
    """Functions of TensorFlow, shared layers, other axes, groups, a model within."""
    inner_input = layers.Input((None, None, 4))
    y = layers.Conv2D(4, 3, padding="same", activation="relu", kernel_initializer=kernels())(
        inner_input
    )
    inner = tf.keras.Model(inner_input, tfa.layers.GroupNormalization(groups=2)(y), name="inner")
    inputs = layers.Input((16, 24, 3))
    x = tf.pad(inputs, [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")
    x = layers.Conv2D(4, 5, kernel_initializer=kernels())(x)
    x = layers.BatchNormalization()(x)
    x = layers.LeakyReLU(alpha=0.1)(x)
    x = inner(inner(x)) * 0.5 + x
    x = layers.Permute((3, 1, 2))(x)
    x = tfa.layers.InstanceNormalization(axis=1, epsilon=0.01)(x)
    x = layers.Permute((2, 3, 1))(x)
    x = tf.concat([x, inputs], axis=-1)
    x = layers.UpSampling2D(2)(layers.ZeroPadding2D(((1, 0), (0, 1)))(x))
    x = layers.Conv2D(3, 3, padding="same", kernel_initializer=kernels())(tf.nn.relu(x))
    return tf.keras.Model(inputs, tf.tanh(x), name="mixture")


class CycleGan(tf.keras.Model):
    """A model of a class of its own, as keras.io's tutorial trains it."""

    def __init__(self, generator_g, generator_f, discriminator_x):
        super().__init__()
        self.gen_G = generator_g
        self.gen_F = generator_f
        self.disc_X = discriminator_x

    def call(self, inputs):
        """Both directions, so that Keras can save it."""
        return self.gen_F(self.gen_G(inputs)), self.disc_X(inputs)


def shake(network):
    """Random values for what begins at zero or one."""
    for variable in network.weights:
        if len(variable.shape) == 1:
            start = (
                1.0
                if any(word in variable.name for word in ("gamma", "scale", "variance"))
                else 0.0
            )
            variable.assign(start + RANDOM.uniform(-0.4, 0.4, variable.shape))


def images(height, width):
    """float32 (2, height, width, 3) in [-1, 1]."""
    return RANDOM.uniform(-1, 1, (2, height, width, 3)).astype(np.float32)


def write_computed(path, network, x):
    """What it makes of x."""
    np.savez(path, x=x, y=network(x, training=False).numpy())


def save(folder, name, network, x):
    """All forms, and what the network makes of x."""
    shake(network)
    write_computed(folder / f"{name}.npz", network, x)
    network.save(folder / f"{name}.h5")
    network.save(folder / f"{name}.keras")
    network.save(folder / f"{name}_saved_model", save_format="tf")
    network.save_weights(folder / f"{name}_weights.h5")
    network.save_weights(folder / f"{name}.weights.h5")
    network.save_weights(folder / f"{name}_checkpoint", save_format="tf")


def save_pair(folder):
    """Both generators and a discriminator in one file, as weights."""
    first, second = resnet("generator_G", blocks=1), resnet("generator_F", blocks=1)
    given = layers.Input((32, 32, 3))
    normalized = tfa.layers.InstanceNormalization()(layers.Conv2D(4, 4, strides=2)(given))
    discriminator = tf.keras.Model(given, layers.Conv2D(1, 4)(normalized), name="discriminator_X")
    for network in (first, second):
        shake(network)
    x = images(32, 32)
    write_computed(folder / "pair_xy.npz", first, x)
    write_computed(folder / "pair_yx.npz", second, x)
    both = CycleGan(first, second, discriminator)
    both(x)
    both.save_weights(folder / "pair_weights.h5")
    both.save_weights(folder / "pair_checkpoint", save_format="tf")
    both.save(folder / "pair_saved_model", save_format="tf")
    objects = tf.train.Checkpoint(
        generator_g=first,
        generator_f=second,
        discriminator_x=discriminator,
        optimizer=tf.keras.optimizers.Adam(),
    )
    objects.save(str(folder / "pair_objects"))


def cases():
    """(class, its settings, shape of what it is fed)."""
    plain, channels_first = (3, 6, 5, 4), (2, 4, 6, 5)
    instance, group = tfa.layers.InstanceNormalization, tfa.layers.GroupNormalization
    for axis in (-1, 3):
        for center in (True, False):
            for scale in (True, False):
                yield instance, {"axis": axis, "center": center, "scale": scale}, plain
    yield instance, {}, plain
    yield instance, {"epsilon": 1e-5}, plain
    yield instance, {"epsilon": 0.5}, plain
    yield instance, {"axis": 1}, channels_first
    yield instance, {"axis": -2}, plain
    yield instance, {}, (2, 7, 4)
    yield group, {"groups": 2}, plain
    yield group, {"groups": 1, "epsilon": 0.1}, plain
    yield group, {"groups": 4}, plain
    yield group, {"groups": 2, "axis": 1}, channels_first
    yield group, {"groups": 3, "axis": -3}, plain
    yield group, {"groups": 2}, (5, 4)


def write_norms(folder):
    """Outputs and gradients of tensorflow-addons' layers, float32."""
    arrays, described = {}, []
    for number, (kind, settings, shape) in enumerate(cases()):
        layer = kind(**settings)
        layer.build(shape)
        shake(layer)
        x = tf.constant(RANDOM.normal(1.0, 2.0, shape), tf.float32)
        upstream = tf.constant(RANDOM.normal(size=shape), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(y * upstream)
        names = [weight.name.split(":")[0] for weight in layer.weights]
        gradients = tape.gradient(total, [x, *layer.weights])
        for name, value in zip(["x", *names], [x, *layer.weights], strict=True):
            arrays[f"{number}/{name}"] = value.numpy()
        for name, value in zip(["x", *names], gradients, strict=True):
            arrays[f"{number}/to_{name}"] = value.numpy()
        arrays[f"{number}/y"], arrays[f"{number}/upstream"] = y.numpy(), upstream.numpy()
        described.append(
            {
                "class": kind.__name__,
                "settings": settings,
                "weights": names,
                "config": plain_config(layer),
            }
        )
    np.savez(folder / "norms.npz", **arrays)
    (folder / "norms.json").write_text(json.dumps(described, indent=1))


def plain_config(layer):
    """What the layer writes into files."""
    return {key: value for key, value in layer.get_config().items() if key != "dtype"}


def main(folder):
    """Writes everything."""
    folder.mkdir(parents=True, exist_ok=True)
    logging.set_verbosity("error")
    tf.get_logger().setLevel("ERROR")
    tf.keras.utils.set_random_seed(1)
    versions = {
        "tensorflow": tf.__version__,
        "tensorflow_addons": tfa.__version__,
        "keras": version("keras"),
    }
    (folder / "versions.json").write_text(json.dumps(versions))
    write_norms(folder)
    save(folder, "resnet", resnet("generator"), images(32, 32))
    save(folder, "unet", unet(), images(64, 32))
    save(
        folder, "addons_unet", unet(depth=3, norm=tfa.layers.InstanceNormalization), images(16, 24)
    )
    save(folder, "mixture", mixture(), images(16, 24))
    bare = resnet("bare", padding=BareReflectionPadding2D)
    shake(bare)
    x = images(32, 32)
    write_computed(folder / "bare.npz", bare, x)
    bare.save(folder / "bare_saved_model", save_format="tf")
    save_pair(folder)
    print(
        f"written with TensorFlow {versions['tensorflow']} and tensorflow-addons "
        f"{versions['tensorflow_addons']}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
