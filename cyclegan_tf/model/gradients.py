"""How a training step calls its networks and minimizes: weights read once, batches in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

from cyclegan_tf.devices import replicas
from cyclegan_tf.model.optimizers import FusedAdam
from cyclegan_tf.model.recompute import rematerialized_call
from cyclegan_tf.networks.keras_internals import all_layers
from cyclegan_tf.networks.weights import assign_states, cast_weights, weights_scope


class CachedWeights:
    """Trainable weights of some networks, read (and, under mixed precision, cast) once per step.

    Within `scope()` the networks compute with these tensors. A generator is called twice in a step;
    read by each call, its weights would be cast twice, and so would their gradients before they are
    added.

    Args:
      networks: built; their trainable weights are read now.
      tape: made to watch the tensors.
      states: further variables that the calls may assign, such as the state of a random generator.

    Example:
      >>> with tf.GradientTape(watch_accessed_variables=False) as tape:
      ...     weights = CachedWeights([generator], tape)
      ...     with weights.scope():
      ...         loss = tf.reduce_mean(generator(images, training=True) ** 2)
      >>> norm = weights.minimize(loss, tape, optimizer)
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
    def scope(self) -> Iterator[None]:
        """Lets the networks read these tensors; what the calls assign is assigned at the end."""
        with weights_scope(self.variables, self.tensors) as scope:
            yield
        assign_states(scope, self._states)

    def minimize(
        self, loss: tf.Tensor, tape: tf.GradientTape, optimizer: keras.optimizers.Optimizer
    ) -> tf.Tensor:
        """Takes one optimizer step on the weights; those no term reaches are left alone.

        Args:
          loss: scalar that went through the optimizer's `scale_loss` (float16 needs that).
          tape: that recorded it.
          optimizer: built for these variables.

        Returns:
          The float32 global norm of the true gradient: the scale of the loss is taken off.
        """
        gradients = tape.gradient(loss, self.tensors)
        reached = [
            (tf.cast(g, v.dtype), v)
            for g, v in zip(gradients, self.variables, strict=True)
            if g is not None
        ]
        means = replicas.all_reduce_mean([g for g, _ in reached])
        # the squares of float16 overflow
        wide = [mean if mean.dtype.size >= 4 else tf.cast(mean, tf.float32) for mean in means]
        norm = tf.linalg.global_norm(wide)
        norm /= tf.cast(optimizer.scale_loss(tf.ones(())), norm.dtype)
        given = [(mean, v) for mean, (_, v) in zip(means, reached, strict=True)]
        if isinstance(optimizer, FusedAdam):
            optimizer.apply_means(given)
        elif (count := replicas.num_replicas()) > 1:
            # under `tf.distribute` Keras's own optimizers add up what the replicas give them
            optimizer.apply_gradients([(mean / count, v) for mean, v in given])
        else:
            optimizer.apply_gradients(given)
        return norm


def call_concatenated(
    network: keras.Model,
    batches: Sequence[tf.Tensor | None],
    training: bool,
    gradient_checkpointing: bool = False,
) -> list[tf.Tensor | None]:
    """Calls a network once over several batches; the numbers are those of one call for each.

    Batches go one at a time where their images' sizes differ or are unknown when the graph is made,
    and through batch normalization in training, by which they would see each other.

    Args:
      network: of images; no image may see another.
      batches: float (N, H, W, C) each; None stays None.
      training: handed on.
      gradient_checkpointing: whether to call it by `rematerialized_call`.

    Returns:
      The network's outputs, one for each batch.
    """

    def call(batch: tf.Tensor) -> tf.Tensor:
        if gradient_checkpointing:
            return rematerialized_call(network, batch, training)
        return network(batch, training=training)

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
    return any(isinstance(x, keras.layers.BatchNormalization) for x in all_layers(network))
