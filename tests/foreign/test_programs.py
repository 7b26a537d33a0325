"""SavedModels are programs: what may touch files, the network or Python is found and refused."""

import hashlib
import json

import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

from cyclegan_tf.foreign import programs
from tests.helpers import foreign
from tests.helpers.errors import refused


def read(folder):
    return programs.read_saved_model((folder / "saved_model.pb").read_bytes(), "m")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """With a variable, so that there is something to save and restore."""
    return foreign.save_program(tmp_path_factory.mktemp("plain"), lambda images: -images)


def test_what_only_computes_passes(plain, tmp_path):
    assert programs.refused_operations(read(plain)) == []
    programs.refuse_foreign_programs(read(plain), "m")

    def much(images):
        tf.debugging.assert_all_finite(images, "no")
        noise = tf.random.uniform(tf.shape(images))
        tf.print("to the terminal")
        last = tf.while_loop(lambda at: at < 3.0, lambda at: (at + 1.0,), (tf.reduce_sum(noise),))
        return tf.map_fn(lambda one: one + last[0], images)

    folder = foreign.save_program(tmp_path / "m", much)
    assert programs.refused_operations(read(folder)) == []


def in_a_branch(act):
    """An act that only a function of a function holds."""
    return lambda images: tf.cond(
        tf.reduce_sum(images) > 1e9, lambda: tf.map_fn(act, images), lambda: images
    )


def written(images):
    tf.io.write_file("/nowhere", "x")
    return images


def read_file(images):
    return images + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def by_python(images):
    return tf.ensure_shape(tf.numpy_function(lambda x: x, [images], tf.float32), images.shape)


def restored(images):
    return images + tf.raw_ops.RestoreV2(
        prefix="/other", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    )


def printed(images):
    tf.print("x", output_stream="file:///nowhere")
    return images


@pytest.mark.parametrize(
    ("act", "operation"),
    [
        (written, "WriteFile"),
        (read_file, "ReadFile"),
        (by_python, "PyFunc"),
        (restored, "RestoreV2"),
        (printed, "PrintV2"),
        (in_a_branch(written), "WriteFile"),
    ],
    ids=["write", "read", "python", "restore", "print", "hidden"],
)
def test_what_touches_files_or_python_is_refused(act, operation, tmp_path):
    folder = foreign.save_program(tmp_path / "m", act)
    assert programs.refused_operations(read(folder)) == [operation]
    with refused("unsupported", "m", match=rf"\({operation}\).*give --trust"):
        programs.refuse_foreign_programs(read(folder), "m")


def function_of(node):
    return node.attr["f"].func.name


def test_what_restores_is_for_restoring_only(plain):
    """A signature that calls the function which restores could read any checkpoint."""
    model = read(plain)
    graph = model.meta_graphs[0]
    nodes = {node.name: node for node in graph.graph_def.node}
    restore = nodes[graph.saver_def.restore_op_name]
    served = nodes[graph.signature_def["serving_default"].outputs["translated"].name.split(":")[0]]
    called = function_of(served)
    served.attr["f"].func.name = function_of(restore)
    assert programs.refused_operations(model) == ["RestoreV2"]
    served.attr["f"].func.name = called
    graph.object_graph_def.concrete_functions[function_of(restore)].SetInParent()
    assert programs.refused_operations(model) == ["RestoreV2"]


def test_loading_may_restore_but_not_save(plain):
    model = read(plain)
    saver = model.meta_graphs[0].saver_def
    saver.restore_op_name = saver.save_tensor_name.split(":")[0]
    assert programs.refused_operations(model) == [
        "MergeV2Checkpoints", "RestoreV2", "SaveV2"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["NoSuchOperation", "_Send", "RpcCall", "ImmutableConst"])
def test_what_is_unknown_or_reaches_out_is_refused(plain, name):
    model = read(plain)
    model.meta_graphs[0].graph_def.library.function[0].node_def.add(name="n", op=name)
    assert programs.refused_operations(model) == [name]


def _other_operation(graph):
    graph.graph_def.library.function[0].node_def[0].op = "Constt"


def _other_function(graph):
    graph.graph_def.library.function[0].signature.name += "x"


def _other_saver(graph):
    graph.saver_def.restore_op_name = "nobody"


def _other_input(graph):
    next(node for node in graph.graph_def.node if node.input).input[0] += "x"


def _other_output(graph):
    graph.signature_def["serving_default"].outputs["translated"].name = "nobody:0"


@pytest.mark.parametrize(
    "damage", [_other_operation, _other_function, _other_saver, _other_input, _other_output]
)
def test_a_damaged_program_is_not_called_a_dangerous_one(plain, damage):
    model = read(plain)
    damage(model.meta_graphs[0])
    with refused("unreadable", "m", match="is damaged, or needs another library"):
        programs.refuse_foreign_programs(model, "m")


def test_the_library_has_nothing_new_that_takes_files():
    """Of operations that only compute, by TensorFlow's word, some read files all the same."""
    words = ("file", "path", "url", "debug_ops", "proto", "graph_def", "address", "mlir")
    harmless = {"PartitionedCall", "CTCBeamSearchDecoder"}  # a configuration; paths of beams
    listed = op_def_pb2.OpList.FromString(
        pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    )
    for definition in (one for one in listed.op if not one.is_stateful):
        names = [each.name for each in (*definition.attr, *definition.input_arg)]
        if any(word in name for name in names for word in words):
            node = saved_model_pb2.SavedModel()
            node.meta_graphs.add().graph_def.node.add(name="n", op=definition.name)
            found = programs.refused_operations(node)
            assert found == [definition.name] or definition.name in harmless, definition.name


@pytest.mark.parametrize("data", [b"", b"no protocol buffer", b"version https://git-lfs"])
def test_what_is_no_saved_model_is_refused(data):
    with refused("unreadable", "m", match=r"saved_model\.pb of m is (damaged|empty|a Git LFS)"):
        programs.read_saved_model(data, "m")


def test_files_are_those_of_the_card():
    data = {"a": b"one", "b": b"two"}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}

    def check(card, **found):
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
        programs.refuse_changed_files(card, digests.get, "m")

    card = json.dumps({"files": sums})
    for good in (None, "{}", card):
        check(good, **data)
    with refused("mismatch", "m", match="a of m is not as it was exported"):
        check(card, a=b"other", b=b"two")
    with refused("missing", "m", match="m lacks b; copy it again"):
        check(card, a=b"one")
    for damaged in ("", "[]", "5", '{"files": 5}', "[" * 100_000, "\ud800"):
        with refused("unreadable", "m"):
            check(damaged)
