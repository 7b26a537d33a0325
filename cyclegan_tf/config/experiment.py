"""The whole experiment as frozen dataclasses, checked when made.

Domains: X is `trainA`/`testA` on disk, Y is `trainB`/`testB`; G: X -> Y, F: Y -> X; D_X, D_Y
  discriminate real from generated images of X and of Y.
Building blocks never see these classes: `assembly` translates them into explicit arguments.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from cyclegan_tf.config.checks import at_least, at_most, require
from cyclegan_tf.config.data import Data
from cyclegan_tf.config.loss import Loss, check_pairs
from cyclegan_tf.config.networks import Discriminator, Generator
from cyclegan_tf.errors import UserError

# Far beyond any training, and still numbers of 64 bits after all multiplications.
_MAX_EPOCHS, _MAX_STEPS = 10**9, 10**15
_MAX_STEPS_PER_CALL = 100
"""Their batches lie in the device's memory at once, and a signal waits for them."""
TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")
"""Where curves and images can go."""


@dataclass(frozen=True)
class Optimizer:
    """Adam, one over both generators and one over both discriminators, and its schedule.

    Attributes:
        learning_rate: Rate at the start.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the root of the second moment.
        schedule: Learning-rate schedule; linear is constant, then falls to exactly 0 after the last
          step; cosine likewise, along half a cosine.
        step_epochs: Epochs between two divisions by ten under the schedule "step".

    Example:
        >>> Experiment(optimizer=Optimizer(learning_rate=1e-4)).optimizer.beta_1
        0.5
    """

    learning_rate: float = 2e-4
    beta_1: float = 0.5
    beta_2: float = 0.999
    epsilon: float = 1e-8
    schedule: Literal["linear", "constant", "cosine", "step"] = "linear"
    step_epochs: int = 50

    def __post_init__(self) -> None:
        require(
            self.learning_rate > 0,
            "optimizer.learning_rate",
            self.learning_rate,
            "it must be above 0",
        )
        for name in ("beta_1", "beta_2"):
            value = getattr(self, name)
            require(0 <= value < 1, f"optimizer.{name}", value, "it must be in [0, 1)")
        require(self.epsilon > 0, "optimizer.epsilon", self.epsilon, "it must be above 0")
        at_least("optimizer", self, 1, "step_epochs")


@dataclass(frozen=True)
class Training:
    """How long, how precisely and how safely.

    Attributes:
        constant_epochs: Epochs at the full rate; an epoch shows every image of the larger domain
          once.
        decay_epochs: Epochs over which the rate then falls.
        max_steps: Budget in steps; the learning-rate schedule is fitted into it.
        max_minutes: Budget in minutes, counted from the start of the first step, whose graphs are
            made within it; the learning-rate schedule is fitted into it.
        more_minutes: Go on with a finished or stopped run for so long from where it stands; the
          rate is that of a run planned for the whole time.
        precision: Arithmetic of the networks; weights, statistics and losses stay float32.
        jit: Compile the step with XLA; auto does so on GPUs only.
        steps_per_call: Steps that one call of the graph makes at most; more than 1 spare a GPU
          waits between short steps. Changes no number.
        gradient_checkpointing: Compute the generators' inner activations again for the gradient:
          less memory, a third more time.
        strategy: Devices that train together; auto takes all GPUs, or the machines that TF_CONFIG
          names.
        seed: Decides initial weights, image order, augmentation and pool draws.
        pool_size_images: Earlier fakes kept for the discriminators; 0 takes only the newest.
        checkpoint_every_steps: Steps between checkpoints; none by steps when not given.
        checkpoint_every_minutes: Minutes between checkpoints: the most that a kill -9 can lose.
        keep_checkpoints: How many of the newest checkpoints are kept.
        ema_half_life_images: Half-life, in training images, of a moving average of the generators'
          weights, scored beside them; off when not given.
        best_metric: Score that checkpoints/best follows; psnr, ssim, mae and lpips_vgg_hed need a
          test split in pairs of the same names, and the last three the extra features.
        early_stopping_patience: Stop after so many scorings in a row without a better one; off when
          not given.
        freeze: "encoder" keeps what lies before the residual blocks, or a U-Net's descending half,
          as it starts.

    Example:
        >>> training = Training(max_steps=1000, precision="bfloat16")
        >>> Experiment(training=training).training.seed
        0
    """

    constant_epochs: int = 100
    decay_epochs: int = 100
    max_steps: int | None = None
    max_minutes: float | None = None
    more_minutes: float | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    jit: Literal["auto", "on", "off"] = "auto"
    steps_per_call: int = 1
    gradient_checkpointing: bool = False
    strategy: Literal["auto", "none", "mirrored", "multi_worker", "tpu"] = "auto"
    seed: int = 0
    pool_size_images: int = 50
    checkpoint_every_steps: int | None = None
    checkpoint_every_minutes: float = 5.0
    keep_checkpoints: int = 3
    ema_half_life_images: float | None = None
    best_metric: Literal[
        "color_swd",
        "swd",
        "psnr",
        "ssim",
        "mae",
        "cycle_error",
        "kid_lite0",
        "fd_lite0",
        "lpips_vgg_hed",
    ] = "color_swd"
    early_stopping_patience: int | None = None
    freeze: Literal["none", "encoder"] = "none"

    def __post_init__(self) -> None:
        at_least("training", self, 0, "constant_epochs", "decay_epochs", "pool_size_images", "seed")
        at_least(
            "training",
            self,
            1,
            "max_steps",
            "steps_per_call",
            "checkpoint_every_steps",
            "keep_checkpoints",
            "early_stopping_patience",
        )
        at_most("training", self, 10**6, "pool_size_images")
        at_most("training", self, _MAX_STEPS_PER_CALL, "steps_per_call")
        at_most("training", self, _MAX_EPOCHS, "constant_epochs", "decay_epochs")
        at_most("training", self, _MAX_STEPS, "max_steps", "seed")
        for name in (
            "max_minutes",
            "more_minutes",
            "checkpoint_every_minutes",
            "ema_half_life_images",
        ):
            value = getattr(self, name)
            if value is not None:
                require(value > 0, f"training.{name}", value, "it must be above 0")
        require(
            self.constant_epochs + self.decay_epochs > 0,
            "training.constant_epochs + training.decay_epochs",
            0,
            "there must be at least one epoch",
        )


@dataclass(frozen=True)
class Logging:
    """What is written down on the way.

    Attributes:
        to: Where curves, images, the config and warnings go: tensorboard, wandb, mlflow, trackio,
          or several, separated by commas. metrics.jsonl and samples/ are always written.
        log_every_steps: Steps averaged into one row of metrics.jsonl and one point of a curve.
        sample_every_steps: Steps between image grids of fixed test images; steps 20 and 100 are
          drawn, too.
        sample_images: Images of each domain in a grid.
        test_every_epochs: Epochs between measurements of the losses on the test split.
        test_images: Images of each domain in that measurement.
        score_every_epochs: Epochs between scorings on the test split, which choose
          checkpoints/best; 0 never scores.
        score_images: Images of each domain that are scored, always the same ones.
        score_features: Networks of packages (extra features) that score, too: lite0 for KID-Lite0
          and FD-Lite0, vgg16_hed for LPIPS-VGG-HED, or all.

    Example:
        >>> Experiment(logging=Logging(score_every_epochs=1)).logging.score_images
        20
    """

    to: str = "tensorboard"
    log_every_steps: int = 50
    sample_every_steps: int = 500
    sample_images: int = 4
    test_every_epochs: int = 5
    test_images: int = 20
    score_every_epochs: int = 5
    score_images: int = 20
    score_features: Literal["off", "lite0", "vgg16_hed", "all"] = "off"

    def __post_init__(self) -> None:
        others = ("to", "score_every_epochs", "score_features")
        names = [entry.name for entry in dataclasses.fields(self) if entry.name not in others]
        at_least("logging", self, 1, *names)
        at_least("logging", self, 0, "score_every_epochs")
        require(
            set(self.trackers) <= set(TRACKERS),
            "logging.to",
            self.to,
            f"it must be one or several of {', '.join(TRACKERS)}, separated by commas",
        )

    @property
    def trackers(self) -> tuple[str, ...]:
        """The names in `to`, each once."""
        return tuple(dict.fromkeys(name.strip() for name in self.to.split(",")))


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a training's result.

    Attributes:
        data: Where the images come from and how they are prepared.
        generator: The two generators.
        discriminator: The two discriminators.
        loss: The terms and their weights.
        optimizer: Adam and its rate.
        training: How long, how precisely and how safely.
        logging: What is written down on the way.

    Example:
        >>> experiment = Experiment.from_dict({"data": {"crop_size_px": 128}})
        >>> experiment.training.constant_epochs
        100
    """

    data: Data = field(default_factory=Data)
    generator: Generator = field(default_factory=Generator)
    discriminator: Discriminator = field(default_factory=Discriminator)
    loss: Loss = field(default_factory=Loss)
    optimizer: Optimizer = field(default_factory=Optimizer)
    training: Training = field(default_factory=Training)
    logging: Logging = field(default_factory=Logging)

    def __post_init__(self) -> None:
        if self.data.preprocess in ("scale_width", "none"):
            require(
                self.training.pool_size_images == 0,
                "training.pool_size_images",
                self.training.pool_size_images,
                f"data.preprocess {self.data.preprocess} keeps different sizes, which the image "
                "pool cannot hold: give --training.pool_size_images 0",
            )
        require(
            self.training.early_stopping_patience is None or self.logging.score_every_epochs > 0,
            "training.early_stopping_patience",
            self.training.early_stopping_patience,
            "logging.score_every_epochs is 0, and without scores there is nothing to wait for",
        )
        check_pairs(self.data, self.discriminator, self.loss)
        identity_x, identity_y = self.loss.identity_weights()
        if not self.data.may_have_same_channels and (identity_x or identity_y):
            raise UserError(
                f"The identity loss is on, but data.channels_x is {self.data.channels_x} and "
                f"data.channels_y is {self.data.channels_y}: an image of one domain cannot be "
                "compared with its identity translation in the other; give --loss.identity 0.",
                code="mismatch",
                field="loss.identity",
            )

    def as_dict(self) -> dict[str, Any]:
        """Nested plain dictionary, as written to YAML."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Experiment:
        """Inverse of `as_dict`; sections and fields left out take their defaults.

        Raises:
          ValueError: a value breaks a rule; TypeError: an unknown field.
        """
        return cls(
            **{
                name: section(**_with_tuples(section, values.get(name) or {}))
                for name, section in SECTIONS.items()
            }
        )


def _with_tuples(section: Any, values: dict[str, Any]) -> dict[str, Any]:
    """YAML and JSON have lists where fields are tuples."""
    tuples = {field.name for field in dataclasses.fields(section) if "tuple[" in str(field.type)}
    return {
        name: tuple(value) if name in tuples and isinstance(value, list) else value
        for name, value in values.items()
    }


SECTIONS: dict[str, Any] = {
    entry.name: entry.default_factory for entry in dataclasses.fields(Experiment)
}
