"""CycleGAN as a `keras.Model`: two translators, two judges, one step that updates all four.

Domains: X is `trainA`/`testA` on disk, Y is `trainB`/`testB`; G: X -> Y is `generator_xy`, F: Y ->
X is `generator_yx`; `discriminator_x` judges X and `discriminator_y` judges Y. A tensor's suffix is
the domain it
lives in. Attribute names are a file format: Keras saves by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.devices import replicas
from cyclegan_tf.model import losses
from cyclegan_tf.model.gradients import CachedWeights, together
from cyclegan_tf.model.image_pool import ImagePool

# Zhu et al. 2017, sec. 4 and 5.2: lambda = 10 each way, identity 0.5 lambda.
PAPER_LOSS_WEIGHTS = {
    "adversarial_x": 1.0,
    "adversarial_y": 1.0,
    "cycle_x": 10.0,
    "cycle_y": 10.0,
    "identity_x": 5.0,
    "identity_y": 5.0,
}
# The judges learn at half the translators' pace (sec. 4, "we divide the objective by 2").
DISCRIMINATOR_LOSS_WEIGHT = 0.5

Terms = dict[str, tf.Tensor]


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class CycleGAN(keras.Model):
    """Trains G: X -> Y and F: Y -> X from unpaired images (Zhu et al. 2017, eq. 3).

    Data for `fit` and `evaluate`: batches `(real_x, real_y)` of float32 (N, H, W, C) in [-1, 1].
    `call` translates X to Y. Networks must treat each image of a batch alone (instance
    normalization does), since several batches go through a network in one call; one with batch
    normalization is called for each by itself.

    Within `tf.distribute.Strategy.run` each replica gives its equal slice of a global batch;
    gradients and logged terms are then means over the global batch, and the pools see all of its
    translations.

    Args:
      generator_xy: G, float (N, H, W, C_x) -> float32 (N, H, W, C_y) in [-1, 1].
      generator_yx: F, the other way.
      discriminator_x: D_X, float (N, H, W, C_x) -> float32 logits (N, H', W', 1); may be None where
        adversarial_x has weight 0.
      discriminator_y: D_Y, likewise.
      pool_size_images: earlier translations kept for each judge; 0 shows only the newest.
      seed: decides the draws of the pools and of the gradient penalty.
    """

    def __init__(
        self,
        generator_xy: keras.Model,
        generator_yx: keras.Model,
        discriminator_x: keras.Model | None = None,
        discriminator_y: keras.Model | None = None,
        *,
        pool_size_images: int = 50,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.generator_xy = generator_xy
        self.generator_yx = generator_yx
        self.discriminator_x = discriminator_x
        self.discriminator_y = discriminator_y
        self.pool_size_images = pool_size_images
        self.seed = seed
        self.pool_x = ImagePool(pool_size_images, seed=2 * seed, name="pool_x")
        self.pool_y = ImagePool(pool_size_images, seed=2 * seed + 1, name="pool_y")
        self.penalty_seed = keras.random.SeedGenerator(seed, name="penalty_seed")
        self.metric_trackers: dict[str, keras.metrics.Mean] = {}

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        *,
        adversarial: losses.AdversarialKind = "lsgan",
        weights: Mapping[str, float] | None = None,
        gradient_penalty: float = 10.0,
        recompute: bool = False,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Sets the game.

        Args:
          generator_optimizer: one optimizer over the variables of both generators.
          discriminator_optimizer: another over those of both discriminators.
          adversarial: "lsgan", "vanilla" or "wgangp".
          weights: term -> weight, laid over `PAPER_LOSS_WEIGHTS`; a term of weight 0 is not built.
          gradient_penalty: weight of the penalty under "wgangp".
          recompute: keep only the residual blocks' outputs of the generators and compute what lies
            between again for the gradient: memory for time.
          jit_compile: compile the step with XLA; pays on GPUs.
          **kwargs: `keras.Model.compile`'s steps_per_execution, run_eagerly, auto_scale_loss.

        Raises:
          ValueError: an unknown term, a negative weight, or a judge that is wanted but was not
            given.
        """
        super().compile(optimizer=None, loss=None, jit_compile=jit_compile, **kwargs)
        unknown = sorted(set(weights or {}) - set(PAPER_LOSS_WEIGHTS))
        if unknown:
            raise ValueError(
                f"Unknown loss terms {unknown}; known are {sorted(PAPER_LOSS_WEIGHTS)}."
            )
        self.loss_weights = {**PAPER_LOSS_WEIGHTS, **(weights or {})}
        if min(self.loss_weights.values()) < 0:
            raise ValueError(f"Loss weights must not be negative, got {self.loss_weights}.")
        for domain in "xy":
            if self.loss_weights[f"adversarial_{domain}"] and self._discriminator(domain) is None:
                raise ValueError(
                    f"adversarial_{domain} has weight "
                    f"{self.loss_weights[f'adversarial_{domain}']}, but there is no "
                    f"discriminator_{domain}."
                )
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.adversarial: losses.AdversarialKind = adversarial
        self.gradient_penalty = gradient_penalty
        self.recompute = recompute
        self.metric_trackers = {name: keras.metrics.Mean(name=name) for name in self.metric_names()}
        self.built = True  # networks come built; the pools take their shape from the first batch
        if not self.generator_optimizer.built:
            self.generator_optimizer.build(self.generator_variables)
        if self.discriminator_variables and not self.discriminator_optimizer.built:
            self.discriminator_optimizer.build(self.discriminator_variables)

    def leave_out(self, *names: str) -> None:
        """Takes loss terms out of the game, as a weight of 0 in `compile` does; before the first
        step is traced."""
        self.loss_weights |= dict.fromkeys(names, 0.0)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Translates X to Y: float (N, H, W, C_x) in [-1, 1] -> float32 (N, H, W, C_y) in [-1,
        1]."""
        return self.generator_xy(inputs, training=training)

    # What the weights switch on.

    def _discriminator(self, domain: str) -> Any:
        return self.discriminator_x if domain == "x" else self.discriminator_y

    @property
    def adversarial_domains(self) -> list[str]:
        """Domains whose discriminator plays."""
        return [domain for domain in "xy" if self.loss_weights[f"adversarial_{domain}"]]

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """Trainable variables of both generators."""
        return self.generator_xy.trainable_variables + self.generator_yx.trainable_variables

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """Trainable variables of the discriminators that play."""
        return [
            v
            for domain in self.adversarial_domains
            for v in self._discriminator(domain).trainable_variables
        ]

    def metric_names(self) -> list[str]:
        """Names of all values a training step reports, in the order of the report."""
        names = [name for name, weight in self.loss_weights.items() if weight]
        kinds = ["discriminator", "accuracy_real", "accuracy_fake"]
        if self.adversarial == "wgangp":
            kinds.append("gradient_penalty")
        names += [f"{kind}_{domain}" for domain in self.adversarial_domains for kind in kinds]
        return [*names, "gradient_norm_generators"] + ["gradient_norm_discriminators"] * bool(
            self.adversarial_domains
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Running means of the logged values; Keras resets them at each epoch."""
        return list(self.metric_trackers.values())

    # The step.

    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> Terms:
        """Updates both generators, then both discriminators; returns running means of the
        unweighted terms."""
        real_x, real_y = batch
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            weights = CachedWeights(
                [self.generator_xy, self.generator_yx], tape, self._discriminator_states()
            )
            with weights.used():
                fakes, terms = self._generator_terms(real_x, real_y, training=True)
            objective = self.generator_optimizer.scale_loss(self._total_loss(terms))
        norms = {
            "gradient_norm_generators": weights.descend(tape, objective, self.generator_optimizer)
        }
        if self.adversarial_domains:
            shown = {
                domain: self._pool(domain)(fakes[domain]) for domain in self.adversarial_domains
            }
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                judges = [self._discriminator(domain) for domain in self.adversarial_domains]
                weights = CachedWeights(judges, tape, [self.penalty_seed.state])
                with weights.used():
                    verdicts, accuracies = self._discriminator_terms(
                        real_x, real_y, shown, training=True
                    )
                objective = self.discriminator_optimizer.scale_loss(self._total_loss(verdicts))
            norms["gradient_norm_discriminators"] = weights.descend(
                tape, objective, self.discriminator_optimizer
            )
            terms |= verdicts | accuracies
        return self._track(replicas.all_reduce_mean(terms | norms))

    def test_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> Terms:
        """The same terms without pool, update or dropout: unaugmented losses of the test split."""
        real_x, real_y = batch
        fakes, terms = self._generator_terms(real_x, real_y, training=False)
        if self.adversarial_domains:
            shown = {domain: fakes[domain] for domain in self.adversarial_domains}
            verdicts, accuracies = self._discriminator_terms(real_x, real_y, shown, training=False)
            terms |= verdicts | accuracies
        return self._track(
            {name: value for name, value in terms.items() if name in self.metric_trackers}
        )

    def _generator_terms(
        self, real_x: tf.Tensor, real_y: tf.Tensor, training: bool
    ) -> tuple[Terms, Terms]:
        """Translations by domain, and every generator term of weight above 0, unweighted."""
        on = {name for name, weight in self.loss_weights.items() if weight}
        recompute = training and self.recompute
        fake_y, identity_y = together(
            self.generator_xy,
            [
                real_x if on & {"adversarial_y", "cycle_x"} else None,
                real_y if "identity_y" in on else None,
            ],
            training,
            recompute,
        )
        fake_x, identity_x = together(
            self.generator_yx,
            [
                real_y if on & {"adversarial_x", "cycle_y"} else None,
                real_x if "identity_x" in on else None,
            ],
            training,
            recompute,
        )
        terms: Terms = {}
        fakes = {"x": fake_x, "y": fake_y}
        for domain in self.adversarial_domains:
            verdict = self._discriminator(domain)(fakes[domain], training=training)
            terms[f"adversarial_{domain}"] = losses.generator_adversarial(self.adversarial, verdict)
        if "cycle_x" in on:
            (cycled_x,) = together(self.generator_yx, [fake_y], training, recompute)
            terms["cycle_x"] = losses.l1(cycled_x, real_x)
        if "cycle_y" in on:
            (cycled_y,) = together(self.generator_xy, [fake_x], training, recompute)
            terms["cycle_y"] = losses.l1(cycled_y, real_y)
        if "identity_x" in on:
            terms["identity_x"] = losses.l1(identity_x, real_x)
        if "identity_y" in on:
            terms["identity_y"] = losses.l1(identity_y, real_y)
        return fakes, terms

    def _discriminator_terms(
        self, real_x: tf.Tensor, real_y: tf.Tensor, shown: Terms, training: bool
    ) -> tuple[Terms, Terms]:
        """Losses of the judges that play, and the share of patches they judge right."""
        verdicts: Terms = {}
        accuracies: Terms = {}
        for domain, fake in shown.items():
            judge, real = self._discriminator(domain), {"x": real_x, "y": real_y}[domain]
            on_real, on_fake = together(judge, [real, fake], training)
            verdicts[f"discriminator_{domain}"] = losses.discriminator_adversarial(
                self.adversarial, on_real, on_fake
            )
            if self.adversarial == "wgangp":
                count = replicas.count() * keras.ops.shape(real)[0]
                mix = replicas.local_slice(
                    keras.random.uniform((count, 1, 1, 1), seed=self.penalty_seed)
                )
                verdicts[f"gradient_penalty_{domain}"] = losses.gradient_penalty(
                    judge, real, fake, mix
                )
            right_real, right_fake = losses.discriminator_accuracy(
                self.adversarial, on_real, on_fake
            )
            accuracies |= {
                f"accuracy_real_{domain}": right_real,
                f"accuracy_fake_{domain}": right_fake,
            }
        return verdicts, accuracies

    def _total_loss(self, terms: Terms) -> tf.Tensor:
        """The one place where weights are applied."""

        def weight(name: str) -> float:
            if name.startswith("gradient_penalty"):
                return DISCRIMINATOR_LOSS_WEIGHT * self.gradient_penalty
            return (
                DISCRIMINATOR_LOSS_WEIGHT
                if name.startswith("discriminator")
                else self.loss_weights[name]
            )

        return tf.add_n([weight(name) * value for name, value in terms.items()])

    def _discriminator_states(self) -> list[keras.Variable]:
        """What the judges' calls assign while the generators learn: the moving statistics of batch
        normalization."""
        return [
            v
            for domain in self.adversarial_domains
            for v in self._discriminator(domain).non_trainable_variables
        ]

    def _pool(self, domain: str) -> ImagePool:
        return self.pool_x if domain == "x" else self.pool_y

    def _track(self, values: Terms) -> Terms:
        for name, value in values.items():
            self.metric_trackers[name].update_state(value)
        return {name: self.metric_trackers[name].result() for name in values}

    # Saving: a subclassed model must say how to make itself again.

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments, networks included."""
        networks = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")
        return {
            **super().get_config(),
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in networks},
            "pool_size_images": self.pool_size_images,
            "seed": self.seed,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> CycleGAN:
        """Inverse of `get_config`."""
        config = dict(config)
        for name in ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y"):
            if config[name] is not None:
                config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects)
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """Sizes of the pools' images, once known."""
        pools = {"pool_x": self.pool_x, "pool_y": self.pool_y}
        return {name: list(pool.images.shape) for name, pool in pools.items() if pool.weights}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the pools' variables before the saved ones are read into them."""
        for name, shape in config.items():
            getattr(self, name).build(tuple(shape))

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`, optimizers included."""
        return {
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
            "discriminator_optimizer": keras.saving.serialize_keras_object(
                self.discriminator_optimizer
            ),
            "adversarial": self.adversarial,
            "weights": self.loss_weights,
            "gradient_penalty": self.gradient_penalty,
            "recompute": self.recompute,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Inverse of `get_compile_config`."""
        config = dict(config)
        for name in ("generator_optimizer", "discriminator_optimizer"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        self.compile(**config)
