"""Adam as one kernel per variable."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.networks.keras_internals import ReplicaAdam


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class FusedAdam(ReplicaAdam):
    """`keras.optimizers.Adam` (Kingma and Ba 2015, algorithm 1), one pass over each variable.

    Keras writes the update as a dozen element-wise operations, each of which reads and writes whole
    variables; TensorFlow's `ResourceApplyAdam` does all of it at once. Arguments, variables and
    numbers are those of `keras.optimizers.Adam` (the numbers to rounding). Where the kernel does
    not apply (AMSGrad, sparse gradients, variables that are not float32 or float64), Keras's own
    update runs.

    Under `tf.distribute` Keras adds up the replicas' gradients first; `apply_means` takes them as
    they are.

    Example:
      >>> optimizer = FusedAdam(learning_rate=2e-4, beta_1=0.5)
      >>> optimizer.build(network.trainable_variables)
      >>> optimizer.apply_gradients(zip(gradients, network.trainable_variables))
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its two moments.

        Args:
          gradient: of the variable's shape, any float dtype.
          variable: Keras's or, under a distribution strategy, TensorFlow's.
          learning_rate: scalar.
        """
        target = _resource(variable)
        if (
            self.amsgrad
            or isinstance(gradient, tf.IndexedSlices)
            or target.dtype not in (tf.float32, tf.float64)
        ):
            super().update_step(gradient, variable, learning_rate)
            return
        first_moment, second_moment = self.moments_of(variable)
        dtype = target.dtype
        beta_1, beta_2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=target.handle,
            m=_resource(first_moment).handle,
            v=_resource(second_moment).handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


def _resource(variable: Any) -> Any:
    """TensorFlow's variable behind Keras's; a distribution strategy hands over the former."""
    return variable.value if isinstance(variable, keras.Variable) else variable
