"""From an `Experiment` to networks and model: config and building blocks meet here."""

from __future__ import annotations

from pathlib import Path

import keras

from cyclegan_tf.assembly.training_data import build_transform
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.errors import UserError
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.model.optimizers import FusedAdam
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks import files as network_files
from cyclegan_tf.networks.freezing import freeze_encoder
from cyclegan_tf.networks.semantic import open_frozen, read_range


def build_generator(
    experiment: Experiment, direction: str, dtype_policy: str = "float32"
) -> keras.Model:
    """Builds a generator with the experiment's initial weights, or opens its file.

    Args:
      experiment: a `color_skip` of "auto", as runs of early versions have, gives the layer, which
        is inactive until its weights are loaded.
      direction: "xy" or "yx".
      dtype_policy: a Keras policy.

    Raises:
      ValueError: another field is still "auto"; `resolve_auto_fields` decides it.
      UserError: its file cannot be trained on.
    """
    config, data = experiment.generator, experiment.data
    seed, name = _network_seed(experiment, ("xy", "yx").index(direction)), f"generator_{direction}"
    if direction in config.network_files:
        return network_files.open_trainable(
            Path(config.network_files[direction]), dtype_policy, name, seed
        )
    upsampling, long_skips = config.upsampling, config.long_skips
    if upsampling == "auto" or long_skips == "auto":
        field = "upsampling" if upsampling == "auto" else "long_skips"
        raise ValueError(
            f"generator.{field} is 'auto': let resolve_auto_fields decide before networks are "
            "built."
        )
    channels = {domain: data.channels(domain) for domain in "xy"}
    return networks.build_generator(
        config.architecture,
        input_channels=channels[direction[0]],
        output_channels=channels[direction[1]],
        filters=config.filters,
        blocks=config.blocks,
        upsampling=upsampling,
        dropout=config.dropout,
        norm=config.norm,
        norm_affine=config.norm_affine,
        color_skip=config.color_skip != "off",
        long_skips=long_skips == "on",
        seed=seed,
        dtype_policy=dtype_policy,
        name=name,
    )


def build_discriminator(
    experiment: Experiment, domain: str, dtype_policy: str = "float32"
) -> keras.Model:
    """Builds the discriminator of one domain with the experiment's initial weights.

    Args:
      experiment: says which.
      domain: "x" or "y".
      dtype_policy: a Keras policy.
    """
    config = experiment.discriminator
    return networks.build_discriminator(
        config.architecture,
        input_channels=discriminator_channels(experiment, domain),
        filters=config.filters,
        n_layers=config.n_layers,
        norm=config.norm,
        norm_affine=config.norm_affine,
        seed=_network_seed(experiment, 2 + ("x", "y").index(domain)),
        dtype_policy=dtype_policy,
        name=f"discriminator_{domain}",
    )


def discriminator_channels(experiment: Experiment, domain: str) -> int:
    """Counts the channels that the discriminator of domain "x" or "y" sees."""
    x, y = map(experiment.data.channels, "xy")
    if experiment.discriminator.conditional:
        return x + y
    return x if domain == "x" else y


def _network_seed(experiment: Experiment, number: int) -> int:
    return 4 * experiment.training.seed + number


def _adam(experiment: Experiment, dtype_policy: str) -> keras.optimizers.Optimizer:
    config = experiment.optimizer
    adam = FusedAdam(
        learning_rate=config.learning_rate,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        epsilon=config.epsilon,
    )
    return keras.optimizers.LossScaleOptimizer(adam) if dtype_policy == "mixed_float16" else adam


def build_model(
    experiment: Experiment, dtype_policy: str = "float32", jit_compile: bool = False
) -> CycleGAN:
    """Builds and compiles the model, every variable made, pools included.

    Args:
      experiment: without "auto", see `resolve_auto_fields`.
      dtype_policy: of all networks.
      jit_compile: compile the step with XLA.

    Raises:
      UserError: the crop does not fit the networks.
    """
    check_sizes(experiment)
    loss, data = experiment.loss, experiment.data
    identity_x, identity_y = loss.identity_weights()
    paired_x, paired_y = loss.paired_weights(data.has_pairs)
    semantic_x, semantic_y = loss.semantic_weights()
    generator_xy, generator_yx = (
        build_generator(experiment, direction, dtype_policy) for direction in ("xy", "yx")
    )
    if experiment.training.freeze == "encoder":
        _freeze(experiment, {"xy": generator_xy, "yx": generator_yx})
    model = CycleGAN(
        generator_xy,
        generator_yx,
        build_discriminator(experiment, "x", dtype_policy) if loss.adversarial_x else None,
        build_discriminator(experiment, "y", dtype_policy) if loss.adversarial_y else None,
        semantic=_semantic(experiment),
        conditional=experiment.discriminator.conditional,
        pool_size_images=experiment.training.pool_size_images,
        seed=experiment.training.seed,
    )
    model.compile(
        _adam(experiment, dtype_policy),
        _adam(experiment, dtype_policy),
        gan_mode=loss.gan_mode,
        loss_weights={
            "adversarial_x": loss.adversarial_x,
            "adversarial_y": loss.adversarial_y,
            "cycle_x": loss.cycle_x,
            "cycle_y": loss.cycle_y,
            "identity_x": identity_x,
            "identity_y": identity_y,
            "self_x": loss.self_x,
            "self_y": loss.self_y,
            "paired_x": paired_x,
            "paired_y": paired_y,
            "semantic_x": semantic_x,
            "semantic_y": semantic_y,
        },
        gradient_penalty=loss.gradient_penalty,
        gradient_checkpointing=experiment.training.gradient_checkpointing,
        jit_compile=jit_compile,
    )
    for domain in model.adversarial_domains:
        channels = discriminator_channels(experiment, domain)
        pool = model.pool_x if domain == "x" else model.pool_y
        pool.build((data.batch_size, data.crop_size_px, data.crop_size_px, channels))
    return model


def _semantic(experiment: Experiment) -> keras.Model | None:
    """Opens the network whose word on an image must hold for its translation."""
    loss = experiment.loss
    if not any(loss.semantic_weights()):
        return None
    return open_frozen(
        Path(str(loss.semantic)), experiment.data.channels("x"), read_range(loss.semantic_range)
    )


def _freeze(experiment: Experiment, generators: dict[str, keras.Model]) -> None:
    """Freezes the encoders; where a generator came out of a file, only its: the other is random."""
    for direction in experiment.generator.network_files or generators:
        try:
            freeze_encoder(generators[direction])
        except ValueError as error:
            raise UserError(
                f"training.freeze is 'encoder', but {error}", field="training.freeze"
            ) from error


def check_sizes(experiment: Experiment) -> None:
    """Refuses a crop the networks cannot take, and networks in files that are not for these images.

    Raises:
      UserError: says which sizes would do.
    """
    data, generator, discriminator = experiment.data, experiment.generator, experiment.discriminator
    for direction, path in generator.network_files.items():
        facts = network_files.facts(Path(path))
        has = {direction[0]: facts.input_channels, direction[1]: facts.output_channels}
        for domain, given in (("x", data.channels_x), ("y", data.channels_y)):
            asked = data.channels(domain)
            if has[domain] != asked and given != "auto":
                raise UserError(
                    f"generator.init_file_{direction} {path} is for images of {domain.upper()} "
                    f"with {has[domain]} channels, but data.channels_{domain} is {asked}.",
                    code="mismatch",
                    field=f"data.channels_{domain}",
                )
    transform = build_transform(experiment)
    multiple, crop = transform.size_divisor_px, data.crop_size_px
    if transform.fixed_size_px and crop % multiple:
        below = crop // multiple * multiple
        nearest = f"{below} or {below + multiple}" if below else str(multiple)
        raise UserError(
            f"data.crop_size_px is {crop}, but {_need(experiment)} a multiple of {multiple}: take "
            f"{nearest}.",
            field="data.crop_size_px",
        )
    least = networks.minimum_size_px(discriminator.architecture, n_layers=discriminator.n_layers)
    if (
        transform.fixed_size_px
        and crop < least
        and (experiment.loss.adversarial_x or experiment.loss.adversarial_y)
    ):
        raise UserError(
            f"data.crop_size_px is {crop}, but a discriminator of n_layers "
            f"{discriminator.n_layers} needs at least {least}: enlarge the crop or lower "
            "--discriminator.n_layers.",
            field="data.crop_size_px",
        )


def _need(experiment: Experiment) -> str:
    """Both generators, as subject of a sentence."""
    files = [Path(path).name for path in experiment.generator.network_files.values()]
    named = [*files, experiment.generator.architecture][:2]
    return f"{' and '.join(named)} need{'s' if len(named) == 1 else ''}"


def normalization_kinds(experiment: Experiment) -> set[str]:
    """Lists the kinds of normalization in the networks, "instance" and "batch"."""
    files = experiment.generator.network_files
    own = set() if len(files) == 2 else {experiment.generator.norm}
    return (
        own
        | {network_files.facts(Path(path)).norm for path in files.values()}
        | {experiment.discriminator.norm}
    )


def build_averages(model: CycleGAN, experiment: Experiment) -> ExponentialMovingAverage | None:
    """Makes the moving averages of both generators' weights as they are now; None if not wanted."""
    half_life = experiment.training.ema_half_life_images
    if half_life is None:
        return None
    generators = {name: getattr(model, name) for name in ("generator_xy", "generator_yx")}
    return ExponentialMovingAverage(generators, half_life, experiment.data.batch_size)
