"""SavedModel folders and checkpoints of Keras 2: object graph, metadata, and damage."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from cyclegan_tf.convert.keras2.graph import parse_model
from cyclegan_tf.convert.keras2.rebuild import rebuild_network
from cyclegan_tf.convert.keras2.saved_model import (
    ObjectGraph,
    assign_from_checkpoint,
    find_models,
    read_metadata,
)
from tests.helpers.errors import refused
from tests.helpers.keras2 import (
    conv_entry,
    entry,
    field,
    functional,
    image_input,
    metadata_bytes,
    norm_entry,
)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def holder(**held):
    """An object that holds variables and objects, as Keras's layers do in a checkpoint."""
    made = tf.train.Checkpoint()
    for name, value in held.items():
        setattr(made, name, tf.Variable(value) if isinstance(value, np.ndarray) else value)
    return made


def checkpoint(path, root):
    root.write(str(path))
    return ObjectGraph(path)


KERNEL, GAMMA, BETA, LAST = (
    values(1, 1, 2, 2),
    values(2, seed=1),
    values(2, seed=2),
    values(1, 1, 2, 2, seed=3),
)


def nested():
    """A network of [input, [input, conv, norm], act, conv]: description and objects."""
    inside = (conv_entry("c", "in", (1, 1, 2, 2)), norm_entry("n", "c", 2))
    block = functional("block", image_input("in", channels=2), *inside)
    block = {**block, "name": "block", "inbound_nodes": [[["input_1", 0, 0, {}]]]}
    act = entry("ReLU", "act", "block")
    act["inbound_nodes"] = [[["block", 1, 0, {}]]]
    stored = functional(
        "net", image_input(channels=2), block, act, conv_entry("last", "act", (1, 1, 2, 2))
    )
    conv, norm, last = holder(kernel=KERNEL), holder(beta=BETA, gamma=GAMMA), holder(kernel=LAST)
    inner = holder(
        **{
            "layer-1": conv,
            "layer-2": norm,
            "layer_with_weights-0": conv,
            "layer_with_weights-1": norm,
        }
    )
    root = holder(
        **{"layer-1": inner, "layer-2": holder(), "layer-3": last},
        **{"layer_with_weights-0": inner, "layer_with_weights-1": last},
    )
    return stored, root


def test_the_object_graph(tmp_path):
    graph = checkpoint(tmp_path / "ckpt", nested()[1])
    inner = graph.children()["layer-1"]
    norm = graph.children(inner)["layer-2"]
    held = graph.weights(norm)
    assert sorted(held) == ["beta", "gamma"]
    np.testing.assert_array_equal(held["gamma"], GAMMA)
    flat = graph.arrays(0)
    assert [array.name for array in flat] == ["kernel", "gamma", "beta", "kernel"]
    for array, truth in zip(flat, (KERNEL, GAMMA, BETA, LAST), strict=True):
        np.testing.assert_array_equal(array.values, truth)


def test_more_than_ten_layers_stay_in_order(tmp_path):
    layers = {
        f"layer_with_weights-{index}": holder(kernel=np.float32([index])) for index in range(12)
    }
    flat = checkpoint(tmp_path / "ckpt", holder(**layers)).arrays(0)
    assert [float(array.values[0]) for array in flat] == list(range(12))


def test_filling_a_network_with_one_within(tmp_path):
    stored, root = nested()
    model = parse_model(stored)
    network = rebuild_network(model, [])
    assign_from_checkpoint(model, network, checkpoint(tmp_path / "ckpt", root), 0)
    for weight, truth in zip(network.get_weights(), (KERNEL, GAMMA, BETA, LAST), strict=True):
        np.testing.assert_array_equal(weight, truth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer-3": None}, "holds nothing for the layer last"),
        ({"layer-3": holder(kernel=values(1, 1, 2, 3))}, "the weights of last do not fit"),
        ({"layer-3": holder(kernel=LAST, bias=BETA)}, "the file holds 2, the network takes 1"),
    ],
)
def test_a_checkpoint_of_another_network(tmp_path, change, message):
    stored, root = nested()
    model = parse_model(stored)
    network = rebuild_network(model, [])
    for name, value in change.items():
        if value is None:
            delattr(root, name)
        else:
            setattr(root, name, value)
    with refused(["unreadable", "unsupported"], match=message):
        assign_from_checkpoint(model, network, checkpoint(tmp_path / "ckpt", root), 0)


def test_a_damaged_checkpoint(tmp_path):
    with refused("unreadable", match="its checkpoint none cannot be read"):
        ObjectGraph(tmp_path / "none")
    checkpoint(tmp_path / "ckpt", nested()[1])
    data = tmp_path / "ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:40])
    with refused("unreadable", match=r"cannot be read|damaged"):
        ObjectGraph(tmp_path / "ckpt").arrays(0)


def written(folder, content):
    (folder / "keras_metadata.pb").write_bytes(content)
    return folder


def test_metadata(tmp_path):
    long = {"class_name": "Functional", "config": {"layers": ["x" * 300]}}
    nodes = {"root": long, "root.layer-0": {"name": "a"}}
    assert read_metadata(written(tmp_path, metadata_bytes(nodes))) == nodes


@pytest.mark.parametrize(
    "content",
    [
        metadata_bytes({"root": {"a": 1}})[:-3],
        field(1, field(3, b"root") + field(5, b"{not json")),
        field(1, field(5, b"{}")),
        b"\xff\xff\xff",
        bytes([1 << 3 | 5, 0, 0, 0, 0]),
    ],
    ids=["cut", "no JSON", "no path", "no end", "another type"],
)
def test_damaged_metadata(tmp_path, content):
    with refused("unreadable", match=r"its keras_metadata\.pb is damaged"):
        read_metadata(written(tmp_path, content))


def program(folder, nodes):
    """saved_model.pb with objects that the first one holds: {name: what Keras wrote of it}."""
    saved = saved_model_pb2.SavedModel()
    graph = saved.meta_graphs.add().object_graph_def
    root = graph.nodes.add()
    root.user_object.metadata = nodes.pop("", "")
    for number, (name, text) in enumerate(nodes.items(), start=1):
        root.children.add(local_name=name, node_id=number)
        graph.nodes.add().user_object.metadata = text
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


def test_metadata_within_the_program_as_before_tensorflow_2_5(tmp_path):
    model = {"class_name": "Functional", "config": {"layers": []}}
    program(
        tmp_path,
        {"": json.dumps({"class_name": "CycleGan"}), "gen_G": json.dumps(model), "signatures": ""},
    )
    assert read_metadata(tmp_path) == {"root": {"class_name": "CycleGan"}, "root.gen_G": model}


def test_a_folder_without_metadata_cannot_be_trained(tmp_path):
    with refused(
        "unsupported", match=r"no description of layers.*TFSMLayer.*neither trained nor converted"
    ):
        read_metadata(program(tmp_path, {"variables": ""}))


@pytest.mark.parametrize("content", [b"", b"\x12\x05abc", b"never a program"])
def test_a_damaged_program(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    with refused("unreadable", match=r"its saved_model\.pb is damaged"):
        read_metadata(tmp_path)


def test_which_models_are_described():
    graph = {"class_name": "Functional", "config": {"layers": []}}
    assert find_models({"root": graph, "root.layer-1": graph}) == {"": graph}
    bare = {"class_name": "CycleGan", "config": {}}
    found = find_models(
        {"root": bare, "root.gen_G": graph, "root.gen_F": graph, "root.gen_G.layer-1": graph}
    )
    assert list(found) == ["gen_G", "gen_F"]
    with refused("unsupported", match=r"its model \(CycleGan\) was saved without a description"):
        find_models({"root": bare})
    with refused("unsupported", match="of no known class"):
        find_models({})
