"""Arrays out of Keras 2's HDF5 layouts: names in pieces, numbered groups, all or nothing."""

import h5py
import keras
import numpy as np
import pytest

from cyclegan_tf.convert.keras2 import weights
from cyclegan_tf.convert.keras2.graph import parse_model
from cyclegan_tf.convert.keras2.rebuild import rebuild_network
from cyclegan_tf.convert.keras2.weights import Assignment, Stored
from cyclegan_tf.errors import UserError
from tests.helpers.keras2 import (
    by_layer,
    functional,
    image_input,
    resnet_arrays,
    unet_arrays,
    write_groups,
    write_numbered,
)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "some.h5", "w") as file:
        yield file


def small(seed=0):
    """Two convolutions and a norm, with other weights for each seed."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, None, 2))
    x = keras.layers.Conv2D(3, 1, name="a")(inputs)
    x = keras.layers.BatchNormalization(name="b")(x)
    return keras.Model(inputs, keras.layers.Conv2D(3, 1, name="c")(x))


def values(seed):
    random = np.random.default_rng(seed)
    return [random.normal(size=weight.shape).astype(np.float32) for weight in small().weights]


def test_names_in_one_piece_and_in_several(file):
    file.attrs["names"] = np.array([b"one", b"two"])
    file.attrs["many0"] = np.array([b"one", b"two"])
    file.attrs["many1"] = np.array([b"three"])
    file.attrs["many3"] = np.array([b"not this"])
    assert weights.text_list_attribute(file, "names") == ["one", "two"]
    assert weights.text_list_attribute(file, "many") == ["one", "two", "three"]
    assert weights.text_list_attribute(file, "none") == []


def test_text(file):
    file.attrs["bytes"], file.attrs["text"] = b"a", "b"
    assert [weights.text_attribute(file, key) for key in ("bytes", "text", "none")] == [
        "a",
        "b",
        None,
    ]


def test_groups_keep_order_names_and_values(file):
    arrays = resnet_arrays()
    write_groups(file, by_layer(arrays))
    read = weights.read_groups(file)
    assert list(read) == [layer for layer, _ in by_layer(arrays)]
    flat = [array for group in read.values() for array in group]
    assert [array.name for array in flat[:4]] == ["kernel", "gamma", "beta", "kernel"]
    for array, (_, truth) in zip(flat, arrays, strict=True):
        np.testing.assert_array_equal(array.values, truth)
        assert array.values.dtype == np.float32


def test_a_missing_array_is_named(file):
    write_groups(file, by_layer(resnet_arrays()))
    del file["conv2d/conv2d/kernel:0"]
    with pytest.raises(UserError, match="its weights conv2d/kernel:0 are missing"):
        weights.read_groups(file)


def test_links_into_other_files_are_refused(file, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["kernel:0"] = np.zeros(3)
    group = file.create_group("conv")
    file.attrs["layer_names"] = np.array([b"conv"])
    group.attrs["weight_names"] = np.array([b"kernel:0"])
    group["kernel:0"] = h5py.ExternalLink("secret.h5", "kernel:0")
    with pytest.raises(UserError, match="lie in another file"):
        weights.read_groups(file)
    del group["kernel:0"]
    (tmp_path / "raw").write_bytes(bytes(12))
    group.create_dataset("kernel:0", (3,), "float32", external=[(str(tmp_path / "raw"), 0, 12)])
    with pytest.raises(UserError, match="lie in other files"):
        weights.read_groups(file)


def test_filling_in_order():
    network, truth = small(), values(1)
    weights.assign_in_order(network, [Stored("", array) for array in truth])
    for weight, array in zip(network.get_weights(), truth, strict=True):
        np.testing.assert_array_equal(weight, array)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda arrays: arrays[:-1],
            "the weights of c do not fit: the file holds 1, the network takes 2",
        ),
        (lambda arrays: [*arrays, arrays[0]], "it holds 1 arrays more than the network takes"),
        (
            lambda arrays: [*arrays[:-2], arrays[-1], arrays[-2]],
            r"the weights of c do not fit: .* has shape \(3,\)",
        ),
    ],
)
def test_nothing_is_assigned_unless_all_fits(change, message):
    network = small()
    before = network.get_weights()
    with pytest.raises(UserError, match=message):
        weights.assign_in_order(network, change([Stored("", array) for array in values(1)]))
    for weight, array in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, array)


def test_a_weight_that_is_left_out_is_named():
    network, filling = small(), Assignment()
    for layer in network.layers[:-1]:
        filling.add(
            layer.name,
            layer.weights,
            [Stored("", np.zeros(weight.shape)) for weight in layer.weights],
        )
    with pytest.raises(
        UserError, match="no values for 2 of the network's weights, the first is c/kernel"
    ):
        filling.finish(network)


def listed(kind, name, after, **config):
    config = {"name": name, "trainable": True, "dtype": "float32", **config}
    return {
        "class_name": kind,
        "name": name,
        "config": config,
        "inbound_nodes": [[[after, 0, 0, {}]]],
    }


def describe():
    """`small`, as Keras 2 describes it."""
    conv = {"filters": 3, "kernel_size": [1, 1]}
    stored = functional(
        "net",
        image_input(channels=2),
        listed("Conv2D", "a", "input_1", **conv),
        listed("BatchNormalization", "b", "a", axis=[3]),
        listed("Conv2D", "c", "b", **conv),
    )
    model = parse_model(stored)
    return model, rebuild_network(model, [])


def named(truth):
    arrays = [Stored("", array) for array in truth]
    return {"input_1": [], "a": arrays[:2], "b": arrays[2:6], "c": arrays[6:]}


def test_filling_by_name():
    (model, network), truth = describe(), values(1)
    groups = named(truth)
    weights.assign_by_name(model, network, dict(reversed(groups.items())))
    for weight, array in zip(network.get_weights(), truth, strict=True):
        np.testing.assert_array_equal(weight, array)
    with pytest.raises(UserError, match="weights of a layer d, which its network lacks"):
        weights.assign_by_name(model, network, {**groups, "d": groups["a"]})
    with pytest.raises(UserError, match="no values for 2 of the network's weights"):
        weights.assign_by_name(model, network, {"a": groups["a"], "b": groups["b"]})


@pytest.mark.parametrize("container", ["layers", "_layer_checkpoint_dependencies"])
@pytest.mark.parametrize("step", [1, 2], ids=["numbered", "with gaps"])
def test_filling_a_numbered_file(file, container, step):
    """Twelve convolutions: conv2d_10 comes before conv2d_2 where names are sorted as text."""
    random, entries, groups, truth = np.random.default_rng(4), [image_input(channels=2)], [], []
    for index in range(12):
        name = entries[-1]["name"]
        entries.append(
            listed("Conv2D", f"c{index}", name, filters=2, kernel_size=[1, 1], use_bias=False)
        )
        truth.append(random.normal(size=(1, 1, 2, 2)).astype(np.float32))
        groups.append((f"conv2d_{step * index}" if index else "conv2d", [("", truth[-1])]))
    write_numbered(file, groups, container)
    file.create_group(f"{container}/activation/vars")
    model = parse_model(functional("net", *entries))
    network = rebuild_network(model, [])
    weights.assign_numbered(model, network, file)
    for weight, array in zip(network.get_weights(), truth, strict=True):
        np.testing.assert_array_equal(weight, array)
    del file[container]["conv2d"]
    with pytest.raises(UserError, match="it holds no values for the layer c11"):
        weights.assign_numbered(model, network, file)


def test_models_within_have_a_group_of_their_own(file):
    truth = np.random.default_rng(4).normal(size=(1, 1, 2, 2)).astype(np.float32)
    conv = listed("Conv2D", "c", "in", filters=2, kernel_size=[1, 1], use_bias=False)
    inner = functional("inner", image_input("in", channels=2), conv)
    inner = {**inner, "name": "inner", "inbound_nodes": [[["input_1", 0, 0, {}]]]}
    model = parse_model(
        functional("net", image_input(channels=2), inner, outputs=[["inner", 1, 0]])
    )
    network = rebuild_network(model, [])
    write_numbered(file, [("functional/layers/conv2d", [("", truth)])])
    weights.assign_numbered(model, network, file)
    np.testing.assert_array_equal(network.get_weights()[0], truth)


def in_numbers(arrays):
    """[(layer, arrays)], each unit of a U-Net in a model of its own except the last."""
    groups = []
    for layer, held in by_layer(arrays):
        if layer.startswith("instance"):
            groups[-1].append((layer, held))
        else:
            groups.append([(layer, held)])
    found = []
    for index, unit in enumerate(groups[:-1]):
        outer = f"sequential_{index}" if index else "sequential"
        for layer, held in unit:
            kind = "_".join(word for word in layer.split("_") if not word.isdecimal())
            found.append((f"{outer}/layers/{kind}", held))
    return [*found, ("conv2d_transpose", groups[-1][0][1])]


@pytest.mark.parametrize(
    ("arrays", "groups"),
    [(resnet_arrays(2, 2, 2), by_layer), (unet_arrays(2, 4), in_numbers)],
    ids=["resnet", "unet"],
)
def test_the_likely_order_of_a_numbered_file(file, arrays, groups):
    write_numbered(file, groups(arrays))
    assert weights.is_numbered(file)
    found = weights.arrays_in_likely_order(file)
    for array, (_, truth) in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(array.values, truth)
