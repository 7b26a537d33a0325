"""Which weights an encoder has."""

import keras
import pytest

from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.networks.freezing import freeze_encoder
from tests.helpers import foreign


def layers_of(variables):
    return {variable.path.split("/")[0] for variable in variables}


@pytest.mark.parametrize(
    "norm",
    [{"norm_affine": True}, {"norm": "batch"}, {"norm_affine": True, "upsampling": "antialiased"}],
    ids=["instance", "batch", "antialiased"],
)
def test_of_a_residual_generator_all_before_the_blocks(norm):
    network = build_generator(
        "resnet_6blocks", filters=2, blocks=2, color_skip=True, seed=0, **norm
    )
    every = layers_of(network.variables)
    freeze_encoder(network)
    frozen = {"first", "first_norm", "down1", "down1_norm", "down2", "down2_norm"}
    assert layers_of(network.trainable_variables) == every - frozen
    assert frozen < every


def test_of_a_unet_the_descending_half():
    network = build_generator("unet_128", filters=1, norm_affine=True, seed=0)
    freeze_encoder(network)
    ups = {f"up{level}" for level in range(1, 8)} | {f"up{level}_norm" for level in range(2, 8)}
    assert layers_of(network.trainable_variables) == ups


def test_a_frozen_batch_norm_goes_by_its_moving_statistics_in_training_too():
    network = build_generator("resnet_6blocks", filters=2, blocks=1, norm="batch", seed=0)
    before = keras.ops.convert_to_numpy(network.get_layer("first_norm").moving_mean)
    image = keras.random.normal((1, 16, 16, 3), seed=1)
    freeze_encoder(network)
    network(image, training=True)
    assert (keras.ops.convert_to_numpy(network.get_layer("first_norm").moving_mean) == before).all()
    assert (keras.ops.convert_to_numpy(network.get_layer("up2_norm").moving_mean) != 0).any()


def test_what_has_no_encoder_is_refused():
    with pytest.raises(ValueError, match="patch has no encoder to freeze"):
        freeze_encoder(build_discriminator(filters=1, n_layers=1, seed=0))


def test_of_a_network_of_any_make_all_up_to_the_last_halving_and_its_norm():
    network = foreign.network(batch_norm=True)
    freeze_encoder(network)
    assert layers_of(network.trainable_variables) == {"decode_1", "decode_1_norm", "decode_2"}


def test_within_a_model_within_the_model_it_is_the_whole_of_it():
    inner = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, 2, "same")], name="down"
    )
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="middle")(inner(inputs))
    outputs = keras.layers.Conv2DTranspose(3, 3, 2, "same", name="up")(x)
    network = keras.Model(inputs, outputs)
    freeze_encoder(network)
    assert layers_of(network.trainable_variables) == {"middle", "up"}
    with pytest.raises(ValueError, match="nothing behind it could be trained"):
        freeze_encoder(keras.Sequential([keras.Input((None, None, 3)), network], name="whole"))
