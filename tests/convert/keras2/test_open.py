"""Whole files of Keras 2, each form against the network computed in NumPy, and each mistake."""

import copy
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from cyclegan_tf.convert.keras2.open import open_model
from cyclegan_tf.errors import UserError
from cyclegan_tf.export.model_card import write_model_card
from cyclegan_tf.networks import layers
from cyclegan_tf.networks.files import open_trainable
from tests.helpers.errors import refused
from tests.helpers.keras2 import (
    by_layer,
    contrib_norm,
    entry,
    functional,
    image_input,
    resnet_arrays,
    resnet_config,
    run_resnet,
    run_unet,
    saved_model,
    snapshot,
    unet_arrays,
    write_h5,
    write_keras,
    write_numbered,
    write_weights,
)

ARRAYS = resnet_arrays()


def images(height=12, width=16, channels=3):
    return np.random.default_rng(7).uniform(-1, 1, (2, height, width, channels)).astype(np.float32)


def write(form, folder):
    groups, config = by_layer(ARRAYS), resnet_config(ARRAYS, size=32)
    if form == "h5":
        return write_h5(folder / "model.h5", groups, config)
    if form == "keras":
        return write_keras(folder / "model.keras", groups, config)
    if form == "weights":
        return write_weights(folder / "weights.h5", groups)
    if form == "numbered weights":
        with h5py.File(folder / "model.weights.h5", "w") as file:
            write_numbered(file, groups)
        return folder / "model.weights.h5"
    if form == "saved_model":
        return saved_model(folder / "saved", ARRAYS, config)
    if form == "saved_model of a class":
        return saved_model(folder / "saved", ARRAYS, config, "gen_G")
    snapshot(ARRAYS).write(str(folder / "ckpt.005"))
    return folder / ("ckpt.005.index" if form == "checkpoint's index" else "ckpt.005")


FORMS = [
    "h5", "keras", "weights", "numbered weights", "saved_model", "saved_model of a class",
    "checkpoint",
    "checkpoint's index",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_opens_and_computes_the_same(form, tmp_path):
    network, notes = open_model(write(form, tmp_path))
    x = images()
    np.testing.assert_allclose(network(x), run_resnet(ARRAYS, x), atol=1e-5)
    assert network.input_shape == (None, None, None, 3)
    assert all(layer.compute_dtype == "float32" for layer in network.layers)
    described = form in ("h5", "keras", "saved_model", "saved_model of a class")
    assert ("made for images of 32x32, it now takes any size" in notes) is described
    assert any("keras.io's CycleGAN tutorial" in note for note in notes) is not described


def of_contrib(config):
    """The same network with keras_contrib's norms."""
    config = copy.deepcopy(config)
    for one in config["config"]["layers"]:
        if one["class_name"] == "Addons>InstanceNormalization":
            one["class_name"] = "InstanceNormalization"
            del one["config"]["groups"]
    return config


def test_a_network_with_keras_contribs_norms_computes_the_same(tmp_path):
    config = of_contrib(resnet_config(ARRAYS, size=32))
    network, notes = open_model(write_h5(tmp_path / "model.h5", by_layer(ARRAYS), config))
    x = images()
    truth = run_resnet(ARRAYS, x, norm=contrib_norm)
    assert np.abs(truth - run_resnet(ARRAYS, x)).max() > 1e-4  # not what tensorflow-addons computes
    np.testing.assert_allclose(network(x), truth, atol=1e-5)
    assert "made for images of 32x32, it now takes any size" in notes
    network.save(tmp_path / "new.keras")
    again = open_trainable(tmp_path / "new.keras")
    np.testing.assert_allclose(again(x, training=True), truth, atol=1e-5)


def test_what_is_opened_is_made_of_todays_layers_and_survives_saving(tmp_path):
    network, _ = open_model(write("h5", tmp_path))
    kinds = {type(layer) for layer in network.layers}
    assert {layers.InstanceNormalization, layers.ReflectionPadding2D, keras.layers.Conv2D} <= kinds
    network.save(tmp_path / "new.keras")
    again = keras.saving.load_model(tmp_path / "new.keras")
    x = images()
    np.testing.assert_array_equal(again(x), network(x))


def test_what_todays_keras_saved_opens_too(tmp_path):
    network, _ = open_model(write("h5", tmp_path))
    x = images()
    for name in ("new.keras", "new.h5"):
        network.save(tmp_path / name)
        again, notes = open_model(tmp_path / name)
        np.testing.assert_array_equal(again(x), network(x))
        assert notes == []


def test_weights_alone_of_a_u_net(tmp_path):
    arrays = unet_arrays(2, 3)
    network, notes = open_model(write_weights(tmp_path / "w.h5", by_layer(arrays)))
    x = images(16, 24)
    np.testing.assert_allclose(network(x), run_unet(arrays, x, 3), atol=1e-5)
    assert "U-Net" in notes[0]


def four(first, second):
    """Weights of a tutorial's CycleGan: both generators, two discriminators of no known network."""
    discriminator = [("discriminator/kernel:0", np.zeros((4, 4, 3, 1), np.float32))]
    return {
        "generator_G": first,
        "generator_F": second,
        "discriminator_X": discriminator,
        "discriminator_Y": discriminator,
    }


@pytest.mark.parametrize("form", ["h5", "checkpoint"])
def test_generators_both_ways_in_one_file(tmp_path, form):
    """A checkpoint keeps names in any order: F before G here."""
    other = resnet_arrays(seed=1)
    if form == "h5":
        path = write_weights(tmp_path / "w.h5", list(four(ARRAYS, other).items()))
    else:
        names = {"generator_F": snapshot(other), "generator_G": snapshot(ARRAYS)}
        path = tmp_path / "ckpt"
        tf.train.Checkpoint(**names, step=tf.Variable(3)).write(str(path))
    x = images()
    for direction, arrays, name in (("xy", ARRAYS, "generator_G"), ("yx", other, "generator_F")):
        network, notes = open_model(path, direction=direction)
        np.testing.assert_allclose(network(x), run_resnet(arrays, x), atol=1e-5)
        assert any(f"{name} is taken for {direction}" in note for note in notes)


def test_weights_for_a_network_that_is_given(tmp_path):
    path = write("weights", tmp_path)
    like, _ = open_model(path)
    like.set_weights([np.zeros_like(weight) for weight in like.get_weights()])
    network, notes = open_model(path, like=like)
    assert network is like
    assert notes == []
    x = images()
    np.testing.assert_allclose(network(x), run_resnet(ARRAYS, x), atol=1e-5)


def test_weights_of_another_network_leave_the_given_one_alone(tmp_path):
    like, _ = open_model(write("weights", tmp_path))
    before = like.get_weights()
    path = write_weights(tmp_path / "other.h5", by_layer(resnet_arrays(filters=3)))
    with pytest.raises(
        UserError, match=r"other\.h5 cannot be opened: the weights of first do not fit"
    ):
        open_model(path, like=like)
    for weight, array in zip(like.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, array)


def test_unknown_weights_ask_for_the_full_model(tmp_path):
    arrays = [*ARRAYS[:3], ("conv2d_1/kernel:0", np.zeros((5, 5, 2, 4), np.float32)), *ARRAYS[4:]]
    path = write_weights(tmp_path / "w.h5", by_layer(arrays))
    with pytest.raises(UserError) as caught:
        open_model(path)
    assert "array 4, kernel of shape (5, 5, 2, 4), fits none" in str(caught.value)
    assert "give the full model" in str(caught.value)


@pytest.mark.parametrize("form", ["h5", "keras", "weights", "numbered weights"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.98])
def test_cut_short(form, share, tmp_path):
    path = write(form, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(9, int(share * len(whole)))])
    with pytest.raises(UserError, match="cannot be opened: ") as caught:
        open_model(path)
    assert "\n" not in str(caught.value)


def text_file(path):
    path.write_text("weights, they said")


def foreign_hdf5(path):
    with h5py.File(path, "w") as file:
        file["a"] = 1


def foreign_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")


def without_weights(path):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(resnet_config(ARRAYS))


def bomb(path):
    """A kernel of which the shape is all there is."""
    with_lambda(path)
    with h5py.File(path, "a") as file:
        file.create_dataset("model_weights/kernel", (46_000, 46_000), np.float32, chunks=(64, 64))


def zip_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, bytes(2**21))


def pointer(path):
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:01\nsize 9\n")


def bad_json(path):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{"
        file.create_group("model_weights")


def with_lambda(path):
    code = entry("Lambda", "mine", "input_1", function=["4wEAAAAAAAA=", None, None])
    write_h5(path, [], functional("net", image_input(), code))


def with_unknown(path):
    write_h5(path, [], functional("net", image_input(), entry("Attention3D", "mine", "input_1")))


def lambda_of_today(path):
    inputs = keras.Input((4, 4, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(path)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("none.h5", lambda path: None, "there is no such file; known are .h5"),
        ("empty.h5", lambda path: path.touch(), "it is empty"),
        ("text.h5", text_file, "neither HDF5 nor a .keras file"),
        ("foreign.h5", foreign_hdf5, "was not written by Keras"),
        ("foreign.keras", foreign_zip, "a zip file, but not of Keras"),
        ("bare.h5", without_weights, "its weights are missing"),
        ("json.h5", bad_json, "not JSON"),
        ("bomb.h5", bomb, "claim a shape of (46000, 46000)"),
        ("bomb.keras", zip_bomb, "config.json in it claims 2,097,152 bytes"),
        ("pointer.h5", pointer, "it is a Git LFS pointer"),
        ("pipe.h5", os.mkfifo, "it is a pipe"),
        ("lambda.h5", with_lambda, "it holds Python code in mine (Lambda)"),
        ("unknown.h5", with_unknown, "not known here: Attention3D (as mine)"),
        ("lambda.keras", lambda_of_today, "refuses it"),
        ("folder", lambda path: path.mkdir(), "the folder holds no saved_model.pb"),
    ],
)
def test_mistakes_are_one_sentence_each(name, make, message, tmp_path):
    make(tmp_path / name)
    with pytest.raises(UserError) as caught:
        open_model(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name} cannot be opened: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_saved_model_without_a_description_cannot_be_trained(tmp_path):
    folder = write("saved_model", tmp_path)
    (folder / "keras_metadata.pb").unlink()
    program = saved_model_pb2.SavedModel()
    program.meta_graphs.add().object_graph_def.nodes.add()
    (folder / "saved_model.pb").write_bytes(program.SerializeToString())
    with pytest.raises(UserError, match="neither trained nor converted"):
        open_model(folder)


def test_weights_that_do_not_fit_the_description(tmp_path):
    groups = by_layer(ARRAYS)
    with refused(
        "unreadable", match="no values for 1 of the network's weights, the first is conv2d/kernel"
    ):
        open_model(write_h5(tmp_path / "a.h5", groups[1:], resnet_config(ARRAYS)))
    other = by_layer(resnet_arrays(filters=3))
    with pytest.raises(UserError, match="the weights of conv2d do not fit"):
        open_model(write_h5(tmp_path / "b.h5", other, resnet_config(ARRAYS)))


def test_a_saved_models_program_is_left_out_and_its_card_holds(tmp_path):
    folder = write("saved_model", tmp_path)
    assert "left out, as all of its program: WriteFile" in open_model(folder)[1]
    write_model_card(folder, {}, "assets.extra/card.json")
    open_model(folder)
    (folder / "saved_model.pb").write_bytes(b"")
    with refused("mismatch", folder):
        open_model(folder)
