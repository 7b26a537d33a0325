"""Ours against what tensorflow-addons 0.23 and Keras 2.15 computed and saved.

Run by `make test-addons`.

That target makes an environment of their time, has tests/addons/write_files.py write files there,
and runs this with CYCLEGAN_TF_ADDONS_FILES naming their folder.
"""

import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from cyclegan_tf.convert.keras2.open import open_model
from cyclegan_tf.convert.keras2.saved_model import read_metadata
from cyclegan_tf.networks import layers
from cyclegan_tf.networks.addons import (
    CUSTOM_OBJECTS,
    GroupNormalization,
    InstanceNormalization,
)

VARIABLE = "CYCLEGAN_TF_ADDONS_FILES"
if VARIABLE not in os.environ:
    pytest.skip(
        f"NOT RUN: {VARIABLE} is not set, so nothing is held against the real tensorflow-addons: "
        "run `make test-addons` (Python 3.11)",
        allow_module_level=True,
    )
FILES = Path(os.environ[VARIABLE])
NORMS = json.loads((FILES / "norms.json").read_text())
TOLERANCE = 1e-5
DIFFERENCES: dict[str, float] = {}


@pytest.fixture(scope="module", autouse=True)
def table_of_differences(request):
    """Prints what docs/guides/bring_your_model.md reports, after all tests of this file."""
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\nlargest difference of outputs to those of tensorflow-addons' time:")
        for name, difference in sorted(DIFFERENCES.items()):
            print(f"  {name:<32}{difference:.1e}")


def note_difference(path, found, truth):
    DIFFERENCES[path.name] = float(np.abs(np.asarray(found) - truth).max())


def test_the_files_are_of_the_versions_this_is_about():
    versions = json.loads((FILES / "versions.json").read_text())
    assert versions == {"tensorflow": "2.15.1", "tensorflow_addons": "0.23.0", "keras": "2.15.0"}


def norm_case(number):
    with np.load(FILES / "norms.npz") as arrays:
        prefix = f"{number}/"
        return {
            key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)
        }


def check(layer, case, weights):
    """Output and all gradients, float32; the scale of a gradient is that of its largest value."""
    layer.build(case["x"].shape)
    by_name = {weight.name: weight for weight in layer.weights}
    assert sorted(by_name) == sorted(weights)
    for name in weights:
        by_name[name].assign(case[name])
    with tf.GradientTape() as tape:
        x = tf.constant(case["x"])
        tape.watch(x)
        y = layer(x)
        total = tf.reduce_sum(y * case["upstream"])
    np.testing.assert_allclose(y, case["y"], atol=TOLERANCE)
    given = [x, *(by_name[name].value for name in weights)]
    for name, gradient in zip(["x", *weights], tape.gradient(total, given), strict=True):
        truth = case[f"to_{name}"]
        np.testing.assert_allclose(gradient, truth, atol=TOLERANCE * max(1.0, np.abs(truth).max()))


def title(number):
    return f"{NORMS[number]['class']}-{json.dumps(NORMS[number]['settings'])}"


@pytest.mark.parametrize("number", range(len(NORMS)), ids=title)
def test_norms_and_their_gradients(number):
    spec, case = NORMS[number], norm_case(number)
    kind = {
        "GroupNormalization": GroupNormalization,
        "InstanceNormalization": InstanceNormalization,
    }[spec["class"]]
    check(kind(**spec["settings"]), case, spec["weights"])
    check(kind.from_config(spec["config"]), case, spec["weights"])


OURS = [
    number
    for number, spec in enumerate(NORMS)
    if spec["class"] == "InstanceNormalization"
    and spec["settings"].get("axis", -1) in (-1, 3)
    and norm_case(number)["x"].ndim == 4
]


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "fast"])
@pytest.mark.parametrize("number", OURS, ids=title)
def test_our_own_layer_equals_the_real_one(number, fast):
    spec = NORMS[number]
    settings = {"epsilon": 1e-3, "center": True, "scale": True, **spec["settings"]}
    settings.pop("axis", None)
    layer = layers.InstanceNormalization(**settings)
    with layers.fast_routes() if fast else keras.name_scope("plain"):
        check(layer, norm_case(number), spec["weights"])


def test_the_cases_cover_what_they_should():
    assert len(OURS) >= 10
    assert {spec["class"] for spec in NORMS} == {"GroupNormalization", "InstanceNormalization"}


def computed(name):
    with np.load(FILES / f"{name}.npz") as arrays:
        return arrays["x"], arrays["y"]


def check_network(path, name, direction="xy"):
    network, notes = open_model(path, direction=direction)
    x, y = computed(name)
    assert np.std(y) > 0.05  # else anything would be equal
    found = network(x, training=False)
    note_difference(path, found, y)
    np.testing.assert_allclose(found, y, atol=TOLERANCE)
    return network, notes


@pytest.mark.parametrize("form", ["{}.h5", "{}.keras", "{}_saved_model"])
@pytest.mark.parametrize("name", ["resnet", "unet", "addons_unet", "mixture"])
def test_whole_models(name, form):
    network, _ = check_network(FILES / form.format(name), name)
    kinds = {type(layer) for layer in network.layers}
    assert not kinds & {keras.Sequential, keras.Model, keras.models.Model}
    assert (layers.InstanceNormalization in kinds) is (name != "mixture")
    assert (GroupNormalization in kinds) is (name == "mixture")


FORMS_OF_WEIGHTS = ["{}_weights.h5", "{}.weights.h5", "{}_checkpoint", "{}_checkpoint.index"]


@pytest.mark.parametrize("form", FORMS_OF_WEIGHTS)
@pytest.mark.parametrize("name", ["resnet", "unet", "addons_unet"])
def test_weights_alone(name, form):
    path = FILES / form.format(name)
    if (
        path.name == "addons_unet.weights.h5"
    ):  # without names, its norms cannot be distinguished from the tutorial's own
        network, notes = open_model(path)
        x, y = computed(name)
        note_difference(path, network(x, training=False), y)
        assert 1e-3 < DIFFERENCES[path.name] < 0.05  # docs/guides/bring_your_model.md reports it
    else:
        _, notes = check_network(path, name)
    (note,) = [text for text in notes if "recognized by its shapes" in text]
    assert ("it may be" in note) is (form == "{}.weights.h5")


def test_a_saved_model_of_layers_without_settings():
    _, notes = check_network(FILES / "bare_saved_model", "bare")
    guessed = [note for note in notes if "is not in the file: taken as half the kernel" in note]
    assert sorted(note[-6:] for note in guessed) == ["(1, 1)", "(3, 3)"]


@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_a_saved_model_in_the_way_of_tensorflow_2_4(name, tmp_path):
    """Its description stood within the program; moved there by hand, for want of that version."""
    folder = tmp_path / "saved"
    shutil.copytree(FILES / f"{name}_saved_model", folder)
    program = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    root = program.meta_graphs[0].object_graph_def.nodes[0]
    root.user_object.metadata = json.dumps(read_metadata(folder)["root"])
    (folder / "saved_model.pb").write_bytes(program.SerializeToString())
    (folder / "keras_metadata.pb").unlink()
    check_network(folder, name)


@pytest.mark.parametrize("direction", ["xy", "yx"])
@pytest.mark.parametrize(
    "path", ["pair_weights.h5", "pair_checkpoint", "pair_objects-1", "pair_saved_model"]
)
def test_generators_of_both_directions_in_one_file(path, direction):
    _, notes = check_network(FILES / path, f"pair_{direction}", direction)
    assert any(f"is taken for {direction}" in note for note in notes)


def test_keras_itself_opens_h5_files_with_our_custom_objects():
    network = keras.saving.load_model(
        FILES / "resnet.h5", custom_objects=CUSTOM_OBJECTS, compile=False
    )
    x, y = computed("resnet")
    np.testing.assert_allclose(network([x], training=False), y, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["resnet", "unet", "mixture"])
def test_what_is_opened_can_be_saved_and_trained(name, tmp_path):
    network, _ = open_model(FILES / f"{name}.keras")
    x, y = computed(name)
    network.save(tmp_path / "new.keras")
    np.testing.assert_allclose(
        keras.saving.load_model(tmp_path / "new.keras")(x, training=False), y, atol=TOLERANCE
    )
    network.compile(keras.optimizers.Adam(1e-3), loss="mae", run_eagerly=True)
    before = [weight.numpy() for weight in network.trainable_weights]
    network.train_on_batch(x, np.zeros_like(y))
    moved = [
        np.any(weight.numpy() != old)
        for weight, old in zip(network.trainable_weights, before, strict=True)
    ]
    # biases just before a norm cannot matter
    assert sum(moved) > 0.8 * len(moved)
