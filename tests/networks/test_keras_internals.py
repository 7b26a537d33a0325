"""The inner workings of Keras that this package uses; a failure means a newer Keras moved one.

Fix `cyclegan_tf/networks/keras_internals.py` before anything else.
"""

import inspect
import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import cyclegan_tf
from cyclegan_tf.networks import keras_internals

PACKAGE = Path(cyclegan_tf.__file__).parent


def small():
    inputs = keras.Input((4, 4, 2), name="image")
    inner = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.ReLU(name="relu")])
    x = keras.layers.Add(name="sum")([inner(inputs), inputs])
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, name="last")(x)), inner


def test_a_path_can_be_set():
    layer = keras.layers.Dropout(0.5, seed=1)
    keras_internals.set_path(layer.seed_generator.state, "here/state")
    assert layer.seed_generator.state.path == "here/state"


def test_the_layer_behind_a_tensor():
    network, inner = small()
    assert keras_internals.layer_behind(network.outputs[0]).name == "last"
    assert keras_internals.layer_behind(network.get_layer("sum").input[0]) is inner


def test_a_reflection_has_a_name_and_is_recognized_in_a_file(tmp_path):
    inputs = keras.Input((None, None, 2))
    outputs = keras_internals.reflection_padding((1, 2), "rim")(inputs)
    for reach in (((1, 1), (1, 2), (0, 0), (0, 0)), ((0, 0), (1, 2), (1, 1), (0, 0))):
        outputs = keras.ops.pad(outputs, reach, mode="reflect")  # no reflections of images alike
    outputs = keras.ops.pad(outputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    keras.Model(inputs, outputs).save(tmp_path / "n.keras")
    network = keras.saving.load_model(tmp_path / "n.keras")
    found = {one.name: keras_internals.reflection_of(one) for one in network.operations}
    assert [entry for entry in found.items() if entry[1]] == [("rim", (1, 2))]
    image = np.arange(24, dtype=np.float32).reshape(1, 3, 4, 2)
    rim = next(one for one in network.operations if one.name == "rim")(image)
    wanted = np.pad(image, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(rim, wanted)


def test_all_layers_are_found_in_models_within_models():
    network, inner = small()
    found = keras_internals.all_layers(network)
    assert {layer.name for layer in found} >= {"relu", "sum", "last", inner.name}
    assert network not in found


def test_what_is_attached_is_neither_tracked_nor_saved(tmp_path):
    network, _ = small()
    variables = len(network.variables)
    keras_internals.attach(network, "beside", (keras.layers.Dense(3), [1]))
    assert network.beside[1] == [1]
    assert len(network.variables) == variables
    assert "beside" not in str(network.get_config())
    network.save(tmp_path / "n.keras")
    assert not hasattr(keras.saving.load_model(tmp_path / "n.keras"), "beside")


def test_the_graph_of_functional_and_sequential_models_and_of_no_others():
    network, inner = small()
    graph = keras_internals.graph_of(network)
    assert [node.operation.name for node in graph.nodes] == [inner.name, "sum", "last"]
    assert [node.takes_list for node in graph.nodes] == [False, True, False]
    assert graph.nodes[1].inputs == [graph.nodes[0].outputs[0], graph.inputs[0]]
    assert graph.outputs == graph.nodes[-1].outputs
    assert [node.operation.name for node in keras_internals.graph_of(inner).nodes] == ["relu"]
    assert keras_internals.graph_of(keras.Model()) is None


def test_adam_takes_means_and_its_moments_are_found():
    method = keras.optimizers.Adam._backend_update_step
    parameters = list(inspect.signature(method).parameters)
    assert parameters == ["self", "grads", "trainable_variables", "learning_rate"]
    optimizer, plain = keras_internals.ReplicaAdam(0.1), keras.optimizers.Adam(0.1)
    variables = [[keras.Variable([1.0, 2.0]), keras.Variable([3.0])] for _ in "ab"]
    for adam, its in zip((optimizer, plain), variables, strict=True):
        adam.build(its)
    gradients = [tf.constant([0.5, -1.0]), tf.constant([2.0])]
    optimizer.apply_means(list(zip(gradients, variables[0], strict=True)))
    plain.apply_gradients(list(zip(gradients, variables[1], strict=True)))
    for mine, theirs in zip(*variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    first, second = optimizer.moments_of(variables[0][1])
    np.testing.assert_allclose(first, [0.2], rtol=1e-6)  # (1 - 0.9) g
    np.testing.assert_allclose(second, [0.004], rtol=1e-4)  # (1 - 0.999) g^2


def test_no_other_module_touches_the_inner_workings():
    private = re.compile(
        r"\._keras_history|\._functional\b|\"_functional\"|_nodes_by_depth|\._flatten_layers"
        r"|object\.__setattr__|_backend_update_step|_get_variable_index|\.state\._path"
    )
    touching = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if private.search(path.read_text(encoding="utf-8"))
    }
    assert touching == {"networks/keras_internals.py"}
