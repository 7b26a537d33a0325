"""Descriptions of how the scores were computed: enough to reproduce them elsewhere."""

from __future__ import annotations

from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.metrics import sliced_wasserstein as swd

_SIZES = {
    "resize_and_crop": "resized to {crop} x {crop} px",
    "scale_width_and_crop": "resized to a width of {crop} px",
    "scale_width": "resized to a width of {load} px",
    "crop": "at their own size",
    "none": "at their own size",
}


def sizes(transform: ImageTransform) -> str:
    """Describe how a test image is prepared."""
    resized = _SIZES[transform.mode].format(
        crop=transform.crop_size_px, load=transform.load_size_px
    )
    return (
        f"whole, {resized} (bicubic, antialiased), trimmed around the center to multiples of "
        f"{transform.size_divisor_px} px"
    )


def protocol(
    transform: ImageTransform,
    seed: int,
    training: dict[str, int],
    palette: str | None,
    segmenter: str | None = None,
) -> dict[str, str]:
    """Describe everything that decides the scores, as label -> text.

    Args:
      transform: of the test images.
      seed: of all that is drawn.
      training: domain, "x" or "y", -> how many training images the baselines were made from.
      palette: the palette's file, or None.
      segmenter: the segmenter's file, or None.
    """
    counts = ", ".join(f"{count} of {domain.upper()}" for domain, count in training.items())
    found = {
        "Images": f"The test split, {sizes(transform)}; nothing random.",
        "Generators": "Run in float32, one image at a time; their output is scored as it is, not "
        "rounded to pixel values.",
        "PSNR, SSIM, MAE": "Of values in [-1, 1], so the peak is 2. SSIM: Gaussian window of 11 x "
        "11 px and deviation 1.5, K1 0.01, K2 0.03, on each channel, mean over channels and "
        "windows inside the image.",
        "SWD": f"Karras et al. 2018, sec. 5: Laplacian pyramid down to {swd.SMALLEST_LEVEL_PX} px, "
        f"128 patches of {swd.PATCH_PX} x {swd.PATCH_PX} px per image and level, each set "
        f"normalized by channel, 512 random directions, x {swd.SCALE:.0f}, mean over levels, seed "
        f"{seed}. With color: both sets normalized by the mean and deviation of the real patches, "
        "so that a cast of color or a loss of contrast counts. Both depend on how many images "
        "there are: compare them only between equal counts.",
        "Constant, random real": f"Made from training images spread evenly over the list: {counts}."
        if training
        else "Made from the test images themselves, because there are no training images here.",
    }
    if palette:
        found["Label scores"] = (
            "Every pixel of translation and truth gets the class of the nearest color in "
            f"{palette}, then pixel accuracy, class accuracy and class IoU over all pixels of all "
            "images together (Long et al. 2015, sec. 5), classes that the truth does not hold "
            "left out."
        )
    if segmenter:
        found["Segmenter's IoU"] = (
            f"Of {segmenter}, on the inputs and on their translations, against the inputs' labels "
            "(resized to the nearest pixel): class IoU over all pixels of all images together; "
            "255 does not count, classes that no label holds are left out."
        )
    return found
