"""What the ablation trains: the lines of the paper's tables 4 and 5 and our own variants."""

from __future__ import annotations

from dataclasses import dataclass

COMMON = (
    "--discriminator.filters 32 --training.keep_checkpoints 1 --logging.sample_every_steps 100000 "
    "--logging.test_every_epochs 1000 --training.checkpoint_every_minutes 100"
).split()
STEPS = {"demo": 600, "facades": 1000, "color": 600, "maps": 600}
SEEDS = {"demo": (0, 1, 2), "facades": (0,), "color": (0, 1, 2), "maps": (0, 1, 2)}


@dataclass(frozen=True)
class Variant:
    """One line of the table.

    Example:
      >>> batch_4 = Variant("batch_4", "Batch 4", ("--data.batch_size", "4"), batch=4)
      >>> " ".join(batch_4.command(None, steps=600, seed=0))

    Attributes:
      name: the run's name, and of a line of the paper that of its file in configs/ablation.
      title: as tables show it.
      words: options laid over configs/ablation/full.yaml; empty for a line of the paper.
      batch: images of each domain per step; steps become fewer, so that as many images are seen.
      averaged: scored by the moving averages of its weights.
      trained_as: the variant whose run it shares; None for a run of its own.
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    batch: int = 1
    averaged: bool = False
    trained_as: str | None = None

    def command(self, data: str | None, steps: int, seed: int) -> list[str]:
        """The arguments of `cyclegan_tf.train`, without the run directory.

        Args:
          data: folder of images; None for that of the config.
          steps: at batch 1.
          seed: of the training.
        """
        config = "full" if self.words else self.name
        source = ["--data.source", data] if data else []
        length = ["--training.max_steps", str(steps // self.batch), "--training.seed", str(seed)]
        return [
            "--config",
            f"configs/ablation/{config}.yaml",
            *COMMON,
            *self.words,
            *source,
            *length,
        ]


# Averages are kept beside the weights and change nothing in them, so one run serves two lines.
_AVERAGED = ("--training.ema_half_life_images", "50")
PAPER = (
    Variant("cycle_alone", "Cycle alone"),
    Variant("gan_alone", "GAN alone"),
    Variant("gan_forward", "GAN + forward cycle"),
    Variant("gan_backward", "GAN + backward cycle"),
    Variant("no_identity", "CycleGAN (no identity loss, as in the paper's table)"),
    Variant("full", "CycleGAN with identity loss", _AVERAGED),
    Variant("one_way", "One-way: D_Y and forward cycle only"),
)
"""The lines of tables 4 and 5 in their order, and the one-way GAN."""

MORE = (
    Variant(
        "resize", "Resize + convolution instead of transposed", ("--generator.upsampling", "resize")
    ),
    Variant("vanilla", "Vanilla GAN loss instead of least squares", ("--loss.gan_mode", "vanilla")),
    Variant("wgangp", "WGAN-GP instead of least squares", ("--loss.gan_mode", "wgangp")),
    Variant("pool_off", "No image pool", ("--training.pool_size_images", "0")),
    Variant(
        "fast_style", "fast_style instead of resnet", ("--generator.architecture", "fast_style")
    ),
    Variant("batch_4", "Batch 4 instead of 1, as many images", ("--data.batch_size", "4"), batch=4),
    Variant("ema", "Moving average of the weights", _AVERAGED, averaged=True, trained_as="full"),
)
"""Against "full", which they differ from in one thing."""

_SKIP = ("--generator.color_skip", "auto")
_LONG = ("--generator.upsampling", "resize", "--generator.long_skips", "on")
_MODERN = (*_SKIP, "--generator.upsampling", "auto", "--generator.long_skips", "auto")
MODERN = (
    Variant("colour_skip", "Color skip, no identity loss where it is on", _SKIP),
    Variant(
        "skip_identity",
        "The same with identity loss",
        (*_SKIP, "--loss.identity_x", "5", "--loss.identity_y", "5"),
    ),
    Variant(
        "color_skip_resize",
        "Color skip, resize + convolution",
        (*_SKIP, "--generator.upsampling", "resize"),
    ),
    Variant("long_skips", "Long skips, resize + convolution", _LONG),
    Variant(
        "modern", "modern: all three where the domains' colors are of one kind, else none", _MODERN
    ),
)
"""The parts of configs/modern.yaml, one by one and together, against "full"."""


def _named(*names: str) -> tuple[Variant, ...]:
    known = {variant.name: variant for variant in PAPER + MORE + MODERN}
    return tuple(known[name] for name in names)


SETS = {
    "demo": PAPER + MORE + MODERN,
    "facades": PAPER + _named("resize", "long_skips", "modern"),
    "color": _named(
        "no_identity",
        "full",
        "resize",
        "colour_skip",
        "skip_identity",
        "color_skip_resize",
        "long_skips",
        "modern",
    ),
    "maps": _named("no_identity", "full", "resize", "color_skip_resize", "long_skips", "modern"),
}
