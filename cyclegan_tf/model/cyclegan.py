"""CycleGAN as a `keras.Model`: two generators, two discriminators, one step that updates all four.

Domains: X is `trainA`/`testA` on disk, Y is `trainB`/`testB`. G: X -> Y is `generator_xy`, F: Y ->
X is `generator_yx`; `discriminator_x` sees images of X, `discriminator_y` images of Y. A tensor's
suffix is its domain. Attribute names are a file format: Keras saves by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.devices import replicas
from cyclegan_tf.model import losses
from cyclegan_tf.model.batches import refuse_keras_arguments, training_images
from cyclegan_tf.model.gradients import CachedWeights, call_concatenated
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.loss_weights import (
    OTHER_TERMS,
    TERMS_OF_F,
    TERMS_OF_G,
    complete_weights,
    idle_generators,
    loss_terms,
    weighted_sum,
)
from cyclegan_tf.model.optimizers import two_optimizers
from cyclegan_tf.model.other_terms import other_terms
from cyclegan_tf.model.pairs import beside_input
from cyclegan_tf.model.saved_config import RestorableModel, give_own_names

Terms = dict[str, tf.Tensor]
Batch = tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]


@keras.saving.register_keras_serializable(package="cyclegan_tf")
@refuse_keras_arguments
class CycleGAN(RestorableModel, keras.Model):
    """Trains G: X -> Y and F: Y -> X from unpaired images (Zhu et al. 2017, eq. 3).

    Data for `fit` and `evaluate`: batches `(real_x, real_y)` of float32 (N, H, W, C) in [-1, 1];
    with a paired term or conditional discriminators they are partners, or a third float32 (N,) says
    which are, by 1 and 0.
    `call` translates X to Y, and `export` writes that. Networks must treat each image of a batch
    alone (instance normalization does), since several batches go through a network in one call; one
    with batch normalization is called once per batch.

    Within `tf.distribute.Strategy.run` each replica gives its equal slice of a global batch.
    Gradients and logged terms are then means over the global batch, and the pools see all its
    fakes.

    Args:
      generator_xy: G, float (N, H, W, C_x) -> float32 (N, H, W, C_y) in [-1, 1].
      generator_yx: F, in the other direction.
      discriminator_x: D_X, float (N, H, W, C_x) -> float32 logits (N, H', W', 1); may be None where
        adversarial_x has weight 0.
      discriminator_y: D_Y, likewise.
      semantic: frozen, of images in [-1, 1]; its outputs are to be the same before and after.
      conditional: whether discriminators see concat(input, output) of partners, C_x + C_y channels.
      pool_size_images: earlier fakes kept for each discriminator; 0 takes only the newest.
      seed: decides the draws of the pools and of the gradient penalty.

    Example:
      >>> gan = CycleGAN(generator_xy, generator_yx, discriminator_x, discriminator_y)
      >>> gan.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
      >>> gan.fit(dataset, epochs=200)
    """

    def __init__(
        self,
        generator_xy: keras.Model,
        generator_yx: keras.Model,
        discriminator_x: keras.Model | None = None,
        discriminator_y: keras.Model | None = None,
        *,
        semantic: keras.Model | None = None,
        conditional: bool = False,
        pool_size_images: int = 50,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.generator_xy = generator_xy
        self.generator_yx = generator_yx
        self.discriminator_x = discriminator_x
        self.discriminator_y = discriminator_y
        self.semantic = semantic
        give_own_names(self)
        self.conditional = conditional
        self.pool_size_images = pool_size_images
        self.seed = seed
        self.pool_x = ImagePool(pool_size_images, seed=2 * seed, name="pool_x")
        self.pool_y = ImagePool(pool_size_images, seed=2 * seed + 1, name="pool_y")
        self.penalty_seed = keras.random.SeedGenerator(seed, name="penalty_seed")
        self.metric_trackers: dict[str, keras.metrics.Mean] = {}
        self.built = True  # networks come built; the pools take their shape from the first batch

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | str,
        discriminator_optimizer: keras.optimizers.Optimizer | str,
        *,
        gan_mode: losses.GanMode = "lsgan",
        loss_weights: Mapping[str, float] | None = None,
        gradient_penalty: float = 10.0,
        gradient_checkpointing: bool = False,
        jit_compile: bool = False,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets optimizers, GAN criterion and loss weights.

        Args:
          generator_optimizer: one optimizer over the variables of both generators.
          discriminator_optimizer: another over those of both discriminators.
          gan_mode: "lsgan", "vanilla" or "wgangp".
          loss_weights: term -> weight, laid over `PAPER_LOSS_WEIGHTS`; a term of weight 0 is not
            built.
          gradient_penalty: weight of the penalty under "wgangp".
          gradient_checkpointing: keep only the residual blocks' outputs of the generators and
            compute what lies between again for the gradient: less memory, more time.
          jit_compile: compile the step with XLA; pays on GPUs.
          run_eagerly: as in `keras.Model.compile`, whose loss and metrics have no place here.
          steps_per_execution: likewise, batches per call.
          auto_scale_loss: likewise, where this model's policy is mixed_float16.

        Raises:
          ValueError: one optimizer for both, an unknown term, a negative weight, or a discriminator
            that a weight asks for was not given.
        """
        super().compile(
            None, jit_compile=jit_compile, run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
        )  # fmt: skip
        self.loss_weights = complete_weights(loss_weights or {})
        for domain in self.adversarial_domains:
            if self._discriminator(domain) is None:
                term = f"adversarial_{domain}"
                raise ValueError(
                    f"{term} has weight {self.loss_weights[term]}, but there is no "
                    f"discriminator_{domain}."
                )
        self.auto_scale_loss = auto_scale_loss
        scale_loss = auto_scale_loss and self.dtype_policy.name == "mixed_float16"
        self.optimizer = two_optimizers(generator_optimizer, discriminator_optimizer, scale_loss)
        self.generator_optimizer, self.discriminator_optimizer = self.optimizer.optimizers
        self.gan_mode: losses.GanMode = gan_mode
        self.gradient_penalty = gradient_penalty
        self.gradient_checkpointing = gradient_checkpointing
        self.metric_trackers = {name: keras.metrics.Mean(name=name) for name in self.metric_names()}
        self.optimizer.build_both(self.generator_variables, self.discriminator_variables)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Translates X to Y: float (N, H, W, C_x) -> float32 (N, H, W, C_y), both in [-1, 1]."""
        return self.generator_xy(inputs, training=training)

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        """Exports what `call` does, the generator X to Y, as `keras.Model.export`."""
        return self.generator_xy.export(filepath, *args, **kwargs)

    # What the weights switch on.

    def _discriminator(self, domain: str) -> Any:
        return self.discriminator_x if domain == "x" else self.discriminator_y

    def _discriminators(self) -> list[Any]:
        return [self._discriminator(domain) for domain in self.adversarial_domains]

    @property
    def adversarial_domains(self) -> list[str]:
        """Domains whose adversarial loss has a weight."""
        return [domain for domain in "xy" if self.loss_weights[f"adversarial_{domain}"]]

    @property
    def uses_pairs(self) -> bool:
        """Whether it matters which images are partners."""
        return self.conditional or any(self.loss_weights.get(f"paired_{d}") for d in "xy")

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """Trainable variables of both generators.

        With terms that the paper has not, of those that some term reaches: pix2pix has one. Without
        them of both, since checkpoints of earlier versions hold moments of both.
        """
        has_others = self.conditional or any(self.loss_weights.get(term) for term in OTHER_TERMS)
        idle = idle_generators(self.loss_weights) if has_others else ()
        networks = {"xy": self.generator_xy, "yx": self.generator_yx}
        return [v for way in networks if way not in idle for v in networks[way].trainable_variables]

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """Trainable variables of the discriminators of `adversarial_domains`."""
        return [v for network in self._discriminators() for v in network.trainable_variables]

    def metric_names(self) -> list[str]:
        """Names of all values a training step reports, in the order of the report."""
        names = [name for name, weight in self.loss_weights.items() if weight]
        kinds = ["discriminator", "accuracy_real", "accuracy_fake"]
        if self.gan_mode == "wgangp":
            kinds.append("gradient_penalty")
        names += [f"{kind}_{domain}" for domain in self.adversarial_domains for kind in kinds]
        names.append("gradient_norm_generators")
        return [*names, "gradient_norm_discriminators"] if self.adversarial_domains else names

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Running means of the logged values; Keras resets them at each epoch."""
        return list(self.metric_trackers.values())

    # The step.

    def train_step(self, data: Any) -> Terms:
        """Updates both generators, then both discriminators, on (real_x, real_y).

        Returns:
          Running means of the unweighted terms, of accuracies and of gradient norms, and "loss",
          the weighted sum of all terms of generators and discriminators.
        """
        batch = training_images(data, self.uses_pairs)
        fakes, terms, norm = self._update_generators(batch)
        norms = {"gradient_norm_generators": norm}
        if self.adversarial_domains:
            pooled_fakes = {d: self._pool(d)(fakes[d]) for d in self.adversarial_domains}
            discriminator_terms, norm = self._update_discriminators(batch, pooled_fakes)
            terms |= discriminator_terms
            norms["gradient_norm_discriminators"] = norm
        return self._track(replicas.all_reduce_mean_scalars(terms | norms))

    def test_step(self, data: Any) -> Terms:
        """Computes the same terms without pool, update or dropout, on unaugmented test images."""
        batch = training_images(data, self.uses_pairs)
        fakes, terms = self._generator_terms(batch, training=False)
        for more in self._discriminator_terms(batch, fakes, training=False):
            terms |= more
        return self._track({name: terms[name] for name in terms if name in self.metric_trackers})

    def _update_generators(self, batch: Batch) -> tuple[Terms, Terms, tf.Tensor]:
        """One step of both generators: what discriminators are to see of the fakes, by domain, the
        terms, and the gradient's norm."""
        # the discriminators' calls assign, too: moving statistics of batch normalization
        states = [v for network in self._discriminators() for v in network.non_trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            weights = CachedWeights([self.generator_xy, self.generator_yx], tape, states)
            with weights.scope():
                fakes, terms = self._generator_terms(batch, training=True)
            loss = self.generator_optimizer.scale_loss(self._weighted(terms))
        return fakes, terms, weights.minimize(loss, tape, self.generator_optimizer)

    def _update_discriminators(self, batch: Batch, pooled_fakes: Terms) -> tuple[Terms, tf.Tensor]:
        """One step of the discriminators on fakes by domain: their terms, the gradient's norm."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            weights = CachedWeights(self._discriminators(), tape, [self.penalty_seed.state])
            with weights.scope():
                discriminator_losses, accuracies = self._discriminator_terms(
                    batch, pooled_fakes, training=True
                )
            loss = self.discriminator_optimizer.scale_loss(self._weighted(discriminator_losses))
        norm = weights.minimize(loss, tape, self.discriminator_optimizer)
        return discriminator_losses | accuracies, norm

    def _generator_terms(self, batch: Batch, training: bool) -> tuple[Terms, Terms]:
        """What discriminators see of the fakes, and every term of weight above 0, unweighted."""
        on = {name for name, weight in self.loss_weights.items() if weight}
        checkpointing = training and self.gradient_checkpointing
        real_x, real_y, _ = batch
        for_fake_y = real_x if on & {"adversarial_y", "cycle_x", *TERMS_OF_G} else None
        for_fake_x = real_y if on & {"adversarial_x", "cycle_y", *TERMS_OF_F} else None
        same_x = real_x if "identity_x" in on else None
        same_y = real_y if "identity_y" in on else None
        fake_y, identity_y = call_concatenated(
            self.generator_xy, [for_fake_y, same_y], training, checkpointing
        )
        fake_x, identity_x = call_concatenated(
            self.generator_yx, [for_fake_x, same_x], training, checkpointing
        )
        terms: Terms = {}
        shown = {"x": self._shown(real_y, fake_x), "y": self._shown(real_x, fake_y)}
        for domain in self.adversarial_domains:
            logits = self._discriminator(domain)(shown[domain], training=training)
            terms[f"adversarial_{domain}"] = losses.generator_adversarial(self.gan_mode, logits)
        if "cycle_x" in on:
            (cycled_x,) = call_concatenated(self.generator_yx, [fake_y], training, checkpointing)
            terms["cycle_x"] = losses.l1(cycled_x, real_x)
        if "cycle_y" in on:
            (cycled_y,) = call_concatenated(self.generator_xy, [fake_x], training, checkpointing)
            terms["cycle_y"] = losses.l1(cycled_y, real_y)
        if "identity_x" in on:
            terms["identity_x"] = losses.l1(identity_x, real_x)
        if "identity_y" in on:
            terms["identity_y"] = losses.l1(identity_y, real_y)
        terms |= other_terms(on, batch, {"x": fake_x, "y": fake_y}, self.semantic)
        return shown, terms

    def _shown(self, condition: tf.Tensor, image: tf.Tensor | None) -> tf.Tensor | None:
        """What a discriminator sees of an image: all of it, and its input where conditional."""
        if image is None or not self.conditional:
            return image
        return beside_input(condition, image)

    def _discriminator_terms(
        self, batch: Batch, fakes: Terms, training: bool
    ) -> tuple[Terms, Terms]:
        """Losses of the discriminators on fakes by domain, and their accuracies over patches."""
        discriminator_losses, accuracies = Terms(), Terms()
        real_x, real_y, _ = batch
        reals = {"x": self._shown(real_y, real_x), "y": self._shown(real_x, real_y)}
        for domain in self.adversarial_domains:
            discriminator, fake, real = self._discriminator(domain), fakes[domain], reals[domain]
            pair = [tf.cast(real, fake.dtype), fake]
            on_real, on_fake = call_concatenated(discriminator, pair, training)
            discriminator_losses[f"discriminator_{domain}"] = losses.discriminator_adversarial(
                self.gan_mode, on_real, on_fake
            )
            if self.gan_mode == "wgangp":
                discriminator_losses[f"gradient_penalty_{domain}"] = losses.gradient_penalty(
                    discriminator, real, fake, self._mix(real)
                )
            right_real, right_fake = losses.discriminator_accuracy(self.gan_mode, on_real, on_fake)
            accuracies[f"accuracy_real_{domain}"] = right_real
            accuracies[f"accuracy_fake_{domain}"] = right_fake
        return discriminator_losses, accuracies

    def _mix(self, real: tf.Tensor) -> tf.Tensor:
        """Draws this replica's shares of the real image for the gradient penalty."""
        count = replicas.num_replicas() * keras.ops.shape(real)[0]
        return replicas.local_slice(keras.random.uniform((count, 1, 1, 1), seed=self.penalty_seed))

    def _weighted(self, terms: Terms) -> tf.Tensor:
        return weighted_sum(terms, self.loss_weights, self.gradient_penalty)

    def _pool(self, domain: str) -> ImagePool:
        return self.pool_x if domain == "x" else self.pool_y

    def _track(self, values: Terms) -> Terms:
        for name, value in values.items():
            self.metric_trackers[name].update_state(value)
        means = {name: self.metric_trackers[name].result() for name in values}
        # a weighted sum of means is the mean of weighted sums: "loss" needs no state of its own
        return {**means, "loss": self._weighted(loss_terms(means, self.loss_weights))}
