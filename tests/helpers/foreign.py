"""Generators that are none of ours: in the style of the tutorials, as `convert` leaves them, or
SavedModels that do more than they say."""

import keras
import tensorflow as tf

from cyclegan_tf.networks.layers import InstanceNormalization


def network(channels=(3, 3), filters=3, *, batch_norm=False, size=None, last="same"):
    """Halves twice, enlarges twice, a skip and dropout in between; the last layer is a convolution
    with tanh."""
    norm = (
        keras.layers.BatchNormalization
        if batch_norm
        else (lambda name: InstanceNormalization(1e-3, name=name))
    )
    inputs = keras.Input((size, size, channels[0]), name="image")
    x = keras.layers.Conv2D(filters, 4, 2, "same", name="encode_1")(inputs)
    skip = x = keras.layers.LeakyReLU(0.2, name="leak_1")(norm(name="encode_1_norm")(x))
    x = keras.layers.Conv2D(filters, 4, 2, "same", use_bias=False, name="encode_2")(x)
    x = keras.layers.ReLU(name="relu_2")(norm(name="encode_2_norm")(x))
    x = keras.layers.Conv2DTranspose(filters, 4, 2, "same", name="decode_1")(x)
    x = keras.layers.Dropout(0.5, name="drop")(norm(name="decode_1_norm")(x))
    x = keras.layers.Concatenate(name="join")([x, skip])
    outputs = keras.layers.Conv2DTranspose(
        channels[1], 4, 2, last, activation="tanh", name="decode_2"
    )(x)
    return keras.Model(inputs, outputs, name="foreign")


def save(path, seed=0, **options):
    """A network with weights large enough to matter, in a `.keras` file; returns it."""
    keras.utils.set_random_seed(seed)
    made = network(**options)
    for variable in made.trainable_variables:
        variable.assign(variable + 0.3 * keras.random.normal(variable.shape, seed=seed))
    made.save(path)
    return made


class _Program(tf.Module):
    def __init__(self, act):
        super().__init__()
        self.zero = tf.Variable(0.0)
        self.act = act

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, "images")])
    def translate(self, images):
        return {"translated": self.act(images + self.zero)}


def save_program(folder, act):
    """A SavedModel whose only signature takes images, calls `act` on them, and gives the result."""
    program = _Program(act)
    tf.saved_model.save(program, str(folder), signatures={"serving_default": program.translate})
    return folder
