"""All .tflite variants of one generator, each held against the training model before it may
stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.export import parity
from cyclegan_tf.export.formats import Variant
from cyclegan_tf.export.litert import metadata
from cyclegan_tf.export.litert.converter import CALIBRATION_IMAGES, MIN_PSNR_DB, Converter
from cyclegan_tf.export.litert.runtime import LiteRTModel, delegated_share, operations_of
from cyclegan_tf.export.model_card import as_text, card, write_card
from cyclegan_tf.export.trained import TrainedGenerator, squares


def write(
    folder: Path,
    trained: TrainedGenerator,
    name: str,
    size_px: int,
    *,
    variants: Sequence[Variant],
    allow_lossy: bool = False,
    replace: bool = False,
    say: Callable[[str], None] = print,
) -> int:
    """Writes `<variant>.tflite`, parity.json, parity.png and card.json into a new folder.

    A variant whose images hold NaN, or whose PSNR is below `MIN_PSNR_DB`, is removed again.

    Args:
      folder: to be made, whole or not at all.
      trained: what to export.
      name: of the model.
      size_px: side of the images the files take.
      variants: of `kinds.VARIANTS`.
      allow_lossy: keep what is too far off.
      replace: replace the folder if it is there.
      say: takes lines for people.

    Returns:
      How many variants were refused.
    """
    converter = _converter(trained, size_px)
    images = squares(trained.test_images(), parity.COMPARED_IMAGES, size_px)
    with atomic_directory(folder, replace) as partial:
        judge = parity.ParityCheck(trained.network, images)
        for variant in variants:
            path = partial / f"{variant}.tflite"
            with (
                suppress_startup_logs()
            ):  # converter and runtime tell on standard error what they are doing
                path.write_bytes(described(trained, name, size_px, variant, converter))
                model = LiteRTModel(path)
            judge.add(
                variant,
                model,
                path,
                operations_of(path),
                delegated_share(path),
                MIN_PSNR_DB[variant],
            )
        refused = judge.report(partial, allow_lossy, say)
        write_card(partial, card(trained, name, size_px))
    say(f"  LiteRT: {folder}")
    return refused


def described(
    trained: TrainedGenerator,
    name: str,
    size_px: int,
    variant: Variant,
    converter: Converter | None = None,
) -> bytes:
    """One converted variant with its metadata in it and its card packed behind it."""
    converter = converter or _converter(trained, size_px)
    channels = trained.network.input_shape[-1], trained.network.output_shape[-1]
    from_domain, to_domain = trained.direction[0], trained.direction[1]
    return metadata.with_metadata(
        converter.convert(variant),
        name,
        f"CycleGAN generator {trained.direction} ({variant}), {trained.origin}. One image of "
        f"{size_px} x {size_px} px, float32 from -1 (black) to 1 (white), in and out.",
        metadata.Image(
            "images",
            f"image of domain {from_domain.upper()}",
            size_px,
            channels[0],
            normalized=True,
        ),
        metadata.Image(
            "translated",
            f"as if of domain {to_domain.upper()}",
            size_px,
            channels[1],
            normalized=False,
        ),
        {"card.json": as_text(card(trained, name, size_px))},
    )


def _converter(trained: TrainedGenerator, size_px: int) -> Converter:
    return Converter(
        trained.network,
        size_px,
        lambda: squares(trained.training_images(), CALIBRATION_IMAGES, size_px),
    )
