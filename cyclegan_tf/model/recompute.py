"""Gradient checkpointing: activations are computed again for the gradient instead of being kept.

`keras.RematScope` is not used: docs/architecture.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from cyclegan_tf.networks import landmarks
from cyclegan_tf.networks.keras_internals import attach
from cyclegan_tf.networks.weights import assign_states, weights_scope

_SEGMENTS, _TAIL = "_cyclegan_tf_segments", "_cyclegan_tf_tail"


def rematerialized_call(network: keras.Model, images: tf.Tensor, training: bool) -> tf.Tensor:
    """Calls a network without keeping its inner activations (Chen et al. 2016).

    A residual generator is cut at its blocks: one activation per block is kept, and one segment at
    a time is computed again. Any other network is one segment. Random layers draw the same numbers
    both times. Long skips are kept, too: the first segment makes them for the last. The color skip
    lies beside the chain of segments; it is cheap and simply kept.

    Args:
      network: functional.
      images: float (N, H, W, C).
      training: handed on.
    """
    x, skips = images, list[tf.Tensor]()
    for segment in _segments(network):
        taken = skips if len(segment.inputs) > 1 else []
        x, *made = _rematerialized_segment(segment, [x, *taken], training)
        skips += made
    tail = _tail(network)
    if tail is None:
        return x
    color_skip, join = tail
    return join([x, color_skip(images, training=training)], training=training)


def _segments(network: keras.Model) -> list[keras.Model]:
    """The network as a chain of models that share its layers, made once.

    The first makes the long skips beside the chain's tensor, the last takes them.
    """
    known = getattr(network, _SEGMENTS, None)
    if known is None:
        cuts = [layer.output for layer in landmarks.block_ends(network)]
        borders = [network.inputs[0], *cuts, _end_of_chain(network)]
        skips = [layer.input[1] for layer in landmarks.long_skip_joins(network)]
        starts, ends = [[tensor] for tensor in borders[:-1]], [[tensor] for tensor in borders[1:]]
        starts[-1] += skips
        ends[0] += skips
        known = tuple(keras.Model(start, end) for start, end in zip(starts, ends, strict=True))
        attach(network, _SEGMENTS, known)
    return list(known)


def _tail(network: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """The color skip, from the image on, and what joins it to the end of the chain; made once.

    They are two models because Keras, making one from an inner tensor and the network's own input,
    gives that input a second node, and the network can no longer be saved.
    """
    join = landmarks.color_skip_join(network)
    if join is None:
        return None
    known = getattr(network, _TAIL, None)
    if known is None:
        color_skip = keras.Model(network.inputs[0], join.input[1])
        known = color_skip, keras.Model(join.input, network.outputs[0])
        attach(network, _TAIL, known)
    return known


def _end_of_chain(network: keras.Model) -> keras.KerasTensor:
    join = landmarks.color_skip_join(network)
    return network.outputs[0] if join is None else join.input[0]


def _rematerialized_segment(
    segment: keras.Model, inputs: Sequence[tf.Tensor], training: bool
) -> list[tf.Tensor]:
    """Calls one segment; of its activations only the inputs are kept for the gradient."""
    variables, states = segment.trainable_variables, segment.non_trainable_variables
    tensors = [tf.convert_to_tensor(variable.value) for variable in variables]
    before = [tf.convert_to_tensor(state.value) for state in states]
    count, scopes = len(inputs), []

    def call(
        inputs: Sequence[tf.Tensor], tensors: Sequence[tf.Tensor], states_now: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        with weights_scope([*variables, *states], [*tensors, *states_now]) as scope:
            scopes.append(scope)
            return tf.nest.flatten(segment(list(inputs), training=training))

    @tf.custom_gradient
    def forward(*given):
        def gradient(*upstream):
            # Without this wait TensorFlow may compute again at once, or merge both computations.
            with tf.control_dependencies(upstream):
                again = [tf.identity(x) for x in given[:count]]
                states_again = [tf.identity(state) for state in before]
            watched = [*again, *given[count:]]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                outputs = call(again, given[count:], states_again)
            found = tape.gradient(outputs, watched, upstream, unconnected_gradients="zero")
            # Gradients of weights that lag behind would hold all segments' activations at once.
            with tf.control_dependencies(found[count:]):
                return [*(tf.identity(to_input) for to_input in found[:count]), *found[count:]]

        return call(given[:count], given[count:], before), gradient

    outputs = forward(*inputs, *tensors)
    assign_states(scopes[0], states)
    return tf.nest.flatten(outputs)
