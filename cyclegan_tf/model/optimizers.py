"""Adam as one kernel per variable, and two optimizers as the one that Keras's callbacks want."""

from __future__ import annotations

from collections.abc import Sequence
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
        tf.raw_ops.ResourceApplyAdam(
            var=target.handle,
            m=_resource(first_moment).handle,
            v=_resource(second_moment).handle,
            grad=tf.cast(gradient, dtype),
            **self.once_per_step(dtype, lambda: self._numbers(learning_rate, dtype)),
        )

    def _numbers(self, learning_rate: Any, dtype: tf.DType) -> dict[str, tf.Tensor]:
        """What the kernel takes besides the variable's own: scalars, the same for all."""
        beta_1, beta_2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, dtype)
        return {
            "beta1_power": tf.pow(beta_1, step),
            "beta2_power": tf.pow(beta_2, step),
            "lr": tf.cast(learning_rate, dtype),
            "beta1": beta_1,
            "beta2": beta_2,
            "epsilon": tf.constant(self.epsilon, dtype),
        }


class OptimizerPair:
    """What a model of two optimizers shows as `model.optimizer`.

    Keras's callbacks read `optimizers` where there is such a list (LearningRateScheduler,
    ReduceLROnPlateau, TensorBoard), and `built`, `iterations` and `variables`. It holds no state:
    the model saves both optimizers under names of their own.

    Args:
      generator_optimizer: first of `optimizers`.
      discriminator_optimizer: the second.

    Example:
      >>> [float(one.learning_rate) for one in gan.optimizer.optimizers]
      [0.0002, 0.0002]
    """

    def __init__(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
    ) -> None:
        self.optimizers = (generator_optimizer, discriminator_optimizer)

    def build_both(
        self, generator_variables: Sequence[Any], discriminator_variables: Sequence[Any]
    ) -> None:
        """Makes each optimizer's variables where they are not made; no variables need none."""
        for optimizer, variables in zip(
            self.optimizers, (generator_variables, discriminator_variables), strict=True
        ):
            if variables and not optimizer.built:
                optimizer.build(variables)

    def get_config(self) -> dict[str, Any]:
        """Refuses: only `.h5` files ask for it, and they have no place for two optimizers."""
        raise ValueError(
            "A CycleGAN is saved as .keras or .weights.h5: an .h5 file has no place for its two "
            "optimizers and its pools. A generator alone fits: gan.generator_xy.save('g.h5')."
        )

    @property
    def built(self) -> bool:
        """True: `compile` builds both."""
        return True

    @property
    def iterations(self) -> keras.Variable:
        """Steps so far, the same for both."""
        return self.optimizers[0].iterations

    @property
    def variables(self) -> list[keras.Variable]:
        """Variables of both."""
        return [variable for one in self.optimizers for variable in one.variables]

    @property
    def learning_rate(self) -> Any:
        """The generators' rate; set, it is the rate of both."""
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        for optimizer in self.optimizers:
            optimizer.learning_rate = value


def two_optimizers(generators: Any, discriminators: Any, scale_loss: bool) -> OptimizerPair:
    """Pairs optimizers, made of names such as "adam" where they are not ready ones.

    Args:
      generators: optimizer, name or configuration.
      discriminators: another.
      scale_loss: whether each is to scale its loss, as float16 needs.

    Raises:
      ValueError: an unknown name, or one optimizer given twice.
    """
    found = [keras.optimizers.get(one) for one in (generators, discriminators)]
    if found[0] is found[1]:
        raise ValueError(
            "generator_optimizer and discriminator_optimizer are one and the same, but each keeps "
            "moments of its own variables: give two."
        )
    scaled = keras.optimizers.LossScaleOptimizer
    if scale_loss:
        found = [one if isinstance(one, scaled) else scaled(one) for one in found]
    return OptimizerPair(*found)


def _resource(variable: Any) -> Any:
    """TensorFlow's variable behind Keras's; a distribution strategy hands over the former."""
    return variable.value if isinstance(variable, keras.Variable) else variable
