"""How a training step calls its networks and descends: weights read once, images together, memory
for time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

from cyclegan_tf.devices import replicas
from cyclegan_tf.model.optimizers import FusedAdam

# Where a network is cut when memory is bought with time: what lies between two ends is forgotten.
_SEGMENT_END = re.compile(r"block\d+_add")
# Where what was seen on the way down joins the way up.
_LONG_SKIP = re.compile(r"up\d+_long_skip")
# Where the colors led around the network come back to it.
_SKIP_END = "colour_skip_add"


class CachedWeights:
    """The trainable weights of some networks, read (and, under mixed precision, cast) once for a
    whole step.

    Within `used()` the networks take these tensors for their weights. A generator is called twice
    in a step; read by each call, its weights would be cast twice, and so would their gradients
    before they are added.

    Args:
      networks: built; their trainable weights are read now.
      tape: made to watch the tensors.
      states: further variables that the calls may assign, such as the state of a random generator.
    """

    def __init__(
        self,
        networks: Sequence[keras.Model],
        tape: tf.GradientTape,
        states: Sequence[keras.Variable] = (),
    ) -> None:
        self._states = [
            *states,
            *(state for network in networks for state in network.non_trainable_variables),
        ]
        self.variables, self.tensors = cast_weights(networks)
        tape.watch(self.tensors)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Lets the networks read these tensors; what the calls assign is assigned at the end."""
        with reading(self.variables, self.tensors) as scope:
            yield
        _assign(scope, self._states)

    def descend(
        self, tape: tf.GradientTape, objective: tf.Tensor, optimizer: keras.optimizers.Optimizer
    ) -> tf.Tensor:
        """One optimizer step down the objective; returns the float32 global norm of the true
        gradient.

        `objective` went through the optimizer's `scale_loss` (float16 needs that), so the norm is
        scaled back. Variables no term reaches are left alone.
        """
        gradients = tape.gradient(objective, self.tensors)
        reached = [
            (tf.cast(g, v.dtype), v)
            for g, v in zip(gradients, self.variables, strict=True)
            if g is not None
        ]
        means = replicas.mean([g for g, _ in reached])
        norm = tf.linalg.global_norm(means) / optimizer.scale_loss(tf.ones(()))
        given = [(mean, v) for mean, (_, v) in zip(means, reached, strict=True)]
        if isinstance(optimizer, FusedAdam):
            optimizer.apply_means(given)
        else:
            # under `tf.distribute` Keras's own optimizers add up what the replicas give them
            optimizer.apply_gradients(
                [(mean / replicas.count(), v) for mean, v in given]
                if replicas.count() > 1
                else given
            )
        return norm


def cast_weights(networks: Sequence[keras.Model]) -> tuple[list[keras.Variable], list[tf.Tensor]]:
    """All trainable weights and their values now, each in the dtype in which its layer computes
    with it."""
    variables, tensors = [], []
    for network in networks:
        # Only these let Keras cast their weights; normalization keeps its own in float32.
        convolutions = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        dtypes = {
            id(variable): layer.compute_dtype
            for layer in network.layers
            if isinstance(layer, convolutions)
            for variable in layer.trainable_variables
        }
        for variable in network.trainable_variables:
            tensors.append(
                tf.cast(
                    tf.convert_to_tensor(variable.value), dtypes.get(id(variable), variable.dtype)
                )
            )
            variables.append(variable)
    return variables, tensors


def together(
    network: keras.Model,
    batches: Sequence[tf.Tensor | None],
    training: bool,
    recompute: bool = False,
) -> list[tf.Tensor | None]:
    """One call of a network over several batches, where no image sees another; the numbers of one
    call for each.

    Batches go one at a time where their images' sizes differ or are unknown when the graph is made,
    and through batch normalization in training, by which they would see each other.

    Args:
      network: of images.
      batches: float (N, H, W, C) each; None stays None.
      training: handed on.
      recompute: see `rematerialized_call`.
    """

    def call(batch: tf.Tensor) -> tf.Tensor:
        return (
            rematerialized_call(network, batch, training)
            if recompute
            else network(batch, training=training)
        )

    given = [batch for batch in batches if batch is not None]
    shapes = {tuple(batch.shape[1:]) for batch in given}
    if (
        len(given) < 2
        or len(shapes) > 1
        or None in next(iter(shapes))
        or (training and _mixes_images(network))
    ):
        return [None if batch is None else call(batch) for batch in batches]
    joined = call(tf.concat(given, axis=0))
    parts = iter(tf.split(joined, [tf.shape(batch)[0] for batch in given], axis=0, num=len(given)))
    return [None if batch is None else next(parts) for batch in batches]


def _mixes_images(network: keras.Model) -> bool:
    return any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in network._flatten_layers()
    )


def rematerialized_call(network: keras.Model, images: tf.Tensor, training: bool) -> tf.Tensor:
    """Calls a network without keeping its inner activations; the gradient computes them again (Chen
    et al. 2016).

    A residual generator is cut at its blocks: what is kept is one activation per block, what is
    computed again is one segment at a time. Any other network is one segment. Random layers draw
    the same numbers both times.
    Long skips are kept, too: the first segment hands them to the last. What lies beside the chain,
    from the image to the last sum, is cheap and simply kept.

    Args:
      network: functional.
      images: float (N, H, W, C).
      training: handed on.
    """
    x, skipping = images, list[tf.Tensor]()
    for segment in _segments(network):
        taken = skipping if len(segment.inputs) > 1 else []
        x, *given = _forgetful_segment(segment, [x, *taken], training)
        skipping += given
    ending = _ending(network)
    return x if ending is None else ending([x, images], training=training)


def _segments(network: keras.Model) -> list[keras.Model]:
    """The network as a chain of models that share its layers; kept on the network, since making
    them takes time.

    The last takes the long skips beside the chain's tensor, the first gives them.
    """
    known = getattr(network, "_cyclegan_tf_segments", None)
    if known is None:
        ends = [layer.output for layer in network.layers if _SEGMENT_END.fullmatch(layer.name)]
        borders = [network.inputs[0], *ends, _end_of_chain(network)]
        skips = [layer.input[1] for layer in network.layers if _LONG_SKIP.fullmatch(layer.name)]
        starts, ends = [[tensor] for tensor in borders[:-1]], [[tensor] for tensor in borders[1:]]
        starts[-1] += skips
        ends[0] += skips
        known = tuple(keras.Model(start, end) for start, end in zip(starts, ends, strict=True))
        object.__setattr__(
            network, "_cyclegan_tf_segments", known
        )  # past Keras's tracking: nothing to save
    return list(known)


def _ending(network: keras.Model) -> keras.Model | None:
    """What joins the image to the end of the chain, where something does."""
    end = _end_of_chain(network)
    if end is network.outputs[0]:
        return None
    known = getattr(network, "_cyclegan_tf_ending", None)
    if known is None:
        known = keras.Model([end, network.inputs[0]], network.outputs[0])
        object.__setattr__(network, "_cyclegan_tf_ending", known)
    return known


def _end_of_chain(network: keras.Model):
    joins = [layer for layer in network.layers if layer.name == _SKIP_END]
    return joins[0].input[0] if joins else network.outputs[0]


def _forgetful_segment(
    segment: keras.Model, inputs: Sequence[tf.Tensor], training: bool
) -> list[tf.Tensor]:
    variables, states = segment.trainable_variables, segment.non_trainable_variables
    tensors = [tf.convert_to_tensor(variable.value) for variable in variables]
    before = [tf.convert_to_tensor(state.value) for state in states]
    count, scopes = len(inputs), []

    def call(
        inputs: Sequence[tf.Tensor], tensors: Sequence[tf.Tensor], states_now: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        with reading([*variables, *states], [*tensors, *states_now]) as scope:
            scopes.append(scope)
            return tf.nest.flatten(segment(list(inputs), training=training))

    @tf.custom_gradient
    def forward(*given):
        def gradient(*upstream):
            # Without this wait, TensorFlow may compute again at once, or see that it has computed
            # it already.
            with tf.control_dependencies(upstream):
                again = [tf.identity(x) for x in given[:count]]
                states_again = [tf.identity(state) for state in before]
            watched = [*again, *given[count:]]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                outputs = call(again, given[count:], states_again)
            found = tape.gradient(outputs, watched, upstream, unconnected_gradients="zero")
            # Gradients of weights that lag behind would hold the activations of every segment at
            # once.
            with tf.control_dependencies(found[count:]):
                return [*(tf.identity(to_input) for to_input in found[:count]), *found[count:]]

        return call(given[:count], given[count:], before), gradient

    outputs = forward(*inputs, *tensors)
    _assign(scopes[0], states)
    return tf.nest.flatten(outputs)


@contextmanager
def reading(
    variables: Sequence[keras.Variable], tensors: Sequence[tf.Tensor]
) -> Iterator[keras.StatelessScope]:
    """Within it, Keras's variables have these values, in any dtype; assignments go to the scope
    that is handed out."""
    with keras.StatelessScope() as scope:
        for variable, tensor in zip(variables, tensors, strict=True):
            scope.add_update(
                (variable, tensor)
            )  # the constructor would cast back to the variable's dtype
        yield scope


def _assign(scope: keras.StatelessScope, states: Sequence[keras.Variable]) -> None:
    for state in states:
        value = scope.get_current_value(state)
        if value is not None:
            state.assign(value)
