"""Adam as one kernel per variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.devices import replicas


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` (Kingma and Ba 2015, algorithm 1), each variable updated in one pass
    over memory.

    Keras writes the update as a dozen element-wise operations, each of which reads and writes whole
    variables; TensorFlow's `ResourceApplyAdam` does all of it at once. Arguments, variables and
    numbers are those of `keras.optimizers.Adam` (the numbers to rounding). What the kernel does not
    know (AMSGrad, sparse gradients, variables that are not float32 or float64) goes Keras's way.

    Under `tf.distribute` Keras adds up the replicas' gradients first; `apply_means` takes them as
    they are.
    """

    _means_are_given = False

    def apply_means(self, grads_and_vars: Sequence[tuple[tf.Tensor, keras.Variable]]) -> None:
        """`apply_gradients` for gradients that are the same on every replica: each updates its own
        copy by them."""
        self._means_are_given = True
        try:
            self.apply_gradients(grads_and_vars)
        finally:
            self._means_are_given = False

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        if not self._means_are_given or replicas.count() == 1:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its two moments from a gradient of its shape, any float
        dtype."""
        target = _resource(variable)
        if (
            self.amsgrad
            or isinstance(gradient, tf.IndexedSlices)
            or target.dtype not in (tf.float32, tf.float64)
        ):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        dtype = target.dtype
        beta_1, beta_2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=target.handle,
            m=_resource(self._momentums[index]).handle,
            v=_resource(self._velocities[index]).handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


def _resource(variable: Any) -> Any:
    """TensorFlow's variable behind Keras's; under a distribution strategy Keras hands over the
    former."""
    return variable.value if isinstance(variable, keras.Variable) else variable
