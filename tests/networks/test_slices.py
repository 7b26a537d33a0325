"""Parts of tensors."""

import numpy as np
import tensorflow as tf

from cyclegan_tf.networks.slices import part


def test_a_part_is_what_brackets_cut_out():
    x = tf.reshape(tf.range(2 * 5 * 6 * 3), (2, 5, 6, 3))
    cut = part(x, (0, 1, 2, 0), (-1, 3, 1, -1))
    np.testing.assert_array_equal(cut, x[:, 1:4, 2:3])


def test_begin_and_size_may_be_tensors_and_a_part_is_one_node():
    @tf.function
    def cut(x, begin):
        return part(x, tf.stack([begin, 0]), tf.stack([2, 3]))

    x = tf.reshape(tf.range(12), (4, 3))
    np.testing.assert_array_equal(cut(x, tf.constant(1)), x[1:3])
    graph = tf.function(lambda x: part(x, (1, 0), (2, -1))).get_concrete_function(x).graph
    assert [node.op for node in graph.as_graph_def().node].count("Const") == 2


def test_parts_of_one_graph_share_their_numbers():
    @tf.function
    def cut(x):
        with tf.control_dependencies([tf.identity(x)]):
            first = part(x, (1, 0), (2, 3))
        return first, part(x * 2, (1, 0), (2, 3))

    x = tf.reshape(tf.range(12), (4, 3))
    concrete = cut.get_concrete_function(x)
    constants = [n for n in concrete.graph.as_graph_def().node if n.op == "Const"]
    assert [n.name for n in constants if n.input] == []
    assert len(constants) == 3  # begin, size and the factor
    np.testing.assert_array_equal(concrete(x)[1], 2 * x[1:3])
