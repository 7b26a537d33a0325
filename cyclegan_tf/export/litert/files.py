"""All .tflite variants of one generator, each compared with the training model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.export.formats import Variant
from cyclegan_tf.export.litert.converter import CALIBRATION_IMAGES, MIN_PSNR_DB, Converter
from cyclegan_tf.export.litert.metadata import ImageTensor, with_metadata
from cyclegan_tf.export.litert.runtime import (
    KERNELS,
    LiteRTModel,
    delegated_share,
    operations_of,
)
from cyclegan_tf.export.model_card import (
    card_text,
    model_card,
    range_in_words,
    write_model_card,
)
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.export.parity import COMPARED_IMAGES, ParityCheck
from cyclegan_tf.export.trained import TrainedGenerator, calibration_images
from cyclegan_tf.images.ranges import ValueRange


def write_litert(
    folder: Path,
    trained: TrainedGenerator,
    name: str,
    size_px: int,
    *,
    variants: Sequence[Variant],
    allow_lossy: bool = False,
    replace: bool = False,
) -> int:
    """Write `<variant>.tflite`, parity.json, parity.png and card.json into a new folder.

    A variant whose images hold NaN, or whose PSNR is below `MIN_PSNR_DB`, is removed again.

    Args:
      folder: to be made, whole or not at all.
      trained: what to export.
      name: of the model.
      size_px: side of the images the files take.
      variants: of `formats.VARIANTS`.
      allow_lossy: keep what is too far off.
      replace: replace the folder if it is there.

    Returns:
      How many variants were refused.

    Raises:
      UserError: the folder exists and is not to be replaced, or is not an export.
    """
    converter = _converter(trained, size_px)
    images = calibration_images(trained.test_images(), COMPARED_IMAGES, size_px)
    with atomic_directory(folder, replace, CARD_NAME) as partial:
        check = ParityCheck(trained.network, images, KERNELS)
        for variant in variants:
            path = partial / f"{variant}.tflite"
            # Converter and runtime report their progress on standard error.
            with suppress_startup_logs():
                path.write_bytes(convert_with_metadata(trained, name, size_px, variant, converter))
                model = LiteRTModel(path)
            operations, delegated = operations_of(path), delegated_share(path)
            check.add(variant, model, path, operations, delegated, MIN_PSNR_DB[variant])
        refused = check.report(partial, allow_lossy)
        write_model_card(partial, model_card(trained, name, size_px))
    return refused


def convert_with_metadata(
    trained: TrainedGenerator,
    name: str,
    size_px: int,
    variant: Variant,
    converter: Converter | None = None,
) -> bytes:
    """Convert one variant, with its metadata in it and its card packed behind it.

    Args:
      trained: what to convert.
      name: of the model.
      size_px: side of the images the file takes.
      variant: of `formats.VARIANTS`.
      converter: made for this generator and size; None makes one.
    """
    converter = converter or _converter(trained, size_px)
    channels = trained.network.input_shape[-1], trained.network.output_shape[-1]
    from_domain, to_domain = (domain.upper() for domain in trained.direction)
    return with_metadata(
        converter.convert(variant),
        name,
        f"CycleGAN generator {trained.direction} ({variant}), {trained.origin}. One image of "
        f"{size_px} x {size_px} px, float32 from -1 (black) to 1 (white), in and out.",
        ImageTensor(
            "images",
            f"image of domain {from_domain}{_said(trained.ranges.source)}",
            size_px,
            channels[0],
            True,
        ),
        ImageTensor(
            "translated",
            f"as if of domain {to_domain}{_said(trained.ranges.target)}",
            size_px,
            channels[1],
            False,
        ),
        {CARD_NAME: card_text(model_card(trained, name, size_px))},
    )


def _said(known: ValueRange | None) -> str:
    return f"; {range_in_words(known)}" if known else ""


def _converter(trained: TrainedGenerator, size_px: int) -> Converter:
    return Converter(
        trained.network,
        size_px,
        lambda: calibration_images(trained.training_images(), CALIBRATION_IMAGES, size_px),
    )
