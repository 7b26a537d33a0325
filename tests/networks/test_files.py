"""Networks out of `.keras` files: the same numbers, any size, every policy, and what is refused."""

import zipfile

import keras
import numpy as np
import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.files import (
    classes_by_package,
    digest,
    facts,
    open_network,
    open_trainable,
)
from tests.helpers import foreign


def refused(opening, path, code, message=None):
    with pytest.raises(UserError, match=message) as caught:
        opening(path)
    assert (caught.value.code, caught.value.field) == (code, str(path))


def image(height=12, width=20, channels=3):
    return np.random.default_rng(3).uniform(-1, 1, (1, height, width, channels)).astype(np.float32)


def test_is_the_same_network_for_any_size(tmp_path):
    made = foreign.save(tmp_path / "n.keras")
    fixed = foreign.network(size=16)
    fixed.set_weights(made.get_weights())
    fixed.save(tmp_path / "fixed.keras")
    for name in ("n", "fixed"):
        opened = open_trainable(tmp_path / f"{name}.keras", name="generator_xy")
        assert opened.name == "generator_xy"
        np.testing.assert_allclose(opened(image()), made(image()), atol=1e-6)
    assert np.abs(np.asarray(made(image()))).max() > 0.2
    assert [v.path for v in opened.variables] == [
        v.path for v in open_trainable(tmp_path / "n.keras").variables
    ]


def test_a_layer_may_be_called_twice(tmp_path):
    inputs = keras.Input((None, None, 3))
    twice = keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="twice")
    made = keras.Model(inputs, twice(twice(inputs)))
    made.save(tmp_path / "n.keras")
    np.testing.assert_allclose(
        open_trainable(tmp_path / "n.keras")(image()), made(image()), atol=1e-6
    )
    assert open_trainable(tmp_path / "n.keras", "mixed_bfloat16")(image()).dtype == "float32"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_output_is_float32_under_every_policy(tmp_path, policy):
    made = foreign.save(tmp_path / "n.keras")
    opened = open_trainable(tmp_path / "n.keras", policy)
    assert opened.get_layer("encode_1").compute_dtype == policy.removeprefix("mixed_")
    out = opened(image())
    assert out.dtype == "float32"
    assert 1e-7 < np.abs(np.asarray(out) - np.asarray(made(image()))).max() < 0.1
    assert [v.path for v in opened.variables] == [
        v.path for v in open_trainable(tmp_path / "n.keras").variables
    ]


@pytest.mark.parametrize(
    "options", [{"color_skip": True, "upsampling": "resize", "long_skips": True}, {}]
)
def test_a_network_of_ours_computes_where_it_did(tmp_path, options):
    ours = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0, **options)
    ours.save(tmp_path / "n.keras")
    built = build_generator(
        "resnet_6blocks", filters=2, blocks=1, seed=0, dtype_policy="mixed_bfloat16", **options
    )
    opened = open_trainable(tmp_path / "n.keras", "mixed_bfloat16")
    assert [(layer.name, layer.compute_dtype) for layer in opened.layers[1:]] == [
        (layer.name, layer.compute_dtype) for layer in built.layers[1:]
    ]
    np.testing.assert_array_equal(opened(image()), built(image()))


def test_random_layers_draw_by_the_seed_and_their_states_have_names_that_stay(tmp_path):
    foreign.save(tmp_path / "n.keras")
    drawn = []
    for seed in (1, 1, 2):
        opened = open_trainable(tmp_path / "n.keras", seed=seed)
        assert [v.path for v in opened.variables if "seed" in v.path] == [
            "drop/seed_generator_state"
        ]
        drawn.append(np.asarray(opened(image(), training=True)))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 0.01


def test_facts(tmp_path):
    foreign.save(tmp_path / "n.keras", channels=(1, 3), batch_norm=True)
    found = facts(tmp_path / "n.keras")
    assert (found.input_channels, found.output_channels, found.size_divisor_px, found.norm) == (
        1,
        3,
        4,
        "batch",
    )
    foreign.save(tmp_path / "n.keras")
    assert facts(tmp_path / "n.keras").norm == "instance"  # the file is another now
    refused(facts, tmp_path / "gone.keras", "missing", "cannot be read: No such file")


def test_digests_differ_where_files_do(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).write_text(text)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")
    refused(digest, tmp_path / "none", "missing", "cannot be read")


def test_what_is_no_network_of_images_is_refused(tmp_path):
    refused(open_network, tmp_path / "gone.keras", "missing", "does not exist")
    (tmp_path / "n.h5").touch()
    refused(open_network, tmp_path / "n.h5", "unsupported", r"python -m cyclegan_tf\.convert")
    (tmp_path / "n.keras").write_text("not a zip")
    refused(open_network, tmp_path / "n.keras", "unreadable", "not a .keras file")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "n.keras")
    refused(open_network, tmp_path / "n.keras", "unsupported", "not a network from images")


def test_layers_of_another_package_are_named_with_it(tmp_path):
    @keras.saving.register_keras_serializable("theirs")
    class TheirLayer(keras.layers.Layer):
        __module__ = "their_package.layers"

        def call(self, inputs):
            return inputs

    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, TheirLayer()(inputs)).save(tmp_path / "n.keras")
    assert classes_by_package(tmp_path / "n.keras") == {"their_package": ["TheirLayer"]}
    keras.saving.get_custom_objects().pop("theirs>TheirLayer")
    message = "holds TheirLayer of the package their_package; only a program that imports"
    refused(open_network, tmp_path / "n.keras", "unreadable", message)


def test_classes_of_what_cannot_be_read(tmp_path):
    (tmp_path / "n.keras").write_text("not a zip")
    assert classes_by_package(tmp_path / "n.keras") == {}
    build_generator("resnet_6blocks", filters=2, blocks=1).save(tmp_path / "ours.keras")
    ours = classes_by_package(tmp_path / "ours.keras")
    assert list(ours) == ["cyclegan_tf"]
    assert "InstanceNormalization" in ours["cyclegan_tf"]


def test_what_cannot_be_trained_on_is_refused(tmp_path):
    file = tmp_path / "n.keras"
    foreign.save(file, last="valid")
    refused(open_trainable, file, "unsupported", "of 16 x 16 px it makes 18 x 18")
    inputs = keras.Input((8, 8, 3))
    flat = keras.layers.Dense(192)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, keras.layers.Reshape((8, 8, 3))(flat)).save(file)
    refused(open_trainable, file, "unsupported", "does not take images of any size")
    twins = [
        keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1, name="c")])
        for _ in range(2)
    ]
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, twins[1](twins[0](inputs))).save(file)
    refused(
        open_trainable, file, "unsupported", "2 names belong to several weights, such as c/kernel"
    )


@pytest.mark.parametrize("content", [b"", b"a text", b"<html>", b"version https://git-lfs"])
def test_what_is_no_archive_is_refused_before_keras_sees_it(tmp_path, monkeypatch, content):
    monkeypatch.setattr(keras.saving, "load_model", None)
    (tmp_path / "a.keras").write_bytes(content)
    refused(open_network, tmp_path / "a.keras", "unreadable")


def test_a_flipped_bit_of_a_weight_is_noticed(tmp_path):
    """h5py jumps within the archive's part, where zipfile compares no checksum."""
    made = foreign.save(tmp_path / "a.keras")
    data = bytearray((tmp_path / "a.keras").read_bytes())
    place = data.index(made.trainable_variables[0].numpy().tobytes())
    data[place + 2] ^= 1
    (tmp_path / "a.keras").write_bytes(data)
    refused(open_network, tmp_path / "a.keras", "unreadable", "it is damaged")


def test_a_description_of_a_network_larger_than_its_weights_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 3))
    wide = keras.layers.Conv2D(4099, 1)(inputs)
    keras.Model(inputs, keras.layers.Conv2D(3, 1)(wide)).save(tmp_path / "a.keras")
    open_network(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = parts["config.json"].replace(b"4099", b"8000000")
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    refused(open_network, tmp_path / "a.keras", "memory", "larger than the weights")


def test_an_archive_that_would_fill_the_memory_is_refused_before_keras_sees_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(keras.saving, "load_model", None)
    for name in ("config.json", "metadata.json"):
        with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, " " * 2**21)
        refused(open_network, tmp_path / "a.keras", "memory", name)
